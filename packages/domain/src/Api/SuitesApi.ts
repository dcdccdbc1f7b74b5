import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { maxSubmit } from "../Rpc/ClientRpcs.ts"
import { SuiteId, TaskIndex } from "../Suite/Id.ts"
import { CancelMode, SuiteState, leaseNeedsStop, specFields } from "../Suite/Spec.ts"
import * as View from "../Suite/View.ts"
import { TaskState } from "../Task/Attempt.ts"
import { TaskSpec } from "../Task/Spec.ts"
import { Tag, Text } from "../Text.ts"
import { Authorization, InputErrors } from "./Authorization.ts"
import * as Command from "./Command.ts"
import * as Problem from "./Problem.ts"
import * as Query from "./Query.ts"

const SuiteView = View.SuiteView.annotate({ identifier: "Suite" })
const SuiteDetail = View.SuiteDetail.annotate({ identifier: "SuiteDetail" })
const TaskView = View.TaskView.annotate({ identifier: "Task" })

const params = { id: SuiteId }
const error = Problem.suiteCommandProblems

/** A suite's settings, and its id if the caller wants to choose it. */
export const NewSuite = Schema.Struct({
  ...specFields,
  id: Schema.optionalKey(
    SuiteId.annotate({
      description: "Default: made from `Idempotency-Key` if there is one, so that a repetition finds the same suite."
    })
  )
})
  .check(leaseNeedsStop)
  .annotate({
    identifier: "NewSuite",
    examples: [{ name: "nightly", tags: ["linux"], priority: 10, defaults: { timeout: 30_000, retry: { limit: 2 } } }]
  })

/** Tasks to add, in the order of their indexes. */
export const NewTasks = Schema.Array(TaskSpec)
  .check(Schema.isMinLength(1), Schema.isMaxLength(maxSubmit))
  .annotate({
    identifier: "NewTasks",
    examples: [
      [
        { program: "sha256sum", args: ["/etc/hostname"], timeout: 10_000 },
        { handler: "resize", input: { width: 640 } }
      ]
    ]
  })

export const CancelSuite = Schema.Struct({
  mode: Schema.optionalKey(
    CancelMode.annotate({ description: "`graceful` (default) lets running tasks finish, `force` ends them." })
  ),
  reason: Schema.optionalKey(Text.check(Schema.isMaxLength(1_000)))
}).annotate({ identifier: "CancelSuite", examples: [{ mode: "force", reason: "wrong input" }] })

export const RetryTasks = Schema.Struct({
  tasks: Schema.optionalKey(
    Schema.Union([Schema.Literal("failed"), Schema.Array(TaskIndex)]).annotate({
      description: "Indexes of failed or cancelled tasks, or `failed` (default) for all that failed."
    })
  )
}).annotate({ identifier: "RetryTasks", examples: [{ tasks: "failed" }, { tasks: [3, 17] }] })

export const Cancelled = Schema.Struct({ suite: SuiteView, cancelledTasks: Schema.Int }).annotate({
  identifier: "Cancelled"
})
export const Retried = Schema.Struct({ suite: SuiteView, retriedTasks: Schema.Int }).annotate({ identifier: "Retried" })
export const Submitted = Schema.Struct({ firstIndex: Schema.Int, count: Schema.Int }).annotate({
  identifier: "Submitted",
  description: "The tasks are durable. They have the indexes from `firstIndex` on, in order."
})

const stateChange = <const Name extends "close" | "pause" | "resume">(
  name: Name,
  summary: string,
  description: string
) =>
  HttpApiEndpoint.post(name, `/v1/suites/:id/${name}`, {
    params,
    headers: Command.headers,
    success: SuiteView,
    error
  }).annotateMerge(Command.describe(summary, description))

export class SuitesApi extends HttpApiGroup.make("suites")
  .add(
    HttpApiEndpoint.post("create", "/v1/suites", {
      headers: Command.headers,
      payload: NewSuite,
      success: SuiteView.pipe(HttpApiSchema.status(201)),
      error
    }).annotateMerge(Command.describe("Create a suite", "Makes an empty, open suite.")),
    HttpApiEndpoint.get("list", "/v1/suites", {
      query: {
        ...Query.paging,
        state: Schema.optionalKey(Query.list(SuiteState)),
        name: Schema.optionalKey(Text.annotate({ description: "Part of the name, in any case." })),
        label: Schema.optionalKey(Query.list(Tag)),
        tag: Schema.optionalKey(Query.list(Tag))
      },
      success: Query.page(SuiteView, "SuitePage"),
      error: Problem.UnavailableProblem
    }).annotateMerge(
      Command.describe(
        "List suites",
        "Newest first. With `label` or `tag` only suites that have all of the given ones."
      )
    ),
    HttpApiEndpoint.get("get", "/v1/suites/:id", {
      params,
      success: SuiteDetail,
      error: [Problem.SuiteNotFoundProblem, Problem.UnavailableProblem]
    }).annotateMerge(
      Command.describe("Get a suite", "State, number of tasks by state, settings, and the managers that run it now.")
    ),
    HttpApiEndpoint.post("submit", "/v1/suites/:id/tasks", {
      params,
      headers: Command.headers,
      payload: NewTasks,
      success: Submitted.pipe(HttpApiSchema.status(201)),
      error
    }).annotateMerge(
      Command.describe(
        "Submit tasks",
        `Adds up to ${maxSubmit} tasks, all or none. Answered when they are durable. Durations are milliseconds or text such as \`90s\`.`
      )
    ),
    HttpApiEndpoint.get("listTasks", "/v1/suites/:id/tasks", {
      params,
      query: {
        ...Query.paging,
        state: Schema.optionalKey(Query.list(TaskState)),
        label: Schema.optionalKey(Query.list(Tag))
      },
      success: Query.page(TaskView, "TaskPage"),
      error: [Problem.SuiteNotFoundProblem, Problem.UnavailableProblem]
    }).annotateMerge(
      Command.describe(
        "List a suite's tasks",
        "By index. Filters are applied while reading, so with one a page of a large suite may be short or empty and yet have a `nextCursor`."
      )
    ),
    stateChange("close", "Close a suite", "No idle wait any more: it completes with its last task."),
    stateChange("pause", "Pause a suite", "Its queued tasks wait; what runs goes on."),
    stateChange("resume", "Resume a suite", "Ends a pause."),
    HttpApiEndpoint.post("cancel", "/v1/suites/:id/cancel", {
      params,
      headers: Command.headers,
      payload: Command.optionalBody(CancelSuite),
      success: Cancelled,
      error
    }).annotateMerge(
      Command.describeOptionalBody("Cancel a suite", "Final: its queued tasks are cancelled and none can be added.")
    ),
    HttpApiEndpoint.post("retry", "/v1/suites/:id/retry", {
      params,
      headers: Command.headers,
      payload: Command.optionalBody(RetryTasks),
      success: Retried,
      error
    }).annotateMerge(
      Command.describeOptionalBody(
        "Run tasks again",
        "Puts settled tasks back into the queue, with all of their retries."
      )
    )
  )
  .middleware(InputErrors)
  .middleware(Authorization)
  .annotateMerge(
    OpenApi.annotations({
      title: "Suites",
      description: "Batches of tasks that are submitted, watched and ended together."
    })
  ) {}
