/**
 * The rows that entities write with their events are the rows that a rebuild makes of the events alone.
 */
import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { decider } from "@muster/domain/Suite/Decider"
import { stream, SuiteId } from "@muster/domain/Suite/Id"
import * as EventStore from "../src/EventStore.ts"
import * as PgEventStore from "../src/PgEventStore.ts"
import * as Inline from "../src/Projections/Inline.ts"
import * as SuiteRows from "../src/Projections/SuiteRows.ts"
import * as Rebuild from "../src/Rebuild.ts"
import * as Muster from "./support/Muster.ts"
import * as SuiteLife from "./support/SuiteLife.ts"
import * as SuiteTables from "./support/SuiteTables.ts"

/** Appends what happens in a suite's life as its entity does, in commits of several commands. */
const live = Effect.fnUntraced(function* (id: SuiteId, seed: number, commits: number) {
  const store = yield* EventStore.EventStore
  const life = SuiteLife.make(id, seed)
  let state = decider.initial()
  let version = 0
  let sequentials = 0
  for (let commit = 0; commit < commits; commit++) {
    const events = life.next(1 + (commit % 5))
    if (events.length === 0) continue
    const rows = SuiteRows.rows()
    for (const [index, event] of events.entries()) {
      rows.add(state, { event, version: version + index + 1 })
      state = decider.evolve(state, event)
    }
    const { sequential, writes } = rows.writes(state)
    if (sequential) sequentials += 1
    yield* store.append({
      stream: stream(id),
      expectedVersion: version,
      events: events.map(({ _tag: type, ...data }) => ({
        type,
        data,
        metadata: { actor: "test", schemaVersion: 1 }
      })),
      writes,
      sequential
    })
    version += events.length
  }
  return { version, sequentials, state }
})

layer(PgEventStore.layer.pipe(Layer.provideMerge(Muster.layer)), { excludeTestServices: true })(
  "the read model of suites",
  (it) => {
    it.effect("is what the suites know, and what a rebuild makes of the events", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient
        const totals = { events: 0, sequentials: 0 }
        const lives = [
          ...[1, 2, 3, 4, 5, 6].map((seed) => ({ seed, commits: 60 })),
          // In the midst of things.
          ...[10, 11, 12].map((seed) => ({ seed, commits: 8 }))
        ]
        for (const { commits, seed } of lives) {
          const id = SuiteId.make(String(seed).padStart(16, "0"))
          const { sequentials, state, version } = yield* live(id, seed, commits)
          totals.events += version
          totals.sequentials += sequentials
          const { tasks: rows } = yield* SuiteTables.rowsOf(id)
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
        for (const { compared, table } of checked.tables) assert.isAbove(compared, 2, table)

        // And the comparison sees a row that is wrong.
        yield* sql`update tasks set exit_code = 77 where ctid = (select min(ctid) from tasks)`
        const wrong = yield* Rebuild.check(Inline.suites)
        assert.deepStrictEqual(
          wrong.tables.map(({ differing }) => differing),
          [0, 0, 0, 1, 0, 0]
        )
        yield* Rebuild.rebuild(Inline.suites)
        const again = yield* Rebuild.check(Inline.suites)
        assert.deepStrictEqual(again, checked)
      })
    )
  }
)
