import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { taskId } from "@muster/domain/Suite/Id"
import type { SuiteId } from "@muster/domain/Suite/Id"
import { TaskState } from "@muster/domain/Task/Attempt"
import * as Param from "../../src/Param.ts"
import * as TaskQueries from "../../src/ReadModels/TaskQueries.ts"
import { newSuiteId } from "../Http/TestIds.ts"
import * as Muster from "../support/Muster.ts"
import { pages } from "./Pages.ts"

interface Row {
  readonly state: TaskState
  readonly labels: ReadonlyArray<string>
}

/** A suite with these tasks, and counters that fit. */
const insert = Effect.fnUntraced(function* (rows: ReadonlyArray<Row>) {
  const sql = yield* SqlClient
  const suiteId = newSuiteId()
  const count = (state: TaskState) => rows.filter((row) => row.state === state).length
  yield* sql`insert into suites ${sql.insert({
    id: suiteId,
    spec: "{}",
    state: "open",
    created_at: new Date(),
    version: 1,
    total: rows.length,
    ...Object.fromEntries(TaskState.literals.map((state) => [state, count(state)]))
  })}`
  yield* sql.unsafe(
    `insert into tasks (suite_id, index, state, labels, spec_version, submitted_at)
     select $1, ordinality - 1, state, array(select jsonb_array_elements_text(labels)), 1, now()
     from unnest($2::smallint[], $3::jsonb[]) with ordinality as r(state, labels, ordinality)`,
    [
      suiteId,
      Param.smallints(rows.map(({ state }) => TaskState.literals.indexOf(state))),
      Param.jsons(rows.map(({ labels }) => labels))
    ]
  )
  return suiteId
})

/** Numbers that look random and are the same in every run. */
const random = (seed: number) => {
  let state = seed
  return (below: number) => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    return Math.floor((state / 2 ** 31) * below)
  }
}

const someRows = (seed: number, count: number): ReadonlyArray<Row> => {
  const next = random(seed)
  return Array.from({ length: count }, () => ({
    state: TaskState.literals[next(next(3) === 0 ? 6 : 2)] ?? "queued",
    labels: ["a", "b", "c"].filter(() => next(3) === 0)
  }))
}

const list = (suiteId: SuiteId, filter: Omit<TaskQueries.TaskFilter, "suiteId">) =>
  Effect.flatMap(TaskQueries.TaskQueries, (tasks) => pages((cursor) => tasks.list({ ...filter, suiteId, cursor })))

layer(TaskQueries.layer.pipe(Layer.provideMerge(Muster.layer)), { timeout: "30 seconds" })("task queries", (it) => {
  it.effect("give every task that fits once and in order, whatever the filter and the size of pages", () =>
    Effect.gen(function* () {
      for (const [seed, count] of [
        [1, 0],
        [2, 1],
        [3, 10],
        [4, 137]
      ] as const) {
        const rows = someRows(seed, count)
        const suiteId = yield* insert(rows)
        for (const states of [[], ["failed"], ["queued", "running"], ["cancelled"], TaskState.literals] as const) {
          for (const labels of [[], ["a"], ["a", "b"], ["none"]]) {
            const expected = rows.flatMap((row, index) =>
              (states.length === 0 || states.some((state) => state === row.state)) &&
              labels.every((label) => row.labels.includes(label))
                ? [taskId(suiteId, index)]
                : []
            )
            for (const limit of [1, 7, 50, 1_000]) {
              const found = yield* list(suiteId, { limit, states, labels })
              assert.deepStrictEqual(
                found.flat().map(({ id }) => id),
                expected,
                JSON.stringify({ seed, states, labels, limit })
              )
              assert.isTrue(found.every((page) => page.length <= limit))
              // No page more than needed, and none that is empty for nothing.
              assert.strictEqual(found.length, Math.max(1, Math.ceil(expected.length / limit)))
            }
          }
        }
      }
    })
  )

  it.effect("end a page after a bounded number of tasks, however few fit, and go on behind it", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const rows = someRows(5, 3)
      const suiteId = yield* insert(rows)
      const last = 3 * TaskQueries.scanLimit
      yield* sql`insert into tasks (suite_id, index, state, labels, spec_version, submitted_at)
        select ${suiteId}, i, 3, '{}', 1, now() from generate_series(3, ${last - 1}) i`
      yield* sql`insert into tasks (suite_id, index, state, labels, spec_version, submitted_at)
        values (${suiteId}, ${last}, 4, ${Param.texts(["rare"])}, 1, now())`
      yield* sql`update suites set total = ${last + 1}, failed = failed + 1 where id = ${suiteId}`
      const found = yield* list(suiteId, { labels: ["rare"] })
      assert.deepStrictEqual(
        found.map((page) => page.map(({ index }) => index)),
        [[], [], [], [last]]
      )
      const tasks = yield* TaskQueries.TaskQueries
      const cancelled = yield* tasks.list({ suiteId, states: ["cancelled"] })
      assert.deepStrictEqual(cancelled, { items: [], nextCursor: null }, "the counters say that there are none")
    })
  )

  it.effect("tell an unknown suite from an empty one, and unknown tasks", () =>
    Effect.gen(function* () {
      const tasks = yield* TaskQueries.TaskQueries
      const suiteId = yield* insert([])
      assert.deepStrictEqual(yield* tasks.list({ suiteId }), { items: [], nextCursor: null })
      assert.strictEqual((yield* Effect.flip(tasks.list({ suiteId: newSuiteId() })))._tag, "SuiteNotFound")
      for (const index of [0, 2 ** 31 - 1, 9_999_999_999]) {
        const unknown = yield* Effect.flip(tasks.detail(taskId(suiteId, index)))
        assert.strictEqual(unknown._tag, "TaskNotFound")
      }
    })
  )

  it.effect("refuse cursors that are none, with the field that is wrong", () =>
    Effect.gen(function* () {
      const tasks = yield* TaskQueries.TaskQueries
      const suiteId = yield* insert(someRows(6, 3))
      const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url")
      for (const cursor of [
        "",
        "x",
        "🙂",
        encode(1),
        encode(["suites", 1]),
        encode(["tasks", -1]),
        encode(["tasks", 1.5])
      ]) {
        const refused = yield* Effect.flip(tasks.list({ suiteId, cursor }))
        assert.deepInclude(refused, { _tag: "InvalidInput", field: "cursor" }, cursor)
      }
      const fine = yield* tasks.list({ suiteId, cursor: encode(["tasks", 1]) })
      assert.deepStrictEqual(
        fine.items.map(({ index }) => index),
        [2]
      )
    })
  )
})
