import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { ManagerId } from "../Manager/Id.ts"
import { ManagerState, ShutdownMode } from "../Manager/Spec.ts"
import * as View from "../Manager/View.ts"
import { Tag } from "../Text.ts"
import { Authorization, InputErrors } from "./Authorization.ts"
import * as Command from "./Command.ts"
import * as Problem from "./Problem.ts"
import * as Query from "./Query.ts"

const ManagerView = View.ManagerView.annotate({ identifier: "Manager" })

const params = { id: ManagerId }

export const Drain = Schema.Struct({
  draining: Schema.optionalKey(Schema.Boolean.annotate({ description: "`false` ends a drain (default `true`)." }))
}).annotate({ identifier: "Drain", examples: [{ draining: true }] })

export const Shutdown = Schema.Struct({
  mode: Schema.optionalKey(
    ShutdownMode.annotate({ description: "`graceful` (default) finishes what runs, `force` ends it." })
  )
}).annotate({ identifier: "Shutdown", examples: [{ mode: "graceful" }] })

export class ManagersApi extends HttpApiGroup.make("managers")
  .add(
    HttpApiEndpoint.get("list", "/v1/managers", {
      query: {
        ...Query.paging,
        state: Schema.optionalKey(Query.list(ManagerState)),
        tag: Schema.optionalKey(Query.list(Tag))
      },
      success: Query.page(ManagerView, "ManagerPage"),
      error: Problem.UnavailableProblem
    }).annotateMerge(
      Command.describe("List managers", "By id, oldest first. With `tag` only those that have all of them.")
    ),
    HttpApiEndpoint.get("get", "/v1/managers/:id", {
      params,
      success: ManagerView,
      error: [Problem.ManagerNotFoundProblem, Problem.UnavailableProblem]
    }).annotateMerge(Command.describe("Get a manager", "What it is, what it does, and which suite it runs.")),
    HttpApiEndpoint.post("drain", "/v1/managers/:id/drain", {
      params,
      headers: Command.headers,
      payload: Command.optionalBody(Drain),
      success: ManagerView,
      error: [Problem.ManagerNotFoundProblem, Problem.UnavailableProblem]
    }).annotateMerge(
      Command.describeOptionalBody(
        "Drain a manager",
        "It finishes what runs and takes nothing new until told otherwise."
      )
    ),
    HttpApiEndpoint.post("shutdown", "/v1/managers/:id/shutdown", {
      params,
      headers: Command.headers,
      payload: Command.optionalBody(Shutdown),
      success: ManagerView,
      error: [Problem.ManagerNotFoundProblem, Problem.ManagerOfflineProblem, Problem.UnavailableProblem]
    }).annotateMerge(
      Command.describeOptionalBody("Shut a manager down", "Its process ends and does not come back by itself.")
    )
  )
  .middleware(InputErrors)
  .middleware(Authorization)
  .annotateMerge(OpenApi.annotations({ title: "Managers", description: "The daemons on the machines, one each." })) {}
