/**
 * Managers, the pool and suites together: who is told what, and what becomes of a manager's tasks when it goes.
 */
import { assert, layer } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { stream as managerStream } from "@muster/domain/Manager/Id"
import type { ManagerId } from "@muster/domain/Manager/Id"
import type { SuiteId } from "@muster/domain/Suite/Id"
import * as BootClock from "../../src/BootClock.ts"
import { stream } from "@muster/domain/Suite/Id"
import type { SuiteSpec } from "@muster/domain/Suite/Spec"
import { Heartbeats } from "../../src/Heartbeats.ts"
import { Managers } from "../../src/Managers.ts"
import { Suites } from "../../src/Suites.ts"
import * as Actors from "../support/Actors.ts"
import { eventually } from "../support/Eventually.ts"
import * as ScriptedManager from "../support/ScriptedManager.ts"
import * as TableWrites from "../support/TableWrites.ts"

const { command, ended, fresh, leased, managerId } = Actors

const disconnectGrace = 600
const timings = {
  heartbeatInterval: 200,
  silentAfter: 1_200,
  lostAfter: 2_200,
  disconnectGrace,
  takeoverGrace: 3_000,
  linger: 100
}

/** A suite that only managers with the same number may run, so that tests do not take each other's. */
const suiteWith = Effect.fnUntraced(function* (number: number, tasks: number, spec: SuiteSpec = {}) {
  const suites = yield* Suites
  const suiteId = Actors.suiteId(number)
  const tags = [`only-${number}`]
  yield* suites.create({ suiteId, ...fresh(), spec: { name: `suite ${number}`, tags, ...spec } })
  const submit = (count: number) =>
    suites.submit({ suiteId, ...fresh(), tasks: Array.from({ length: count }, (_, k) => command(`t${k}`)) })
  if (tasks > 0) yield* submit(tasks)
  return { suiteId, tags, submit, suites }
})

/** A manager that has been given the suite. */
const assigned = Effect.fnUntraced(function* (number: number, tasks: number, spec: SuiteSpec = {}) {
  const suite = yield* suiteWith(number, tasks, spec)
  const id = managerId(number)
  const manager = yield* ScriptedManager.connect(id, { tags: suite.tags })
  yield* manager.manager.Ready({ epoch: manager.epoch })
  yield* manager.until("Assigned")
  return { ...suite, id, ...manager, session: Actors.session(suite.suiteId, id, manager.epoch) }
})

const managerTypes = (id: ManagerId) => Effect.map(Actors.stored(managerStream(id)), Actors.types)

layer(Actors.layer(timings), { excludeTestServices: true, timeout: "30 seconds" })("managers", (it) => {
  it.effect("are welcomed, registered, and asked to do nothing before they are ready", () =>
    Effect.gen(function* () {
      const { tags } = yield* suiteWith(1, 1)
      const id = managerId(1)
      const { epoch, told, until } = yield* ScriptedManager.connect(id, { tags })
      assert.deepStrictEqual(told[0], { _tag: "Welcome", epoch: Actors.epoch(1), heartbeatInterval: 200 })
      yield* until("Drain")
      assert.strictEqual(epoch, 1)
      assert.deepStrictEqual(told.slice(1), [{ _tag: "Drain", draining: false }])
      assert.deepStrictEqual(yield* ScriptedManager.row(id), {
        state: "idle",
        epoch: 1,
        suite_id: null,
        connected: true,
        draining: false
      })
      assert.deepStrictEqual(yield* managerTypes(id), ["ManagerRegistered", "ManagerConnected"])
    })
  )

  it.effect("get a suite that has work and whose tags they have, and give it back when it has none", () =>
    Effect.gen(function* () {
      const other = yield* ScriptedManager.connect(managerId(3), { tags: ["something"] })
      yield* other.manager.Ready({ epoch: other.epoch })
      const { id, released, session, submit, suiteId, told, until } = yield* assigned(2, 2)
      assert.deepInclude(yield* until("Assigned"), { suiteId, spec: { name: "suite 2", tags: ["only-2"] } })
      assert.strictEqual((yield* ScriptedManager.row(id))?.suite_id, suiteId)
      yield* session.lease(5)
      yield* session.report({ ended: [ended(0), ended(1)] })
      assert.deepStrictEqual(yield* until("Release"), { _tag: "Release", suiteId })
      const heard = told.length
      yield* released(suiteId)
      yield* eventually(ScriptedManager.row(id), (row) => row?.suite_id === null)
      yield* submit(1)
      assert.deepInclude(yield* until("Assigned", heard), { suiteId })
      assert.deepStrictEqual(
        other.told.filter(({ _tag }) => _tag === "Assigned"),
        []
      )
    })
  )

  it.effect("go on with a suite that they cannot give back yet when it has work again", () =>
    Effect.gen(function* () {
      const { id, released, session, submit, suiteId, told, until } = yield* assigned(40, 1)
      yield* session.lease(1)
      yield* until("Release")
      for (const index of [1, 2]) {
        const heard = told.length
        yield* submit(1)
        assert.deepInclude(yield* until("Assigned", heard), { suiteId })
        const kept = told.length
        yield* session.lease(1)
        yield* session.report({ ended: [ended(index)] })
        yield* until("Release", kept)
      }
      yield* session.report({ ended: [ended(0)] })
      yield* released(suiteId)
      yield* eventually(ScriptedManager.row(id), (row) => row?.suite_id === null)
      assert.deepStrictEqual((yield* managerTypes(id)).slice(3), [
        ...[0, 1, 2].flatMap(() => ["ManagerAssigned", "ManagerReleaseRequested"]),
        "ManagerReleased"
      ])
    })
  )

  it.effect("are told which of their tasks shall end, again until they have", () =>
    Effect.gen(function* () {
      const { session, suiteId, suites, told, until } = yield* assigned(4, 3)
      yield* session.lease(2)
      yield* suites.cancelTasks({ suiteId, ...fresh(), tasks: [0, 2], reason: "unwanted" })
      assert.deepStrictEqual(yield* until("CancelTasks"), { _tag: "CancelTasks", suiteId, tasks: [[0, 1]] })
      const heard = told.length
      yield* until("CancelTasks", heard)
      yield* session.report({ ended: [ended(0, 1, "cancelled")] })
      const all = yield* suites.cancel({ suiteId, ...fresh(), mode: "force", reason: "enough" })
      assert.strictEqual(all.cancelledTasks, 1)
      yield* eventually(
        Effect.sync(() => told.findLast(({ _tag }) => _tag === "CancelTasks")),
        (directive) => directive?._tag === "CancelTasks" && directive.tasks.some(([index]) => index === 1)
      )
      yield* session.report({ ended: [ended(1, 1, "cancelled")] })
      assert.deepStrictEqual(Actors.types(yield* Actors.stored(stream(suiteId))).slice(-2), [
        "AttemptsEnded",
        "SuiteStopped"
      ])
      yield* until("Release")
    })
  )

  it.effect("hand in proof of their end, or are waited for, where a suite asks for a lease", () =>
    Effect.gen(function* () {
      const onLease = { onDisconnect: "stop", leaseDuration: 5_000 } as const
      const machines = yield* Effect.forEach([20, 21, 22], (number) => assigned(number, 1, onLease))
      for (const { session } of machines) yield* session.lease(1)
      const [lost, unsure, sure] = machines
      assert.isTrue(lost !== undefined && unsure !== undefined && sure !== undefined)
      if (lost === undefined || unsure === undefined || sure === undefined) return
      const isTaken = ({ suiteId }: { readonly suiteId: SuiteId }) =>
        Effect.map(Actors.stored(stream(suiteId)), (events) => Actors.types(events).includes("LeasesReturned"))
      // Who asks is told how old the proof is that this coordinator is the one to ask.
      const heard = { epoch: lost.epoch, activity: "executing", running: 1, buffered: 0 } as const
      assert.isUndefined(yield* lost.manager.Heartbeat(heard))
      const reply = yield* lost.manager.Heartbeat({ ...heard, renews: true })
      assert.isAtLeast(reply?.age ?? -1, 0)
      assert.isBelow(reply?.age ?? Infinity, 5_000)

      const from = BootClock.now()
      yield* lost.disconnect
      const connect = (machine: typeof lost, gone: ReadonlyArray<string>) =>
        Effect.tap(
          ScriptedManager.connect(machine.id, { instance: "another", tags: machine.tags, gone }),
          ({ epoch, manager }) => manager.Ready({ epoch })
        )
      yield* connect(unsure, ["somebody else"])
      yield* connect(sure, ["instance"])
      yield* eventually(isTaken(sure), (taken) => taken)
      assert.isBelow(BootClock.now() - from, 5_000)
      assert.isFalse(yield* isTaken(unsure))
      for (const machine of [lost, unsure]) {
        yield* eventually(isTaken(machine), (taken) => taken)
        // Five seconds, and what a coordinator keeps clear of their end.
        assert.isAtLeast(BootClock.now() - from, 6_050)
      }
      const ends = yield* Effect.forEach(machines, ({ id }) => ScriptedManager.ends(id))
      assert.deepStrictEqual(ends, [
        [{ reason: "disconnected", leaseEnd: "over" }],
        [{ reason: "replaced", leaseEnd: "open" }],
        [{ reason: "replaced", leaseEnd: "gone" }]
      ])
    })
  )

  it.effect("are drained and shut down as users ask", () =>
    Effect.gen(function* () {
      const managers = yield* Managers
      const { id, told, until } = yield* assigned(5, 1)
      const drain = (draining: boolean) => managers.drain({ managerId: id, draining, ...fresh() })
      const count = told.length
      yield* drain(true)
      assert.deepStrictEqual(yield* until("Drain", count), { _tag: "Drain", draining: true })
      yield* until("Release", count)
      assert.isTrue((yield* ScriptedManager.row(id))?.draining)
      const drained = told.length
      yield* drain(false)
      assert.deepStrictEqual(yield* until("Drain", drained), { _tag: "Drain", draining: false })
      yield* managers.shutdown({ managerId: id, mode: "graceful", ...fresh() })
      assert.deepStrictEqual(yield* until("Shutdown"), { _tag: "Shutdown", mode: "graceful" })
      const unknown = managerId(99)
      const notFound = yield* Effect.flip(managers.drain({ managerId: unknown, draining: true, ...fresh() }))
      assert.deepInclude(notFound, { _tag: "ManagerNotFound", managerId: unknown })
    })
  )

  it.effect("are asked for logs, and their answers come back", () =>
    Effect.gen(function* () {
      const managers = yield* Managers
      const id = managerId(6)
      const suiteId = Actors.suiteId(6)
      const question = {
        managerId: id,
        suiteId,
        index: 7,
        attempt: 2,
        stream: "stderr",
        offset: 10,
        limit: 100
      } as const
      assert.strictEqual((yield* Effect.flip(managers.readLog(question)))._tag, "ManagerOffline")
      const { disconnect, manager, until } = yield* ScriptedManager.connect(id)
      const asking = yield* Effect.forkChild(managers.readLog(question))
      const { _tag, requestId, ...asked } = yield* until("ReadLog")
      assert.deepStrictEqual(asked, { suiteId, index: 7, attempt: 2, stream: "stderr", offset: 10, limit: 100 })
      const chunk = { data: Uint8Array.of(0, 255, 10), size: 13, ended: false, missing: false }
      yield* manager.AnswerLog({ requestId: "somebody else's", chunk: { ...chunk, size: 1 } })
      yield* manager.AnswerLog({ requestId, chunk })
      assert.deepStrictEqual(yield* Fiber.join(asking), chunk)
      yield* disconnect
      assert.strictEqual((yield* Effect.flip(managers.readLog(question)))._tag, "ManagerOffline")
    })
  )

  it.effect("lose their tasks to another one when they stay away for too long", () =>
    Effect.gen(function* () {
      const { disconnect, id, session, suiteId, tags } = yield* assigned(7, 3)
      yield* session.lease(2)
      yield* session.report({ started: [[0, 1, Date.now()]] })
      const goneAt = performance.now()
      yield* disconnect
      yield* eventually(managerTypes(id), (types) => types.includes("ManagerSuspected"))
      const second = yield* ScriptedManager.connect(managerId(8), { tags })
      yield* second.manager.Ready({ epoch: second.epoch })
      yield* eventually(managerTypes(id), (types) => types.includes("ManagerLost"))
      const lostAfter = performance.now() - goneAt
      assert.isAtLeast(lostAfter, disconnectGrace - 1)
      assert.isBelow(lostAfter, disconnectGrace + 3_000)
      yield* second.until("Assigned")
      const next = Actors.session(suiteId, managerId(8), second.epoch)
      const got = yield* eventually(next.lease(10), ({ leases }) => leases.length > 0)
      const rest = yield* next.lease(10)
      assert.deepStrictEqual(
        [...leased(got), ...leased(rest)].toSorted(([a], [b]) => a - b),
        [
          [0, 2, "t0"],
          [1, 1, "t1"],
          [2, 1, "t2"]
        ]
      )
      assert.deepInclude(yield* ScriptedManager.row(id), { state: "offline", connected: false })
      // A process that was given up comes back and is told so.
      const error = yield* ScriptedManager.refused(id, { tags })
      assert.deepInclude(error, { _tag: "SessionFenced", managerId: id })
    })
  )

  it.effect("keep session, suite and leases when they come back in time", () =>
    Effect.gen(function* () {
      const { disconnect, epoch, id, session, suiteId, tags } = yield* assigned(9, 2)
      yield* session.lease(1)
      yield* disconnect
      yield* eventually(managerTypes(id), (types) => types.includes("ManagerSuspected"))
      const back = yield* ScriptedManager.connect(id, { tags })
      assert.strictEqual(back.epoch, epoch)
      assert.deepInclude(yield* back.until("Assigned"), { suiteId })
      assert.strictEqual((yield* managerTypes(id)).at(-1), "ManagerReconnected")
      assert.deepStrictEqual(yield* session.report({ ended: [ended(0)] }), { accepted: 1, repeated: 0, late: 0 })
      // The grace that had begun is over by now, and nothing comes of it.
      const begun = performance.now()
      yield* eventually(managerTypes(id), () => performance.now() - begun > disconnectGrace + 1_200)
      assert.notInclude(yield* managerTypes(id), "ManagerLost")
    })
  )

  it.effect("that connect again before anybody noticed are not suspected", () =>
    Effect.gen(function* () {
      const { end, epoch, id, tags } = yield* assigned(10, 1)
      const again = yield* ScriptedManager.connect(id, { tags })
      assert.strictEqual(again.epoch, epoch)
      assert.deepInclude(yield* end, { _tag: "Unavailable" })
      yield* again.until("Assigned")
      assert.deepInclude(yield* ScriptedManager.row(id), { connected: true })
    })
  )

  it.effect("that were started again get a new session; the old one's tasks are taken when the new one is ready", () =>
    Effect.gen(function* () {
      const { end, epoch, id, session, suiteId, tags } = yield* assigned(11, 2)
      yield* session.lease(1)
      const fresher = yield* ScriptedManager.connect(id, { instance: "another", tags })
      assert.strictEqual(fresher.epoch, epoch + 1)
      yield* end
      const old = yield* ScriptedManager.refused(id, { tags })
      assert.deepInclude(old, { _tag: "SessionFenced", epoch, current: fresher.epoch })
      const newer = Actors.session(suiteId, id, fresher.epoch)
      // What the process before had done is handed in by the next one.
      assert.deepStrictEqual(yield* newer.report({ ended: [ended(0)] }), { accepted: 1, repeated: 0, late: 0 })
      const types = Effect.map(Actors.stored(stream(suiteId)), Actors.types)
      assert.notInclude(yield* types, "LeasesReturned")
      yield* fresher.manager.Ready({ epoch: fresher.epoch })
      yield* eventually(types, (all) => all.includes("LeasesReturned"))
      yield* fresher.until("Assigned")
      assert.deepStrictEqual(leased(yield* newer.lease(5, 5_000)), [[1, 1, "t1"]])
      assert.deepStrictEqual(yield* session.lease(1), { leases: [], ended: false })
    })
  )

  it.effect("hear when they come back that they shall work again", () =>
    Effect.gen(function* () {
      const managers = yield* Managers
      const { disconnect, id, tags } = yield* assigned(12, 1)
      yield* managers.drain({ managerId: id, draining: true, ...fresh() })
      yield* disconnect
      yield* managers.drain({ managerId: id, draining: false, ...fresh() })
      const back = yield* ScriptedManager.connect(id, { tags })
      assert.deepStrictEqual(yield* back.until("Drain"), { _tag: "Drain", draining: false })
    })
  )

  it.effect("that fall silent are suspected and get nothing new, and are trusted again when they are heard", () =>
    Effect.gen(function* () {
      const { beat, hang, id } = yield* assigned(13, 1)
      yield* hang
      yield* eventually(managerTypes(id), (types) => types.at(-1) === "ManagerSuspected")
      assert.deepInclude(yield* ScriptedManager.row(id), { connected: false })
      yield* beat
      assert.strictEqual((yield* managerTypes(id)).at(-1), "ManagerReconnected")
      yield* eventually(managerTypes(id), (types) => types.at(-1) === "ManagerLost")
      assert.strictEqual((yield* Effect.flip(beat))._tag, "SessionFenced")
    })
  )

  it.effect("that say goodbye are gone at once", () =>
    Effect.gen(function* () {
      const { epoch, id, manager, session, suiteId, tags } = yield* assigned(14, 1)
      yield* session.lease(1)
      yield* manager.Leave({ epoch })
      assert.deepInclude(yield* ScriptedManager.row(id), { state: "offline", suite_id: null })
      const next = yield* ScriptedManager.connect(managerId(15), { tags })
      yield* next.manager.Ready({ epoch: next.epoch })
      yield* next.until("Assigned")
      const reply = yield* eventually(
        Actors.session(suiteId, managerId(15), next.epoch).lease(1),
        ({ leases }) => leases.length > 0
      )
      assert.deepStrictEqual(leased(reply), [[0, 1, "t0"]])
    })
  )

  it.effect("are heard without a message to their actor while their session is open and connected", () =>
    Effect.gen(function* () {
      const heartbeats = yield* Heartbeats
      const id = managerId(17)
      const { beat, disconnect, epoch, hang } = yield* ScriptedManager.connect(id)
      const isNoted = Effect.sync(() => heartbeats.note(id, epoch) !== undefined)
      assert.isTrue(yield* isNoted)
      assert.isUndefined(heartbeats.note(id, Actors.epoch(epoch + 1)))
      yield* hang
      yield* eventually(managerTypes(id), (types) => types.includes("ManagerSuspected"))
      assert.isFalse(yield* isNoted)
      yield* beat
      assert.isTrue(yield* isNoted)
      yield* disconnect
      yield* eventually(isNoted, (noted) => !noted)
    })
  )

  it.effect("cost nothing while nothing happens", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const { session, suiteId, suites, until } = yield* assigned(16, 2)
      yield* session.lease(1)
      yield* session.report({ ended: [ended(0)] })
      yield* suites.pause({ suiteId, ...fresh() })
      const lease = yield* Effect.forkChild(session.lease(1, 30_000), { startImmediately: true })
      yield* until("Release")
      // Other tests' managers are still being given up.
      yield* eventually(
        sql`select 1 from managers where connected and id <> ${managerId(16)}`,
        (rows) => rows.length === 0
      )
      yield* TableWrites.settled
      const before = yield* TableWrites.fingerprint
      const events = yield* sql<{ n: number }>`select count(*)::int as n from events`
      const quiet = yield* TableWrites.during(2_000)
      assert.deepStrictEqual(yield* TableWrites.fingerprint, before)
      assert.deepStrictEqual(yield* sql`select count(*)::int as n from events`, events)
      assert.isUndefined(lease.pollUnsafe())
      yield* Effect.logInfo("an idle coordinator with one idle manager", quiet)
    })
  )
})
