/**
 * The rows of suites and tasks are what the events say, however commands fall into commits, and whatever the results hold.
 * Commands go through the real loop into the real store; what should be there is worked out from the events alone.
 */
import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { replay } from "@muster/domain/Decider"
import { Epoch, ManagerId } from "@muster/domain/Manager/Id"
import type { SuiteCommand } from "@muster/domain/Suite/Commands"
import { decider } from "@muster/domain/Suite/Decider"
import { schemaVersion } from "@muster/domain/Suite/Events"
import type { SuiteEvent } from "@muster/domain/Suite/Events"
import { stream, SuiteId, taskId } from "@muster/domain/Suite/Id"
import * as State from "@muster/domain/Suite/State"
import * as Plain from "@muster/domain/Suite/Plain"
import { fromIndexes, ofRanges } from "@muster/domain/Suite/RangeList"
import { Phase } from "@muster/domain/Suite/TaskTable"
import { instant } from "@muster/domain/Suite/View"
import { Outcome, TaskState } from "@muster/domain/Task/Attempt"
import type { AttemptResult } from "@muster/domain/Task/Attempt"
import type { TaskSpec } from "@muster/domain/Task/Spec"
import * as Text from "@muster/domain/Text"
import * as Aggregate from "../../src/Aggregate.ts"
import * as LogEvent from "../../src/LogEvent.ts"
import { toMicroseconds } from "@muster/domain/Task/Packed"
import * as EventStore from "../../src/EventStore.ts"
import * as PgEventStore from "../../src/PgEventStore.ts"
import * as Settlements from "../../src/ReadModels/Settlements.ts"
import * as TaskQueries from "../../src/ReadModels/TaskQueries.ts"
import * as Inline from "../../src/Projections/Inline.ts"
import * as SuiteRows from "../../src/Projections/SuiteRows.ts"
import * as Rebuild from "../../src/Rebuild.ts"
import { pages } from "../ReadModels/Pages.ts"
import * as Muster from "../support/Muster.ts"
import * as SuiteLife from "../support/SuiteLife.ts"
import * as SuiteReference from "../support/SuiteReference.ts"
import * as SuiteTables from "../support/SuiteTables.ts"

const suite = (number: number) => SuiteId.make(String(number).padStart(16, "0"))
const manager = ManagerId.make("m000000000000001")
const epoch = Epoch.make(1)
const at = 1_760_000_000_000

/** A suite as its entity keeps it, and how its commits were written. */
const open = Effect.fnUntraced(function* (id: SuiteId) {
  const written = { atOnce: 0, inSequence: 0 }
  const aggregate = yield* Aggregate.make({
    stream: stream(id),
    decider,
    schemaVersion,
    decode: LogEvent.decode<SuiteEvent>,
    rows: () => {
      const rows = SuiteRows.rows()
      return {
        add: (before, event) => rows.add(before, event),
        writes: (after) => {
          const writes = rows.writes(after)
          written[writes.sequential ? "inSequence" : "atOnce"]++
          return writes
        }
      }
    }
  })
  /** Commands that are asked at the same time, so that they fall into one commit. Refusals are part of life. */
  const together = (commands: ReadonlyArray<SuiteCommand>) =>
    Effect.forEach(
      commands,
      (command) => Effect.exit(aggregate.ask({ command: () => command, actor: "test", answer: () => undefined })),
      { concurrency: "unbounded", discard: true }
    )
  const events = Effect.gen(function* () {
    const store = yield* EventStore.EventStore
    return (yield* store.readStream(stream(id))).map(LogEvent.decode<SuiteEvent>)
  })
  return { together, events, written }
})

/** The rows are as the events say, and only those are there that have to be; answers them, with a row for each task. */
const assertRows = Effect.fnUntraced(function* (id: SuiteId, opened: Effect.Success<ReturnType<typeof open>>) {
  const rows = yield* SuiteTables.rowsOf(id)
  const events = yield* opened.events
  assert.deepStrictEqual(rows, SuiteReference.rowsOf(events))
  const state = replay(decider, events)
  if (state._tag === "Missing") return rows
  const { apart, leases, plain } = yield* SuiteTables.ledgerOf(id)
  assert.deepStrictEqual(plain, state.plain.ranges())
  assert.deepStrictEqual(
    apart,
    rows.tasks.map(({ index }) => index).filter((index) => !state.plain.has(index))
  )
  const held = leases.flatMap(({ tasks }) => tasks)
  assert.deepStrictEqual(
    ofRanges(held).ranges(),
    fromIndexes(
      rows.tasks.flatMap((row) => (row.state === Phase.assigned && state.plain.has(row.index) ? [row.index] : []))
    )
  )
  return rows
})

const instantOf = (time: number | null) => (time === null ? null : instant(time))

/** A task as lists show it, by the reference. */
const viewOf = (id: SuiteId, row: SuiteReference.TaskRow) => ({
  id: taskId(id, row.index),
  index: row.index,
  state: TaskState.literals[row.state],
  attempts: row.attempt,
  outcome: row.outcome === null ? null : Outcome.literals[row.outcome],
  exitCode: row.exit_code,
  signal: row.signal,
  submittedAt: instantOf(row.submitted_at),
  startedAt: instantOf(row.started_at),
  finishedAt: instantOf(row.finished_at),
  duration: row.duration === null ? null : toMicroseconds(row.duration),
  manager: row.manager,
  priority: row.priority,
  labels: row.labels,
  retryAt: instantOf(row.retry_at),
  cancelRequested: row.cancel_requested,
  message: row.message
})

/** Queries show each task as the reference has it: in lists of any state, on pages of any size, and by itself. */
const assertQueries = Effect.fnUntraced(function* (id: SuiteId, rows: SuiteReference.Rows) {
  const queries = yield* TaskQueries.TaskQueries
  const settlements = yield* Settlements.Settlements
  const expected = rows.tasks.map((row) => viewOf(id, row))
  for (const states of [undefined, ["queued"], ["assigned"], ["queued", "failed"], TaskState.literals] as const) {
    for (const limit of [1, 3, 1_000]) {
      const found = yield* pages((cursor) => queries.list({ suiteId: id, states, limit, cursor }))
      assert.deepStrictEqual<ReadonlyArray<unknown>>(
        found.flat(),
        expected.filter(({ state }) => states === undefined || states.some((wanted) => wanted === state))
      )
    }
  }
  const attempts = yield* settlements.attempts(id, [0, rows.tasks.length])
  for (const [index, row] of rows.tasks.entries()) {
    const detail = yield* queries.detail(taskId(id, index))
    const had = new Set(rows.attempts.flatMap((one) => (one.index === index ? [one.number] : [])))
    if (row.attempt > 0 && (row.manager !== null || row.outcome !== null)) had.add(row.attempt)
    const { attempts: _number, ...view } = expected[index] ?? { attempts: 0 }
    assert.deepInclude<object>(detail, view)
    assert.deepStrictEqual(
      detail.attempts.map(({ number }) => number),
      [...had].filter((number) => number <= row.attempt).toSorted((a, b) => a - b)
    )
    assert.deepInclude<object>(detail.spec, { program: "true" })
    assert.strictEqual(attempts.get(index) ?? 0, row.attempt)
    const place = yield* queries.logPlace(taskId(id, index), "stdout", undefined)
    if (row.attempt > 0 && row.manager !== null) {
      assert.deepInclude<object>(place ?? {}, {
        attempt: row.attempt,
        manager: row.manager,
        ended: row.outcome !== null
      })
    }
  }
})

const create = (id: SuiteId): SuiteCommand => ({ _tag: "CreateSuite", id, spec: {}, now: at })
const submit = (tasks: ReadonlyArray<TaskSpec>): SuiteCommand => ({ _tag: "SubmitTasks", tasks, now: at + 1 })
const lease = (max: number): Extract<SuiteCommand, { readonly _tag: "LeaseTasks" }> => ({
  _tag: "LeaseTasks",
  manager,
  epoch,
  max,
  now: at + 2
})
const report = (
  ended: ReadonlyArray<AttemptResult>,
  started: ReadonlyArray<readonly [number, number, number]> = []
): Extract<SuiteCommand, { readonly _tag: "ReportTasks" }> => ({
  _tag: "ReportTasks",
  manager,
  epoch,
  started,
  ended,
  returned: [],
  random: 0.5,
  now: at + 3
})
const succeeded = (index: number, more: Partial<AttemptResult> = {}): AttemptResult => ({
  index,
  attempt: 1,
  outcome: "succeeded",
  startedAt: at,
  finishedAt: at + 3,
  ...more
})

/** Commits of a stream by number of events, from the log itself. */
const commits = Effect.fnUntraced(function* (id: SuiteId) {
  const sql = yield* SqlClient
  const rows = yield* sql<{ types: ReadonlyArray<string> }>`
    select array_agg(type order by version) as types from events where stream = ${stream(id)}
    group by transaction_id order by min(version)`
  return rows.map(({ types }) => types)
})

/** Has the manager lose a lease to another one, and hand its result in after all. */
const lateFor = Effect.fnUntraced(function* (opened: Effect.Success<ReturnType<typeof open>>, result: AttemptResult) {
  yield* opened.together([{ _tag: "ReclaimLeases", manager, epoch, now: at + 5 }])
  yield* opened.together([{ ...lease(10), manager: ManagerId.make("z000000000000001"), now: at + 6 }])
  yield* opened.together([report([result])])
})

const suites = [1, 2, 3, 4, 5, 6, 7, 8, 9].map(suite)

/** Commits in the life of a suite: some are in the midst of things when they are looked at. */
const commitsOf = (seed: number) => (seed < 5 ? 40 : 8)

const services = Layer.mergeAll(PgEventStore.layer, TaskQueries.layer, Settlements.layer)

layer(services.pipe(Layer.provideMerge(Muster.layer)), { excludeTestServices: true })("SuiteRows", (it) => {
  it.effect("are what the events say, whatever happens and however it falls into commits", () =>
    Effect.gen(function* () {
      const written = { atOnce: 0, inSequence: 0 }
      for (const [seed, id] of suites.entries()) {
        const life = SuiteLife.make(id, 100 + seed)
        const opened = yield* open(id)
        for (let commit = 0; commit < commitsOf(seed); commit++)
          yield* opened.together(life.commands(1 + ((commit + seed) % 5)))
        const rows = yield* assertRows(id, opened)
        yield* assertQueries(id, rows)
        assert.isAbove(rows.tasks.length, 3)
        written.atOnce += opened.written.atOnce
        written.inSequence += opened.written.inSequence
      }
      assert.isAbove(written.atOnce, 50)
      assert.isAbove(written.inSequence, 10)
    })
  )

  it.effect("are what a rebuild makes of the events; damaged ones are found, and mended", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      // The lives above have few late results.
      const id = suite(99)
      const opened = yield* open(id)
      yield* opened.together([create(id), submit(Array.from({ length: 3 }, () => ({ program: "true" }))), lease(3)])
      yield* lateFor(opened, succeeded(0))
      yield* opened.together([report([succeeded(1), succeeded(2)])])
      const checked = yield* Rebuild.check(Inline.suites)
      assert.deepStrictEqual(
        checked.tables.map(({ differences, table }) => ({ table, differences })),
        Inline.suites.tables.map((table) => ({ table, differences: [] }))
      )
      for (const { compared, table } of checked.tables) assert.isAbove(compared, 2, table)
      const damages = [
        `update suites set queued = queued + 1 where id = '${suite(1)}'`,
        `update suites set plain = plain + '{[1000,1001)}' where id = '${suite(2)}'`,
        `delete from submissions where suite_id = '${suite(1)}' and first_index = 0`,
        `update leases set tasks = tasks + '{[1000,1001)}' where ctid = (select max(ctid) from leases)`,
        `update tasks set epoch = 9 where ctid = (select max(ctid) from tasks)`,
        `delete from tasks where ctid = (select min(ctid) from tasks)`,
        `update attempts set message = 'x' where ctid = (select max(ctid) from attempts)`,
        `delete from late_results where ctid = (select max(ctid) from late_results)`
      ]
      for (const damage of damages) yield* sql.unsafe(damage)
      const { tables } = yield* Rebuild.check(Inline.suites)
      assert.deepStrictEqual(
        tables.map(({ differing, table }) => [table, differing]),
        [
          ["suites", 2],
          ["submissions", 1],
          ["leases", 1],
          ["tasks", 2],
          ["attempts", 1],
          ["late_results", 1]
        ]
      )
      yield* Rebuild.rebuild(Inline.suites)
      assert.deepStrictEqual(yield* Rebuild.check(Inline.suites), checked)
    })
  )

  it.effect("follow a task through one commit: submitted, leased, started, ended, run again", () =>
    Effect.gen(function* () {
      const id = suite(20)
      const opened = yield* open(id)
      const task = { program: "true", retry: { limit: 3, backoff: 0 } }
      yield* opened.together([
        create(id),
        submit([task, task]),
        lease(2),
        report([], [[1, 1, at + 2]]),
        report([
          succeeded(0, { exitCode: 0, stdout: "one" }),
          succeeded(1, { outcome: "failed", exitCode: 1, stdout: "two" })
        ]),
        { ...lease(1), now: at + 10 },
        report([succeeded(1, { attempt: 2, stdout: "three" })])
      ])
      const [types, ...others] = yield* commits(id)
      assert.deepStrictEqual(others, [])
      assert.deepStrictEqual(types, [
        "SuiteCreated",
        "TasksSubmitted",
        "TasksLeased",
        "TasksStarted",
        "AttemptsEnded",
        "TasksLeased",
        "AttemptsEnded",
        "SuiteCompleted"
      ])
      const rows = yield* assertRows(id, opened)
      assert.deepStrictEqual(
        rows.tasks.map((row) => [row.state, row.attempt, row.stdout]),
        [
          [3, 1, "one"],
          [3, 2, "three"]
        ]
      )
      assert.deepStrictEqual(
        rows.attempts.map((row) => [row.index, row.number, row.stdout]),
        [[1, 1, "two"]]
      )
    })
  )

  it.effect("take one statement for each commit in the life of a lone task", () =>
    Effect.gen(function* () {
      const id = suite(26)
      const opened = yield* open(id)
      yield* opened.together([create(id)])
      const afterOne = { atOnce: 3, inSequence: 0 }
      yield* opened.together([submit([{ program: "true" }]), lease(1)])
      assert.deepInclude((yield* assertRows(id, opened)).tasks[0], { state: 1, attempt: 1, manager, epoch })
      assert.deepInclude(yield* SuiteTables.ledgerOf(id), { apart: [], plain: [[0, 0]] })
      yield* opened.together([report([succeeded(0, { exitCode: 0 })])])
      assert.deepStrictEqual(opened.written, afterOne)
      const { leases, plain } = yield* SuiteTables.ledgerOf(id)
      assert.deepStrictEqual({ leases, plain }, { leases: [], plain: [] })
      // The next one, which begins before it ends.
      yield* opened.together([submit([{ program: "true" }]), lease(1)])
      yield* opened.together([report([], [[1, 1, at + 2]])])
      yield* opened.together([report([succeeded(1)])])
      assert.deepStrictEqual(opened.written, { atOnce: 6, inSequence: 0 })
      const rows = yield* assertRows(id, opened)
      assert.deepStrictEqual(
        rows.tasks.map(({ state }) => state),
        [3, 3]
      )
    })
  )

  it.effect("know who has a task that changes hands within a commit", () =>
    Effect.gen(function* () {
      const id = suite(27)
      const opened = yield* open(id)
      const other = ManagerId.make("m000000000000002")
      const giveBack = (indexes: ReadonlyArray<number>) => ({
        ...report([]),
        returned: indexes.map((index) => [index, 1] as const)
      })
      const ledger = Effect.map(SuiteTables.ledgerOf(id), ({ leases }) =>
        leases.map((row) => [row.manager, row.tasks] as const)
      )
      yield* opened.together([create(id), submit(Array.from({ length: 9 }, () => ({ program: "true" }))), lease(4)])
      // To the other manager, and a part of that back again.
      yield* opened.together([
        giveBack([0, 1, 2]),
        { ...lease(3), manager: other },
        { ...giveBack([1]), manager: other },
        lease(1)
      ])
      yield* assertRows(id, opened)
      assert.deepStrictEqual(yield* ledger, [
        [
          manager,
          [
            [1, 1],
            [3, 3]
          ]
        ],
        [
          other,
          [
            [0, 0],
            [2, 2]
          ]
        ]
      ])
      // A session that is over leaves nothing behind, the next one of its manager begins anew.
      yield* opened.together([
        { _tag: "ReclaimLeases", manager, epoch, now: at + 5 },
        { ...lease(1), epoch: Epoch.make(2), now: at + 6 }
      ])
      yield* assertRows(id, opened)
      assert.deepStrictEqual(yield* ledger, [
        [manager, [[1, 1]]],
        [
          other,
          [
            [0, 0],
            [2, 2]
          ]
        ]
      ])
      assert.deepStrictEqual(opened.written, { atOnce: 3, inSequence: 0 })
      // The end of the suite and its next beginning in one commit.
      yield* opened.together([
        { _tag: "CancelTasks", indexes: [3, 4, 5, 6, 7, 8], reason: "x", now: at + 7 },
        { ...report([succeeded(1)]), epoch: Epoch.make(2) },
        { ...report([succeeded(0), succeeded(2)]), manager: other },
        submit([{ program: "true" }]),
        { ...lease(1), manager: other, now: at + 8 }
      ])
      yield* assertRows(id, opened)
      assert.include((yield* commits(id)).at(-1) ?? [], "SuiteCompleted")
      assert.deepStrictEqual(yield* ledger, [[other, [[9, 9]]]])
      assert.strictEqual(opened.written.inSequence, 0)
    })
  )

  it.effect("keep few ranges, however scattered the tasks are that are told apart", () =>
    Effect.gen(function* () {
      const id = suite(28)
      const opened = yield* open(id)
      const many = 6 * Plain.mostRanges
      const cancel = (indexes: ReadonlyArray<number>): SuiteCommand => ({
        _tag: "CancelTasks",
        indexes,
        reason: "x",
        now: at + 4
      })
      yield* opened.together([create(id), submit(Array.from({ length: many }, () => ({ program: "true" })))])
      yield* opened.together([lease(many / 3)])
      const everyOther = Array.from({ length: many / 2 }, (_, k) => 2 * k)
      yield* opened.together([cancel(everyOther.slice(0, many / 4))])
      for (const index of everyOther.slice(many / 4, many / 4 + 20)) yield* opened.together([cancel([index])])
      yield* opened.together([
        submit(Array.from({ length: many / 2 }, (_, k) => ({ program: "true", labels: k % 2 === 0 ? ["even"] : [] })))
      ])
      yield* assertRows(id, opened)
      assert.strictEqual((yield* SuiteTables.ledgerOf(id)).plain.length, Plain.mostRanges)
      yield* opened.together([report([succeeded(1), succeeded(5)], [[3, 1, at + 2]])])
      yield* assertRows(id, opened)
    })
  )

  it.effect("know when an attempt that was lost had begun, and give way to its result after all", () =>
    Effect.gen(function* () {
      const id = suite(21)
      const opened = yield* open(id)
      yield* opened.together([create(id)])
      yield* opened.together([submit([{ program: "true", retry: { limit: 3, backoff: 0 } }])])
      yield* opened.together([lease(1)])
      yield* opened.together([report([], [[0, 1, at + 2]])])
      yield* opened.together([{ _tag: "ReclaimLeases", manager, epoch, now: at + 5 }])
      const afterLoss = yield* assertRows(id, opened)
      assert.deepStrictEqual(
        afterLoss.attempts.map((row) => [row.outcome, row.started_at]),
        [[5, at + 2]]
      )
      yield* opened.together([report([succeeded(0, { outcome: "failed", exitCode: 7 })])])
      yield* opened.together([{ ...lease(1), epoch: Epoch.make(epoch + 1), now: at + 10 }])
      const rows = yield* assertRows(id, opened)
      assert.deepStrictEqual(
        rows.attempts.map((row) => [row.number, row.outcome, row.exit_code]),
        [[1, 1, 7]]
      )
      assert.deepInclude(rows.tasks[0], { attempt: 2, state: 1, outcome: null })
    })
  )

  it.effect("hold whatever programs and handlers put out", () =>
    Effect.gen(function* () {
      const id = suite(22)
      const opened = yield* open(id)
      const odd = "NUL \0, lone \ud800 and \udc00, 😀, ä, $1, ' \" \\ \\u0000 {},"
      const long = "€".repeat(1_000_000)
      yield* opened.together([create(id), submit(Array.from({ length: 6 }, () => ({ handler: "h" }))), lease(6)])
      yield* opened.together([
        report([
          succeeded(0, { stdout: odd, stderr: odd, message: odd, signal: odd, output: { [odd]: [odd, null] } }),
          succeeded(1, { stdout: Text.toCarriable(odd), output: Text.toCarriable(odd) }),
          succeeded(2, { stdout: long, stderr: long, output: long, stdoutBytes: 2 ** 40 }),
          succeeded(3, { output: null }),
          succeeded(4, { output: [], stdout: "" })
        ])
      ])
      yield* lateFor(opened, succeeded(5, { stdout: odd }))
      const { late, tasks } = yield* SuiteTables.rowsOf(id)
      const fit = Text.toCarriable(odd)
      assert.deepInclude(tasks[0], { stdout: fit, stderr: fit, message: fit, output: { [fit]: [fit, null] } })
      assert.deepInclude(tasks[1], { stdout: fit, output: fit })
      assert.deepInclude(tasks[2], { stdout: long, stderr: long, output: long, stdout_bytes: 2n ** 40n })
      assert.deepInclude(tasks[3], { state: 3, output: null })
      assert.deepInclude(tasks[4], { output: [], stdout: "" })
      assert.deepInclude(tasks[5], { state: 1 })
      assert.deepInclude(late[0], { data: { ...succeeded(5, { stdout: fit }) } })
      // The events have it as it was.
      const ended = (yield* opened.events).find((event) => event._tag === "AttemptsEnded")
      assert.strictEqual(ended?.attempts[0]?.stdout, odd)
    })
  )

  it.effect("hold numbers at the limits of what a manager may say", () =>
    Effect.gen(function* () {
      const id = suite(23)
      const opened = yield* open(id)
      const most = Number.MAX_SAFE_INTEGER
      const earliest = Date.UTC(-4713, 10, 24)
      yield* opened.together([create(id), submit(Array.from({ length: 5 }, () => ({ program: "true" }))), lease(5)])
      const numbers = (exitCode: number, finishedAt: number, duration: number) => ({
        exitCode,
        startedAt: finishedAt,
        finishedAt,
        duration
      })
      yield* opened.together([
        report(
          [
            succeeded(0, { ...numbers(2 ** 31 - 1, 8.64e15, 3e38), peakMemory: most, stdoutBytes: most }),
            succeeded(1, numbers(-(2 ** 31), earliest, 1e-45)),
            succeeded(2, numbers(most, most, Number.MAX_VALUE))
          ],
          [[3, 1, most]]
        )
      ])
      const { tasks } = yield* SuiteTables.rowsOf(id)
      const largest = (2 - 2 ** -23) * 2 ** 127
      const numbersOf = (index: number) => {
        const { duration, exit_code, finished_at, started_at } = tasks[index] ?? {}
        return { duration, exit_code, finished_at, started_at }
      }
      assert.deepStrictEqual(numbersOf(0), {
        duration: Math.fround(3e38),
        exit_code: 2 ** 31 - 1,
        finished_at: 8.64e15,
        started_at: 8.64e15
      })
      assert.deepInclude(tasks[0], { peak_memory: BigInt(most), stdout_bytes: BigInt(most) })
      assert.deepInclude(numbersOf(1), { exit_code: -(2 ** 31), duration: Math.fround(1e-45), finished_at: earliest })
      assert.deepInclude(numbersOf(2), { duration: largest, exit_code: 2 ** 31 - 1, finished_at: 8.64e15 })
      assert.deepInclude(tasks[3], { state: 2, started_at: 8.64e15 })
      yield* lateFor(opened, succeeded(4, numbers(-most, -most, -Number.MAX_VALUE)))
      const { late } = yield* SuiteTables.rowsOf(id)
      assert.deepInclude(late[0], { index: 4, attempt: 1 })
      yield* opened.together([{ ...lease(1), epoch: Epoch.make(most), now: at + 10 }])
    })
  )

  it.effect("change tasks one by one by their key, however large the suite", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const id = suite(25)
      const ranges = [[0, 1] as const]
      const ended = (next: "retry" | "failed") => ({ ...succeeded(0, { outcome: "failed" }), next })
      const events: ReadonlyArray<SuiteEvent> = [
        { _tag: "TasksLeased", manager, epoch, leases: [[0, 1, 1]], at },
        { _tag: "TasksStarted", manager, epoch, tasks: [[0, 1, at]], at },
        { _tag: "AttemptsEnded", manager, epoch, attempts: [ended("retry"), { ...ended("failed"), index: 1 }], at },
        { _tag: "LeasesReturned", manager, epoch, ranges, reason: "returned", at },
        { _tag: "TasksCancelled", ranges, reason: "x", at },
        { _tag: "TaskCancellationRequested", ranges, reason: "x", at },
        { _tag: "TasksRequeued", ranges, at }
      ]
      for (const event of events) {
        // Of a suite without plain tasks, so that what the event speaks of has rows.
        const rows = SuiteRows.rows()
        const state = State.make(id, {}, at)
        rows.add(state, { event, version: 2 })
        const { writes } = rows.writes(state)
        const onTasks = writes.filter(({ text }) => /update tasks|from tasks|join tasks/.test(text))
        assert.isAbove(onTasks.length, 0)
        for (const { params, text } of onTasks) {
          const plan = yield* sql.unsafe<{ "QUERY PLAN": string }>(`explain (costs off) ${text}`, params)
          const steps = plan.map((row) => row["QUERY PLAN"].trim())
          // Of tasks only those whose whole key is given are looked at.
          for (const [k, step] of steps.entries()) {
            if (!/Scan.* on tasks/.test(step)) continue
            assert.match(`${step} ${steps[k + 1]}`, /Tid Scan|Index Cond: \(.*suite_id.*index/)
          }
        }
      }
    })
  )

  it.effect("take ten thousand tasks at once, with and without priorities and labels", () =>
    Effect.gen(function* () {
      const id = suite(24)
      const opened = yield* open(id)
      const many = 10_000
      const task = (k: number): TaskSpec => ({ program: "true", priority: (k % 3) - 1, labels: ["a", `l${k % 7}`] })
      yield* opened.together([create(id)])
      yield* opened.together([submit(Array.from({ length: many }, () => ({ program: "true" })))])
      yield* opened.together([submit(Array.from({ length: many }, (_, k) => task(k)))])
      yield* opened.together([lease(many)])
      // Those of priority 1 first, then those without.
      const leased = [
        ...Array.from({ length: many }, (_, k) => k).flatMap((k) => (k % 3 === 2 ? [many + k] : [])),
        ...Array.from({ length: many }, (_, k) => k)
      ].slice(0, many)
      yield* opened.together([report(leased.map((index) => succeeded(index, { exitCode: 0, stdout: `${index}` })))])
      const { suite: row, tasks } = yield* SuiteTables.rowsOf(id)
      assert.deepInclude(row, { total: 2 * many, queued: many, succeeded: many })
      assert.deepInclude(tasks[many + 5], { priority: 1, labels: ["a", "l5"], state: 3, stdout: `${many + 5}` })
      assert.strictEqual(tasks.filter(({ state }) => state === 3).length, many)
    })
  )
})
