import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import * as Explanation from "../Explanation/View.ts"
import { OutputStream } from "../Manager/Directive.ts"
import { TaskId } from "../Suite/Id.ts"
import * as View from "../Suite/View.ts"
import { Text } from "../Text.ts"
import { Authorization, InputErrors } from "./Authorization.ts"
import * as Command from "./Command.ts"
import * as Problem from "./Problem.ts"
import { Cancelled, Retried } from "./SuitesApi.ts"

const params = { id: TaskId }
const error = Problem.suiteCommandProblems

const TaskDetail = View.TaskDetail.annotate({ identifier: "TaskDetail" })

const TaskExplanation = Explanation.TaskExplanation.annotate({ identifier: "TaskExplanation" })

export const CancelTask = Schema.Struct({
  reason: Schema.optionalKey(Text.check(Schema.isMaxLength(1_000)))
}).annotate({ identifier: "CancelTask", examples: [{ reason: "not needed any more" }] })

/** Most bytes of a log in one answer. */
export const maxLogBytes = 1024 ** 3

export class TasksApi extends HttpApiGroup.make("tasks")
  .add(
    HttpApiEndpoint.get("get", "/v1/tasks/:id", {
      params,
      success: TaskDetail,
      error: [Problem.SuiteNotFoundProblem, Problem.TaskNotFoundProblem, Problem.UnavailableProblem]
    }).annotateMerge(
      Command.describe("Get a task", "Its spec, all of its attempts, and the end of what the latest one wrote.")
    ),
    HttpApiEndpoint.get("explain", "/v1/tasks/:id/explanation", {
      params,
      query: {
        at: Schema.optionalKey(
          Schema.String.annotate({
            description: "The moment to explain (default: now): a time in UTC, or how long ago, such as `10m`."
          })
        )
      },
      success: TaskExplanation,
      error: [Problem.SuiteNotFoundProblem, Problem.TaskNotFoundProblem, Problem.UnavailableProblem]
    }).annotateMerge(
      Command.describe(
        "Explain a task",
        "Why it is in its state, now or at a past time, from the events alone: facts for programs, sentences for people."
      )
    ),
    HttpApiEndpoint.post("cancel", "/v1/tasks/:id/cancel", {
      params,
      headers: Command.headers,
      payload: Command.optionalBody(CancelTask),
      success: Cancelled,
      error
    }).annotateMerge(
      Command.describeOptionalBody("Cancel a task", "A queued task is cancelled at once, a running one is ended.")
    ),
    HttpApiEndpoint.post("retry", "/v1/tasks/:id/retry", {
      params,
      headers: Command.headers,
      success: Retried,
      error
    }).annotateMerge(
      Command.describe(
        "Run a task again",
        "Puts a failed or cancelled task back into the queue, with all of its retries."
      )
    ),
    HttpApiEndpoint.get("log", "/v1/tasks/:id/logs/:stream", {
      params: { ...params, stream: OutputStream },
      query: {
        attempt: Schema.optionalKey(
          Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 32_767 })).annotate({
            description: "Number of the attempt (default: the latest)."
          })
        ),
        offset: Schema.optionalKey(
          Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)).annotate({ description: "First byte (default 0)." })
        ),
        limit: Schema.optionalKey(
          Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: maxLogBytes })).annotate({
            description: "Most bytes (default: all that is there now)."
          })
        )
      },
      success: HttpApiSchema.StreamUint8Array({ contentType: "text/plain; charset=utf-8" }),
      error: [
        Problem.SuiteNotFoundProblem,
        Problem.TaskNotFoundProblem,
        Problem.LogNotFoundProblem,
        Problem.ManagerNotFoundProblem,
        Problem.ManagerOfflineProblem,
        Problem.UnavailableProblem
      ]
    }).annotateMerge(
      Command.describe(
        "Read a task's output",
        "What an attempt wrote to `stdout` or `stderr` so far, byte by byte as it was, read on the machine that has it."
      )
    )
  )
  .middleware(InputErrors)
  .middleware(Authorization)
  .annotateMerge(OpenApi.annotations({ title: "Tasks", description: "Single tasks: `<suite id>.<index>`." })) {}
