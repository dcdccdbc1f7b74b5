import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Api } from "@muster/domain/Api/Api"
import type { Recorded } from "@muster/domain/Recorded"
import { instant } from "@muster/domain/Suite/View"
import { EventQueries } from "../ReadModels/EventQueries.ts"
import type { Page } from "../ReadModels/Query.ts"

/** With its time as text. */
const toView = (page: Page<Recorded>) => ({
  ...page,
  items: page.items.map((event) => ({ ...event, recordedAt: instant(event.recordedAt) }))
})

export const layer = HttpApiBuilder.group(
  Api,
  "events",
  Effect.fn(function* (handlers) {
    const queries = yield* EventQueries
    return handlers.handleAll({
      list: ({ query }) => Effect.map(queries.list(query), toView),
      listOfStream: ({ params, query }) => Effect.map(queries.list({ ...query, stream: params.stream }), toView)
    })
  })
)
