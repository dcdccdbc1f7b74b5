import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Api } from "@muster/domain/Api/Api"
import { ClusterQueries } from "../ReadModels/ClusterQueries.ts"

export const layer = HttpApiBuilder.group(
  Api,
  "cluster",
  Effect.fn(function* (handlers) {
    const queries = yield* ClusterQueries
    return handlers.handle("status", ({ query }) => queries.status({ suites: query.suites === "true" }))
  })
)
