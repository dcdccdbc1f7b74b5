import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import * as Checkpoints from "../src/Checkpoints.ts"
import * as EventStore from "../src/EventStore.ts"
import * as Migrations from "../src/Migrations.ts"
import * as PgEventStore from "../src/PgEventStore.ts"
import { event } from "./support/EventStoreSuite.ts"
import { eventually } from "./support/Eventually.ts"
import * as Muster from "./support/Muster.ts"

layer(PgEventStore.layer.pipe(Layer.provideMerge(Muster.layer)))("a log from another server", (it) => {
  it.effect("is read in its order before new events, and subscriptions begin again", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const store = yield* EventStore.EventStore
      yield* store.append({ stream: "a", expectedVersion: 0, events: [event("A1"), event("A2")] })
      yield* Checkpoints.begin(sql, "some_projection", 1)
      // Nothing to do for a log of this server.
      yield* Migrations.migrate
      assert.isDefined(yield* Checkpoints.load(sql, "some_projection"))

      yield* sql`update events set transaction_id = (900000000000 + 10 * version)::text::xid8`
      yield* Migrations.migrate
      assert.isUndefined(yield* Checkpoints.load(sql, "some_projection"))
      yield* store.append({ stream: "a", expectedVersion: 2, events: [event("A3")] })
      const page = yield* eventually(
        store.readAll({ after: EventStore.start, limit: 10 }),
        ({ events }) => events.length === 3
      )
      assert.deepStrictEqual(
        page.events.map(({ type }) => type),
        ["A1", "A2", "A3"]
      )
    })
  )
})
