import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import * as View from "../Cluster/View.ts"
import { Authorization, InputErrors } from "./Authorization.ts"
import * as Command from "./Command.ts"
import * as Problem from "./Problem.ts"

const ClusterView = View.ClusterView.annotate({ identifier: "Cluster" })

export class ClusterApi extends HttpApiGroup.make("cluster")
  .add(
    HttpApiEndpoint.get("status", "/v1/cluster", {
      query: {
        suites: Schema.optionalKey(
          Schema.Literals(["true", "false"]).annotate({
            description: "Also list where each suite is (default `false`)."
          })
        )
      },
      success: ClusterView,
      error: Problem.UnavailableProblem
    }).annotateMerge(
      Command.describe(
        "State of the cluster",
        "Coordinators, the shards that they hold, who leads what and since when."
      )
    )
  )
  .middleware(InputErrors)
  .middleware(Authorization)
  .annotateMerge(OpenApi.annotations({ title: "Cluster", description: "The coordinators on one database." })) {}
