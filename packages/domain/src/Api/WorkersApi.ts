import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { ManagerId } from "../Manager/Id.ts"
import * as View from "../Worker/View.ts"
import { Authorization, InputErrors } from "./Authorization.ts"
import * as Command from "./Command.ts"
import * as Problem from "./Problem.ts"
import * as Query from "./Query.ts"

const WorkerView = View.WorkerView.annotate({ identifier: "Worker" })

export class WorkersApi extends HttpApiGroup.make("workers")
  .add(
    HttpApiEndpoint.get("list", "/v1/workers", {
      query: {
        ...Query.paging,
        manager: Schema.optionalKey(ManagerId.annotate({ description: "Only the workers of this manager." }))
      },
      success: Query.page(WorkerView, "WorkerPage"),
      error: Problem.UnavailableProblem
    }).annotateMerge(Command.describe("List workers", "By manager and slot."))
  )
  .middleware(InputErrors)
  .middleware(Authorization)
  .annotateMerge(OpenApi.annotations({ title: "Workers", description: "The processes that run tasks." })) {}
