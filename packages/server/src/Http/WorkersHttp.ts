import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Api } from "@muster/domain/Api/Api"
import { WorkerQueries } from "../ReadModels/WorkerQueries.ts"

export const layer = HttpApiBuilder.group(
  Api,
  "workers",
  Effect.fn(function* (handlers) {
    const queries = yield* WorkerQueries
    return handlers.handle("list", ({ query: { manager, ...filter } }) =>
      queries.list({ ...filter, managerId: manager })
    )
  })
)
