import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { SuiteId } from "@muster/domain/Suite/Id"
import type { SuiteState } from "@muster/domain/Suite/Spec"
import * as Param from "../../src/Param.ts"
import * as SuiteQueries from "../../src/ReadModels/SuiteQueries.ts"
import { newManagerId, newSuiteId } from "../Http/TestIds.ts"
import * as Muster from "../support/Muster.ts"
import { pages } from "./Pages.ts"

interface Row {
  readonly id: SuiteId
  /** Microseconds. */
  readonly createdAt: number
  readonly state: SuiteState
  readonly labels: ReadonlyArray<string>
  readonly name: string | null
}

const insert = Effect.fnUntraced(function* (row: Row) {
  const sql = yield* SqlClient
  yield* sql.unsafe(
    `insert into suites (id, name, labels, tags, spec, state, created_at, version)
     values ($1, $2, $3, $3, '{"priority": 1}', $4, 'epoch'::timestamptz + $5::bigint * interval '1 microsecond', 1)`,
    [row.id, Param.text(row.name), Param.texts(row.labels), row.state, Param.bigint(row.createdAt)]
  )
})

const states = ["open", "closed", "complete", "cancelled"] as const

/** Suites of which many were made at the same time or only microseconds apart. */
const rows: ReadonlyArray<Row> = Array.from({ length: 40 }, (_, k) => ({
  id: newSuiteId(),
  createdAt: 1_700_000_000_000_000 + Math.floor(k / 4) + (k % 8 === 0 ? 1_000_000 : 0),
  state: states[k % 4] ?? "open",
  labels: k % 3 === 0 ? ["third", "x"] : ["x"],
  name: k % 5 === 0 ? null : `Suite_${k}%`
}))

const byAge = rows.toSorted((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1))

layer(SuiteQueries.layer.pipe(Layer.provideMerge(Muster.layer)))("suite queries", (it) => {
  it.effect("give every suite that fits once, newest first, whatever the filter and the size of pages", () =>
    Effect.gen(function* () {
      const suites = yield* SuiteQueries.SuiteQueries
      yield* Effect.forEach(rows, insert)
      const filters: ReadonlyArray<readonly [SuiteQueries.SuiteFilter, (row: Row) => boolean]> = [
        [{}, () => true],
        [{ states: ["closed"] }, ({ state }) => state === "closed"],
        [{ states: ["closed", "open"] }, ({ state }) => state === "closed" || state === "open"],
        [{ labels: ["x", "third"] }, ({ labels }) => labels.includes("third")],
        [{ tags: ["none"] }, () => false],
        [{ name: "SUITE_1" }, ({ name }) => name?.startsWith("Suite_1") === true],
        [{ name: "%" }, ({ name }) => name !== null],
        [
          { name: "e_2", states: ["complete"], labels: ["x"], tags: ["third"] },
          ({ labels, name, state }) =>
            name?.includes("e_2") === true && state === "complete" && labels.includes("third")
        ]
      ]
      for (const [filter, fits] of filters) {
        for (const limit of [1, 3, 40, 100]) {
          const found = yield* pages((cursor) => suites.list({ ...filter, limit, cursor }))
          const expected = byAge.filter(fits)
          assert.deepStrictEqual(
            found.flat().map(({ id }) => id),
            expected.map(({ id }) => id),
            JSON.stringify({ filter, limit })
          )
          assert.strictEqual(found.length, Math.max(1, Math.ceil(expected.length / limit)))
        }
      }
    })
  )

  it.effect("know the managers that run a suite", () =>
    Effect.gen(function* () {
      const suites = yield* SuiteQueries.SuiteQueries
      const sql = yield* SqlClient
      const row: Row = { id: newSuiteId(), createdAt: 0, state: "open", labels: [], name: "run" }
      yield* insert(row)
      const ids = [newManagerId(), newManagerId()].toSorted()
      for (const id of [...ids, newManagerId()]) {
        yield* sql`insert into managers ${sql.insert({
          id,
          name: "m",
          workers: 1,
          version: "1",
          host: "{}",
          state: "executing",
          epoch: 1,
          connected: true,
          updated_at: new Date(),
          stream_version: 1,
          suite_id: ids.includes(id) ? row.id : newSuiteId()
        })}`
      }
      const detail = yield* suites.detail(row.id)
      assert.deepStrictEqual(detail.managers, ids)
      assert.deepStrictEqual(detail.spec, { priority: 1 })
      assert.deepStrictEqual(detail.createdAt, "1970-01-01T00:00:00.000Z")
      const unknown = newSuiteId()
      assert.deepInclude(yield* Effect.flip(suites.get(unknown)), { _tag: "SuiteNotFound", suiteId: unknown })
    })
  )
})
