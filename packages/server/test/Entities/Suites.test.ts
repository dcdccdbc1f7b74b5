/**
 * Suites as everybody asks them: through the cluster, with real actors on real Postgres.
 */
import { assert, layer } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { stream, taskId } from "@muster/domain/Suite/Id"
import type { SuiteId } from "@muster/domain/Suite/Id"
import type { TaskSpec } from "@muster/domain/Task/Spec"
import { Suites } from "../../src/Suites.ts"
import * as Actors from "../support/Actors.ts"

const { command, ended, fresh, leased } = Actors

const commands = (from: number, count: number, more: Partial<TaskSpec> = {}): ReadonlyArray<TaskSpec> =>
  Array.from({ length: count }, (_, k) => ({ ...command(`t${from + k}`), ...more }))

const create = (suiteId: SuiteId) =>
  Effect.flatMap(Suites, (suites) => suites.create({ suiteId, ...fresh(), spec: { name: "s" } }))

const submit = (suiteId: SuiteId, tasks: ReadonlyArray<TaskSpec>, commandId = fresh().commandId) =>
  Effect.flatMap(Suites, (suites) => suites.submit({ suiteId, actor: "test", commandId, tasks }))

/** A new suite with these tasks. */
const suiteWith = Effect.fnUntraced(function* (number: number, tasks: ReadonlyArray<TaskSpec> = []) {
  const suiteId = Actors.suiteId(number)
  yield* create(suiteId)
  if (tasks.length > 0) yield* submit(suiteId, tasks)
  return { suiteId, session: Actors.session(suiteId), events: Actors.stored(stream(suiteId)) }
})

/** A lease that waits in its suite by the time that this answers. */
const waiting = Effect.fnUntraced(function* <A, E, R>(suiteId: SuiteId, lease: Effect.Effect<A, E, R>) {
  const fiber = yield* Effect.forkChild(lease, { startImmediately: true })
  // The suite takes what it is asked in order, so what is answered after the lease came after it.
  yield* Effect.flatMap(Suites, (suites) => suites.resume({ suiteId, ...fresh() }))
  yield* Effect.flatMap(Suites, (suites) => suites.resume({ suiteId, ...fresh() }))
  assert.isUndefined(fiber.pollUnsafe())
  return fiber
})

layer(Actors.layer(), { excludeTestServices: true, timeout: "30 seconds" })("Suites", (it) => {
  it.effect("live from creation to completion", () =>
    Effect.gen(function* () {
      const suites = yield* Suites
      const { session, suiteId } = yield* suiteWith(1)
      assert.deepStrictEqual(yield* submit(suiteId, commands(0, 2)), { firstIndex: 0, count: 2 })
      assert.deepStrictEqual(yield* submit(suiteId, commands(2, 1)), { firstIndex: 2, count: 1 })
      const reply = yield* session.lease(10)
      assert.isFalse(reply.ended)
      assert.deepStrictEqual(leased(reply), [
        [0, 1, "t0"],
        [1, 1, "t1"],
        [2, 1, "t2"]
      ])
      const now = Date.now()
      assert.deepStrictEqual(
        yield* session.report({ started: [[0, 1, now]], ended: [ended(1), ended(1)], returned: [[2, 1]] }),
        { accepted: 1, repeated: 1, late: 0 }
      )
      const view = yield* suites.close({ suiteId, ...fresh() })
      assert.deepInclude(view, { name: "s", state: "closed", paused: false })
      assert.deepInclude(view.tasks, { total: 3, pending: 2, queued: 1, assigned: 0, running: 1, succeeded: 1 })
      assert.deepStrictEqual(leased(yield* session.lease(10)), [[2, 1, "t2"]])
      yield* session.report({ ended: [ended(0), ended(2, 1, "failed")] })
      const done = yield* suites.retry({ suiteId, ...fresh(), tasks: [] })
      assert.deepInclude(done.suite, { state: "complete" })
      assert.deepInclude(done.suite.tasks, { succeeded: 2, failed: 1, pending: 0 })
      const retried = yield* suites.retry({ suiteId, ...fresh(), tasks: "failed" })
      assert.strictEqual(retried.retriedTasks, 1)
      assert.deepInclude(retried.suite, { state: "open", completedAt: null })
      assert.deepStrictEqual(leased(yield* session.lease(10)), [[2, 2, "t2"]])
    })
  )

  it.effect("refuse with the reason", () =>
    Effect.gen(function* () {
      const suites = yield* Suites
      const missing = Actors.suiteId(99)
      const notFound = yield* Effect.flip(submit(missing, commands(0, 1)))
      assert.deepInclude(notFound, { _tag: "SuiteNotFound", suiteId: missing })
      const { suiteId } = yield* suiteWith(2, commands(0, 1))
      assert.strictEqual((yield* Effect.flip(create(suiteId)))._tag, "SuiteAlreadyExists")
      const noTask = yield* Effect.flip(suites.cancelTasks({ suiteId, ...fresh(), tasks: [7], reason: "" }))
      assert.deepInclude(noTask, { _tag: "TaskNotFound", taskId: taskId(suiteId, 7) })
      const running = yield* Effect.flip(suites.retry({ suiteId, ...fresh(), tasks: [0] }))
      assert.strictEqual(running._tag, "TaskStateConflict")
      yield* suites.cancel({ suiteId, ...fresh(), mode: "graceful", reason: "enough" })
      assert.strictEqual((yield* Effect.flip(submit(suiteId, commands(1, 1))))._tag, "SuiteIsCancelled")
    })
  )

  it.effect("tell how many tasks were cancelled, and hand out nothing of a cancelled suite", () =>
    Effect.gen(function* () {
      const suites = yield* Suites
      const { session, suiteId } = yield* suiteWith(3, commands(0, 5))
      yield* session.lease(2)
      const some = yield* suites.cancelTasks({ suiteId, ...fresh(), tasks: [0, 2], reason: "unwanted" })
      assert.strictEqual(some.cancelledTasks, 2)
      assert.deepInclude(some.suite.tasks, { cancelled: 1, assigned: 2, queued: 2 })
      const parked = yield* Effect.forkChild(session.lease(1, 20_000), { startImmediately: true })
      assert.strictEqual((yield* Fiber.join(parked)).leases.length, 1)
      const vain = yield* waiting(suiteId, Effect.andThen(session.lease(1), session.lease(1, 20_000)))
      const all = yield* suites.cancel({ suiteId, ...fresh(), mode: "force", reason: "enough" })
      // One that was leased has been asked to end before.
      assert.deepInclude(all.suite, { state: "cancelled" })
      assert.strictEqual(all.cancelledTasks, 3)
      assert.deepStrictEqual(yield* Fiber.join(vain), { leases: [], ended: true })
      assert.deepStrictEqual(yield* session.lease(1, 20_000), { leases: [], ended: true })
    })
  )

  it.effect("answer a repeated command with its first answer, also at the same time", () =>
    Effect.gen(function* () {
      const suites = yield* Suites
      const suiteId = Actors.suiteId(4)
      const session = Actors.session(suiteId)
      const creation = { suiteId, ...fresh(), spec: {} }
      const [one, two] = yield* Effect.all([suites.create(creation), suites.create(creation)], {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(two, one)
      assert.deepStrictEqual(yield* suites.create(creation), one)
      const answers = yield* Effect.all(
        Array.from({ length: 5 }, () => submit(suiteId, commands(0, 3), "submit-once")),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(
        answers,
        Array.from({ length: 5 }, () => ({ firstIndex: 0, count: 3 }))
      )
      yield* submit(suiteId, commands(3, 1))
      assert.deepStrictEqual(yield* submit(suiteId, commands(0, 3), "submit-once"), { firstIndex: 0, count: 3 })
      const leases = yield* Effect.all(
        Array.from({ length: 3 }, () => session.lease(2, 0, "lease-once")),
        { concurrency: "unbounded" }
      )
      for (const reply of leases) {
        assert.deepStrictEqual(leased(reply), [
          [0, 1, "t0"],
          [1, 1, "t1"]
        ])
      }
      const report = { ended: [ended(0), ended(1)] }
      const reports = yield* Effect.all([session.report(report, "report-once"), session.report(report, "report-once")])
      for (const reply of reports) assert.deepStrictEqual(reply, { accepted: 2, repeated: 0, late: 0 })
      const cancel = { suiteId, commandId: "cancel-once", actor: "test", tasks: [2], reason: "" }
      assert.strictEqual((yield* suites.cancelTasks(cancel)).cancelledTasks, 1)
      assert.strictEqual((yield* suites.cancelTasks(cancel)).cancelledTasks, 1)
      const retry = { suiteId, commandId: "retry-once", actor: "test", tasks: [2] }
      assert.strictEqual((yield* suites.retry(retry)).retriedTasks, 1)
      assert.strictEqual((yield* suites.retry(retry)).retriedTasks, 1)
    })
  )

  it.effect("hand a task that is submitted to whoever waits, in the same commit", () =>
    Effect.gen(function* () {
      const { events, session, suiteId } = yield* suiteWith(5)
      const lease = yield* waiting(suiteId, session.lease(5, 20_000))
      const before = (yield* events).length
      yield* submit(suiteId, commands(0, 2))
      assert.deepStrictEqual(leased(yield* Fiber.join(lease)), [
        [0, 1, "t0"],
        [1, 1, "t1"]
      ])
      const [submitted, given, ...rest] = (yield* events).slice(before)
      assert.deepStrictEqual(rest, [])
      assert.deepInclude(submitted, { type: "TasksSubmitted", version: before + 1 })
      assert.deepInclude(given, { type: "TasksLeased", version: before + 2 })
      assert.strictEqual(given?.transaction, submitted?.transaction)
    })
  )

  it.effect("let a lease of a paused suite wait for its resumption", () =>
    Effect.gen(function* () {
      const suites = yield* Suites
      const { events, session, suiteId } = yield* suiteWith(6, commands(0, 1))
      assert.isTrue((yield* suites.pause({ suiteId, ...fresh() })).paused)
      assert.deepStrictEqual(yield* session.lease(1), { leases: [], ended: false })
      const lease = yield* Effect.forkChild(session.lease(1, 20_000), { startImmediately: true })
      yield* submit(suiteId, commands(1, 1))
      assert.isUndefined(lease.pollUnsafe())
      assert.isFalse((yield* suites.resume({ suiteId, ...fresh() })).paused)
      assert.deepStrictEqual(leased(yield* Fiber.join(lease)), [[0, 1, "t0"]])
      assert.deepStrictEqual(Actors.types(yield* events).slice(-2), ["SuiteResumed", "TasksLeased"])
    })
  )

  it.effect("answer a lease that waited in vain without a task, and store nothing for it", () =>
    Effect.gen(function* () {
      const { events, session } = yield* suiteWith(7)
      const before = (yield* events).length
      assert.deepStrictEqual(yield* session.lease(1, 50), { leases: [], ended: false })
      assert.strictEqual((yield* events).length, before)
    })
  )

  it.effect("hand a task to a lease that waits when its next attempt is due", () =>
    Effect.gen(function* () {
      const { session } = yield* suiteWith(8, commands(0, 1, { retry: { limit: 1, backoff: 150, jitter: 0 } }))
      yield* session.lease(1)
      const failedAt = performance.now()
      yield* session.report({ ended: [ended(0, 1, "failed")] })
      assert.deepStrictEqual(leased(yield* session.lease(1)), [])
      assert.deepStrictEqual(leased(yield* session.lease(1, 20_000)), [[0, 2, "t0"]])
      const waited = performance.now() - failedAt
      assert.isAtLeast(waited, 149)
      assert.isBelow(waited, 5_000)
    })
  )

  it.effect("give each task its own spec: across batches, by priority, again after failures and returns", () =>
    Effect.gen(function* () {
      const { session, suiteId } = yield* suiteWith(9)
      yield* submit(suiteId, commands(0, 3))
      yield* submit(suiteId, commands(3, 2, { priority: 5 }))
      yield* submit(suiteId, [command("t5"), { ...command("t6"), priority: 9 }])
      assert.deepStrictEqual(leased(yield* session.lease(4)), [
        [6, 1, "t6"],
        [3, 1, "t3"],
        [4, 1, "t4"],
        [0, 1, "t0"]
      ])
      yield* session.report({
        ended: [ended(6, 1, "crashed")],
        returned: [
          [3, 1],
          [4, 1]
        ]
      })
      assert.deepStrictEqual(leased(yield* session.lease(10)), [
        [6, 2, "t6"],
        [3, 1, "t3"],
        [4, 1, "t4"],
        [1, 1, "t1"],
        [2, 1, "t2"],
        [5, 1, "t5"]
      ])
    })
  )

  it.effect("keep what is submitted while nobody asks, in a handful of commits", () =>
    Effect.gen(function* () {
      const { events, suiteId } = yield* suiteWith(10)
      const many = 500
      const answers = yield* Effect.all(
        Array.from({ length: many }, (_, k) => submit(suiteId, commands(k, 1))),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(
        answers.map(({ firstIndex }) => firstIndex).toSorted((a, b) => a - b),
        Array.from({ length: many }, (_, k) => k)
      )
      const submissions = (yield* events).filter(({ type }) => type === "TasksSubmitted")
      assert.strictEqual(submissions.length, many)
      assert.isAtMost(new Set(submissions.map(({ transaction }) => transaction)).size, many / 20)
    })
  )

  it.effect("read specs that are not in memory any more from the log", () =>
    Effect.gen(function* () {
      const { session, suiteId } = yield* suiteWith(11)
      const batch = 5_000
      const count = 6
      // More than an actor keeps; among them one batch that is larger than all that it keeps.
      for (let k = 0; k < count; k++) yield* submit(suiteId, commands(k * batch, batch))
      yield* submit(suiteId, commands(count * batch, 5 * batch))
      const total = (count + 5) * batch
      let next = 0
      while (next < total) {
        const reply = yield* session.lease(10_000)
        for (const [index, attempt, name] of leased(reply)) {
          assert.deepStrictEqual([index, attempt, name], [next, 1, `t${next}`])
          next++
        }
      }
      assert.deepStrictEqual(yield* session.lease(1), { leases: [], ended: false })
    })
  )

  it.effect("take leases back from a session that is over, and give them to the next", () =>
    Effect.gen(function* () {
      const { session, suiteId } = yield* suiteWith(12, commands(0, 3))
      const other = Actors.session(suiteId, Actors.managerId(2))
      yield* session.lease(2)
      yield* session.report({ started: [[0, 1, Date.now()]] })
      const sql = yield* SqlClient
      yield* Actors.reclaim(suiteId)
      yield* Actors.reclaim(suiteId)
      assert.deepStrictEqual(leased(yield* session.lease(5)), [])
      assert.deepStrictEqual(leased(yield* other.lease(5)), [
        [0, 2, "t0"],
        [1, 1, "t1"],
        [2, 1, "t2"]
      ])
      assert.deepStrictEqual(yield* session.report({ ended: [ended(0), ended(1)] }), {
        accepted: 0,
        repeated: 0,
        late: 2
      })
      yield* other.report({ ended: [ended(0, 2), ended(1), ended(2)] })
      const [row] = yield* sql<{ state: string; succeeded: number }>`
        select state, succeeded from suites where id = ${suiteId}`
      assert.deepStrictEqual(row, { state: "complete", succeeded: 3 })
    })
  )
})
