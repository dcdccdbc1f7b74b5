import { assert, layer } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { EventStore } from "../../src/EventStore.ts"
import * as PgEventStore from "../../src/PgEventStore.ts"
import * as EventQueries from "../../src/ReadModels/EventQueries.ts"
import * as Muster from "../support/Muster.ts"
import { untilVisible } from "../support/Visible.ts"
import { pages } from "./Pages.ts"

const append = Effect.fnUntraced(function* (stream: string, version: number, data: unknown = {}) {
  const store = yield* EventStore
  const metadata = { actor: "test", schemaVersion: 1 }
  yield* store.append({ stream, expectedVersion: version - 1, events: [{ type: "Happened", data, metadata }] })
})

layer(EventQueries.layer.pipe(Layer.provideMerge(PgEventStore.layer), Layer.provideMerge(Muster.layer)))(
  "event queries",
  (it) => {
    it.effect("give all events of a stream, and of the log, once and in order", () =>
      Effect.gen(function* () {
        const events = yield* EventQueries.EventQueries
        for (let version = 1; version <= 11; version++) {
          yield* append("suite-a", version)
          if (version % 2 === 0) yield* append("suite-b", version / 2)
        }
        yield* untilVisible
        for (const limit of [1, 4, 5, 11, 100]) {
          const found = yield* pages((cursor) => events.list({ stream: "suite-a", limit, cursor }))
          assert.deepStrictEqual(
            found.flat().map(({ version }) => version),
            Array.from({ length: 11 }, (_, k) => k + 1)
          )
          assert.strictEqual(found.length, Math.ceil(11 / limit))
          const log = (yield* pages((cursor) => events.list({ limit, cursor }))).flat()
          const positions = log.map(({ position }) => position)
          assert.lengthOf(positions, 16)
          assert.deepStrictEqual(
            positions,
            positions.toSorted((a, b) => a - b)
          )
        }
        assert.deepStrictEqual(yield* events.list({ stream: "suite-none" }), { items: [], nextCursor: null })
      })
    )

    it.effect("go on from the end of what is there now", () =>
      Effect.gen(function* () {
        const events = yield* EventQueries.EventQueries
        yield* untilVisible
        const [ofStream, ofLog] = [yield* events.end("suite-c"), yield* events.end(undefined)]
        yield* append("suite-c", 1)
        yield* append("suite-d", 1)
        yield* untilVisible
        const c = yield* events.after({ stream: "suite-c", cursor: ofStream, limit: 10 })
        assert.deepStrictEqual(
          c.events.map(({ stream, version }) => [stream, version]),
          [["suite-c", 1]]
        )
        const log = yield* events.after({ cursor: ofLog, limit: 10 })
        assert.deepStrictEqual(
          log.events.map(({ stream }) => stream),
          ["suite-c", "suite-d"]
        )
        const nothing = yield* events.after({ cursor: log.cursor, limit: 10 })
        assert.deepStrictEqual(nothing, { events: [], cursor: log.cursor })
      })
    )

    it.effect("leave an event that commits late where readers will still come by", () =>
      Effect.gen(function* () {
        const events = yield* EventQueries.EventQueries
        const sql = yield* SqlClient
        yield* untilVisible
        const end = yield* events.end(undefined)
        const [appended, commit] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
        const late = yield* append("suite-late", 1).pipe(
          Effect.andThen(Deferred.succeed(appended, undefined)),
          Effect.andThen(Deferred.await(commit)),
          sql.withTransaction,
          Effect.forkScoped
        )
        yield* Deferred.await(appended)
        yield* append("suite-early", 1)
        assert.deepStrictEqual((yield* events.after({ cursor: end, limit: 10 })).events, [])
        yield* Deferred.succeed(commit, undefined)
        yield* Fiber.join(late)
        yield* untilVisible
        const found = yield* pages((cursor) => events.list({ limit: 1, cursor: cursor ?? end }))
        assert.deepStrictEqual(
          found.flat().map(({ stream }) => stream),
          ["suite-late", "suite-early"]
        )
      })
    )

    it.effect("end a page of huge events before its limit", () =>
      Effect.gen(function* () {
        const events = yield* EventQueries.EventQueries
        const data = { tasks: Array.from({ length: 200 }, () => ({ program: "x".repeat(10_000) })) }
        for (let version = 1; version <= 9; version++) yield* append("suite-huge", version, data)
        const found = yield* pages((cursor) => events.list({ stream: "suite-huge", limit: 100, cursor }))
        assert.deepStrictEqual(
          found.map((page) => page.length),
          // Each has two million characters, so that two are just short of four mebibytes and three are beyond it.
          [3, 3, 3]
        )
      })
    )
  }
)
