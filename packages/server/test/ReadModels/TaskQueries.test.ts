import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { taskId } from "@muster/domain/Suite/Id"
import type { SuiteId } from "@muster/domain/Suite/Id"
import { fromIndexes } from "@muster/domain/Suite/RangeList"
import { TaskState } from "@muster/domain/Task/Attempt"
import * as Param from "../../src/Param.ts"
import * as TaskQueries from "../../src/ReadModels/TaskQueries.ts"
import { newSuiteId } from "../Http/TestIds.ts"
import * as Muster from "../support/Muster.ts"
import { pages } from "./Pages.ts"

interface Row {
  readonly state: TaskState
  readonly labels: ReadonlyArray<string>
  /** Stands in ranges; without it, it has a row. */
  readonly plain?: boolean
}

const managers = ["m000000000000001", "m000000000000002"]

/** A plain task that is leased alternates between two managers with its index: ranges of leases are short. */
const holderOf = (index: number) => managers[Math.floor(index / 2) % 2] ?? ""

/** A suite with these tasks, and counters that fit. Each submission is of three tasks, a second later than the one before. */
const insert = Effect.fnUntraced(function* (rows: ReadonlyArray<Row>) {
  const sql = yield* SqlClient
  const suiteId = newSuiteId()
  const count = (state: TaskState) => rows.filter((row) => row.state === state).length
  const plainIn = (states: ReadonlyArray<TaskState>, manager?: string) =>
    Param.multirange(
      fromIndexes(
        rows.flatMap((row, index) =>
          row.plain === true && states.includes(row.state) && (manager === undefined || holderOf(index) === manager)
            ? [index]
            : []
        )
      )
    )
  yield* sql`insert into suites ${sql.insert({
    id: suiteId,
    spec: "{}",
    state: "open",
    created_at: new Date(),
    version: 1,
    total: rows.length,
    ...Object.fromEntries(TaskState.literals.map((state) => [state, count(state)]))
  })}`
  yield* sql`update suites set plain = ${plainIn(["queued", "assigned"])}::text::int4multirange where id = ${suiteId}`
  for (const manager of managers) {
    yield* sql`insert into leases values
      (${suiteId}, ${manager}, 1, ${plainIn(["assigned"], manager)}::text::int4multirange)`
  }
  yield* sql`insert into submissions
    select ${suiteId}, i, i + 2, 1, ${submittedAt(0)}::timestamptz + make_interval(secs => i / 3)
    from generate_series(0, ${Param.int(rows.length - 1)}, 3) as i`
  yield* sql.unsafe(
    `insert into tasks (suite_id, index, state, labels)
     select $1, ordinality - 1, state, array(select jsonb_array_elements_text(labels))
     from unnest($2::smallint[], $3::jsonb[], $4::boolean[]) with ordinality as r(state, labels, plain, ordinality)
     where not plain`,
    [
      suiteId,
      Param.smallints(rows.map(({ state }) => TaskState.literals.indexOf(state))),
      Param.jsons(rows.map(({ labels }) => labels)),
      Param.booleans(rows.map(({ plain = false }) => plain))
    ]
  )
  return suiteId
})

const submittedAt = (index: number) => new Date(Date.UTC(2026, 0, 31) + Math.floor(index / 3) * 1_000)

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

const mayBePlain = ({ labels, state }: Row) => labels.length === 0 && (state === "queued" || state === "assigned")

/** Rows and ranges in turns of random length, longer and shorter than pages. */
const mixedRows = (seed: number, count: number): ReadonlyArray<Row> => {
  const next = random(seed)
  const kinds: ReadonlyArray<Row> = [
    { state: "queued", labels: [], plain: true },
    { state: "assigned", labels: [], plain: true },
    { state: "queued", labels: [], plain: true },
    { state: "queued", labels: ["a"] },
    { state: "assigned", labels: [] },
    { state: "succeeded", labels: [] },
    { state: "failed", labels: ["a"] }
  ]
  const rows: Array<Row> = []
  while (rows.length < count) {
    const kind = kinds[next(kinds.length)]
    const length = 1 + next(next(3) === 0 ? 12 : 2)
    if (kind !== undefined) rows.push(...Array.from({ length }, () => kind))
  }
  return rows.slice(0, count)
}

const list = (suiteId: SuiteId, filter: Omit<TaskQueries.TaskFilter, "suiteId">) =>
  Effect.flatMap(TaskQueries.TaskQueries, (tasks) => pages((cursor) => tasks.list({ ...filter, suiteId, cursor })))

const noAttempt = {
  startedAt: null,
  finishedAt: null,
  duration: null,
  exitCode: null,
  signal: null,
  outcome: null,
  peakMemory: null,
  message: null,
  stdout: "",
  stderr: ""
}

layer(TaskQueries.layer.pipe(Layer.provideMerge(Muster.layer)), { timeout: "30 seconds" })("task queries", (it) => {
  it.effect("give every task that fits once and in order, whatever the filter and the size of pages", () =>
    Effect.gen(function* () {
      for (const [seed, count] of [
        [1, 0],
        [2, 1],
        [3, 10],
        [4, 137]
      ] as const) {
        const rows = someRows(seed, count).map((row, index) => ({ ...row, plain: mayBePlain(row) && index % 3 > 0 }))
        const suiteId = yield* insert(rows)
        for (const states of [
          [],
          ["failed", "failed"],
          ["queued", "running"],
          ["cancelled"],
          TaskState.literals
        ] as const) {
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
      yield* sql`insert into tasks (suite_id, index, state)
        select ${suiteId}, i, 3 from generate_series(3, ${last - 1}) i`
      yield* sql`insert into tasks (suite_id, index, state, labels)
        values (${suiteId}, ${last}, 4, ${Param.texts(["rare"])})`
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

  it.effect("merge rows and ranges, wherever a page ends", () =>
    Effect.gen(function* () {
      const tasks = yield* TaskQueries.TaskQueries
      for (const seed of [11, 12, 13]) {
        const rows = mixedRows(seed, 150)
        const suiteId = yield* insert(rows)
        const all = rows.map((row, index) => {
          const isHeld = row.plain === true && row.state === "assigned"
          return {
            id: taskId(suiteId, index),
            index,
            state: row.state,
            labels: row.labels,
            submittedAt: submittedAt(index).toISOString(),
            manager: isHeld ? holderOf(index) : null,
            attempts: isHeld ? 1 : 0
          }
        })
        for (const states of [
          undefined,
          ["queued"],
          ["assigned"],
          ["assigned", "failed"],
          ["queued", "succeeded"]
        ] as const) {
          const expected = all.filter(({ state }) => states === undefined || states.some((wanted) => wanted === state))
          for (const limit of [1, 2, 3, 5, 8, 149, 150, 151]) {
            const found = (yield* list(suiteId, { limit, states })).flat()
            assert.deepStrictEqual(
              found.map(({ attempts, id, index, labels, manager, state, submittedAt: at }) => ({
                id,
                index,
                state,
                labels,
                submittedAt: at,
                manager,
                attempts
              })),
              expected,
              JSON.stringify({ seed, states, limit })
            )
          }
        }
        for (const { attempts, id, manager, state, submittedAt: at } of all) {
          assert.deepInclude<object>(yield* tasks.detail(id), {
            state,
            manager,
            submittedAt: at,
            attempts: attempts === 0 ? [] : [{ ...noAttempt, number: 1, manager, epoch: 1 }]
          })
          const place = yield* tasks.logPlace(id, "stdout", undefined)
          assert.strictEqual(place?.manager, manager ?? undefined)
          assert.isUndefined(yield* tasks.logPlace(id, "stderr", 2))
        }
      }
    })
  )

  it.effect("find a few among a million plain tasks, and the last of them, without looking at all", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const tasks = yield* TaskQueries.TaskQueries
      const suiteId = yield* insert([])
      const million = 1_000_000
      yield* sql`update suites set total = ${million}, queued = ${million - 2}, assigned = 2,
        plain = ${Param.multirange([[0, million - 1]])}::text::int4multirange where id = ${suiteId}`
      yield* sql`update leases set tasks = ${Param.multirange([
        [5, 5],
        [million - 1, million - 1]
      ])}::text::int4multirange
        where suite_id = ${suiteId} and manager = ${managers[0]}`
      yield* sql`insert into submissions values (${suiteId}, 0, ${million - 1}, 2, now())`
      const assigned = yield* tasks.list({ suiteId, states: ["assigned"] })
      assert.deepStrictEqual(
        assigned.items.map(({ index }) => index),
        [5, million - 1]
      )
      const queued = yield* tasks.list({ suiteId, states: ["queued"], limit: 8 })
      assert.deepStrictEqual(
        queued.items.map(({ index }) => index),
        [0, 1, 2, 3, 4, 6, 7, 8]
      )
      const at = (index: number) => Buffer.from(JSON.stringify(["tasks", index])).toString("base64url")
      const end = yield* tasks.list({ suiteId, cursor: at(million - 3) })
      assert.deepStrictEqual(
        end.items.map(({ index, state }) => [index, state]),
        [
          [million - 2, "queued"],
          [million - 1, "assigned"]
        ]
      )
      assert.isNull(end.nextCursor)
      for (const cursor of [at(million), at(2 ** 31 - 2)]) {
        assert.deepStrictEqual(yield* tasks.list({ suiteId, cursor }), { items: [], nextCursor: null })
      }
    })
  )

  it.effect("look up tasks along an index, whatever is asked for", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const suiteId = yield* insert(mixedRows(14, 20))
      const asked: Array<readonly [text: string, params: ReadonlyArray<unknown>]> = []
      const spy = new Proxy(sql, {
        get: (target, name) =>
          name === "unsafe"
            ? (text: string, params: ReadonlyArray<unknown>) => {
                asked.push([text, params])
                return target.unsafe(text, params)
              }
            : Reflect.get(target, name)
      })
      const tasks = yield* TaskQueries.make.pipe(Effect.provideService(SqlClient, spy))
      for (const states of [undefined, ["failed"], ["queued", "running"], ["succeeded"]] as const) {
        for (const labels of [[], ["a"]]) yield* tasks.list({ suiteId, states, labels })
      }
      yield* tasks.detail(taskId(suiteId, 3))
      yield* tasks.logPlace(taskId(suiteId, 3), "stdout", undefined)
      for (const [text, params] of asked) {
        const plan = yield* sql.unsafe<{ "QUERY PLAN": string }>(`explain (costs off) ${text}`, params)
        const steps = plan.map((row) => row["QUERY PLAN"].trim())
        const scans = steps.flatMap((step, k) => (/Scan.* on (tasks|submissions|leases)/.test(step) ? [k] : []))
        assert.isAbove(scans.length, 1)
        for (const k of scans) assert.match(`${steps[k]} ${steps[k + 1]}`, /Index Cond|Recheck Cond/)
        const onTasks = scans.filter((k) => / on tasks/.test(steps[k] ?? ""))
        for (const k of onTasks) assert.match(steps[k + 1] ?? "", /Index Cond: .*suite_id.*index/)
      }
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
