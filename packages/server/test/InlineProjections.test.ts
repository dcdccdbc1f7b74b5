/**
 * The rows that entities write with their events are the rows that a rebuild makes of the events alone.
 */
import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { stream, SuiteId } from "@muster/domain/Suite/Id"
import * as EventStore from "../src/EventStore.ts"
import * as PgEventStore from "../src/PgEventStore.ts"
import * as Inline from "../src/Projections/Inline.ts"
import * as SuiteRows from "../src/Projections/SuiteRows.ts"
import * as Rebuild from "../src/Rebuild.ts"
import * as Muster from "./support/Muster.ts"
import * as SuiteLife from "./support/SuiteLife.ts"

/** Appends what happens in a suite's life as its entity does, in commits of several commands. */
const live = Effect.fnUntraced(function* (id: SuiteId, seed: number, commits: number) {
  const store = yield* EventStore.EventStore
  const life = SuiteLife.make(id, seed)
  let version = 0
  let sequentials = 0
  for (let commit = 0; commit < commits; commit++) {
    const events = life.next(1 + (commit % 5)).map((event, index) => ({ event, version: version + index + 1 }))
    if (events.length === 0) continue
    const { sequential, writes } = SuiteRows.writes(life.state(), events)
    if (sequential) sequentials += 1
    yield* store.append({
      stream: stream(id),
      expectedVersion: version,
      events: events.map(({ event: { _tag: type, ...data } }) => ({
        type,
        data,
        metadata: { actor: "test", schemaVersion: 1 }
      })),
      writes,
      sequential
    })
    version += events.length
  }
  return { version, sequentials, state: life.state() }
})

layer(PgEventStore.layer.pipe(Layer.provideMerge(Muster.layer)), { excludeTestServices: true })(
  "the read model of suites",
  (it) => {
    it.effect("is what the suites know, and what a rebuild makes of the events", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient
        const totals = { events: 0, sequentials: 0 }
        for (const seed of [1, 2, 3, 4, 5, 6]) {
          const id = SuiteId.make(`000000000000000${seed}`)
          const { sequentials, state, version } = yield* live(id, seed, 60)
          totals.events += version
          totals.sequentials += sequentials
          const rows = yield* sql<{ state: number }>`select state from tasks where suite_id = ${id} order by index`
          const { tasks } = state._tag === "Existing" ? state : { tasks: undefined }
          assert.deepStrictEqual(
            rows.map((row) => row.state),
            Array.from({ length: tasks?.size ?? 0 }, (_, index) => tasks?.phaseOf(index))
          )
        }
        // Some lives end early; together they are long enough, and full of commits in which events touch the same task.
        assert.isAbove(totals.events, 300)
        assert.isAbove(totals.sequentials, 10)
        const checked = yield* Rebuild.check(Inline.suites)
        assert.deepStrictEqual(
          checked.tables.flatMap(({ differences }) => differences),
          []
        )
        for (const { compared, table } of checked.tables) assert.isAbove(compared, 3, table)

        // And the comparison sees a row that is wrong.
        yield* sql`update tasks set exit_code = 77 where (suite_id, index) = ('0000000000000001', 0)`
        const wrong = yield* Rebuild.check(Inline.suites)
        assert.deepStrictEqual(
          wrong.tables.map(({ differing }) => differing),
          [0, 1, 0, 0]
        )
        yield* Rebuild.rebuild(Inline.suites)
        const again = yield* Rebuild.check(Inline.suites)
        assert.deepStrictEqual(again, checked)
      })
    )
  }
)
