import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { Recorded } from "../Recorded.ts"
import { Instant } from "../Suite/View.ts"
import { Authorization, InputErrors } from "./Authorization.ts"
import * as Command from "./Command.ts"
import * as Problem from "./Problem.ts"
import * as Query from "./Query.ts"

/** An event as it stands in the log, with its time as text. */
export const EventView = Schema.Struct({ ...Recorded.fields, recordedAt: Instant }).annotate({
  identifier: "Event",
  examples: [
    {
      position: 12,
      stream: "suite-0k2m4n6p8q0rstvw",
      version: 3,
      type: "SuitePaused",
      data: { at: 1_769_817_600_000 },
      metadata: { actor: "admin", commandId: "pause-1", schemaVersion: 1 },
      recordedAt: "2026-01-31T00:00:00.000Z"
    }
  ]
})

export const StreamName = Schema.String.check(
  Schema.isPattern(/^(?:suite|manager|worker|coordinator)-[\w.-]{1,200}$/, {
    expected: "suite-<id>, manager-<id>, worker-<id> or coordinator-<pool>"
  })
)

export class EventsApi extends HttpApiGroup.make("events")
  .add(
    HttpApiEndpoint.get("list", "/v1/events", {
      query: { ...Query.paging, stream: Schema.optionalKey(StreamName) },
      success: Query.page(EventView, "EventPage"),
      error: Problem.UnavailableProblem
    }).annotateMerge(
      Command.describe(
        "List events",
        "The whole log in the order in which events became visible, from the first on; or one stream by version. A `cursor` never misses an event."
      )
    ),
    HttpApiEndpoint.get("listOfStream", "/v1/streams/:stream/events", {
      params: { stream: StreamName },
      query: Query.paging,
      success: Query.page(EventView, "StreamEventPage"),
      error: Problem.UnavailableProblem
    }).annotateMerge(
      Command.describe("List events of a stream", "The history of one suite, manager, worker or coordinator.")
    )
  )
  .middleware(InputErrors)
  .middleware(Authorization)
  .annotateMerge(
    OpenApi.annotations({
      title: "Events",
      description: "Every decision, with who asked for it. Nothing is ever changed or removed."
    })
  ) {}
