/**
 * A manager's rules by example.
 */
/* oxlint-disable vitest/expect-expect -- given/when/gives asserts */
import { assert, describe, it } from "@effect/vitest"
import { replay } from "@muster/domain/Decider"
import * as Lease from "@muster/domain/Lease"
import * as Manager from "@muster/domain/Manager"
import * as GivenWhenThen from "./support/GivenWhenThen.ts"
import { epoch, manager, spec, start, suite } from "./support/Arbitraries.ts"

const { given } = GivenWhenThen.make(Manager.decider)

const managerId = manager(1)
const now = start + 60_000
const at = start
const [one, two] = [epoch(1), epoch(2)]

const registered: Manager.ManagerEvent = { _tag: "ManagerRegistered", id: managerId, spec: spec(), at }
const connected: typeof Manager.ManagerConnected.Type = {
  _tag: "ManagerConnected",
  epoch: one,
  instance: "a",
  spec: spec(),
  at
}
const ready: typeof Manager.ManagerReady.Type = { _tag: "ManagerReady", epoch: one, at }
const assigned: typeof Manager.ManagerAssigned.Type = { _tag: "ManagerAssigned", epoch: one, suiteId: suite(1), at }
const releasing: Manager.ManagerEvent = { _tag: "ManagerReleaseRequested", epoch: one, suiteId: suite(1), at }
const suspected: typeof Manager.ManagerSuspected.Type = {
  _tag: "ManagerSuspected",
  epoch: one,
  reason: "disconnected",
  at
}
const reconnected: Manager.ManagerEvent = { _tag: "ManagerReconnected", epoch: one, at }
const lost: Manager.ManagerEvent = { _tag: "ManagerLost", epoch: one, reason: "silent", suiteId: null, at }
const left: Manager.ManagerEvent = { _tag: "ManagerLeft", epoch: one, suiteId: null, at }
const draining: Manager.ManagerEvent = { _tag: "ManagerDrainRequested", actor: "admin", at }

const step = { _tag: "ManagerActivityChanged", epoch: one, suiteId: null, at } as const

const online = [registered, connected]
const idle = [...online, ready]
const busy = [...idle, assigned]
const fenced = new Manager.SessionFenced({ managerId, epoch: one, current: one })

const connect = (instance: string, gone: ReadonlyArray<string> = []): Manager.ManagerCommand => ({
  _tag: "Connect",
  managerId,
  instance,
  spec: spec(),
  gone,
  now
})
const ofSession = { managerId, epoch: one, now }
const assign = (number: number, lease?: Lease.Lease): Manager.ManagerCommand => ({
  _tag: "Assign",
  ...ofSession,
  suiteId: suite(number),
  lease
})
const unassign = (number: number): Manager.ManagerCommand => ({
  _tag: "Unassign",
  ...ofSession,
  suiteId: suite(number)
})

describe("connect", () => {
  it("registers a manager that was never heard of, in its first session", () => {
    given()
      .when(connect("a"))
      .gives(
        { _tag: "ManagerRegistered", id: managerId, spec: spec(), at: now },
        { _tag: "ManagerConnected", epoch: one, instance: "a", spec: spec(), at: now }
      )
  })

  it("resumes a session that nobody doubted without a word", () => {
    given(...online)
      .when(connect("a"))
      .givesNothing()
  })

  it("ends the suspicion against a session, which keeps what it had", () => {
    const outcome = given(...busy, suspected).when(connect("a"))
    outcome.gives({ _tag: "ManagerReconnected", epoch: one, at: now })
    assert.strictEqual(Manager.fromState(outcome.state)?.suiteId, suite(1))
  })

  it("gives a new process the next session, and ends the one before it with what it had", () => {
    given(...busy)
      .when(connect("b"))
      .gives(
        { _tag: "ManagerLost", epoch: one, reason: "replaced", suiteId: suite(1), at: now },
        { _tag: "ManagerConnected", epoch: two, instance: "b", spec: spec(), at: now }
      )
  })

  it("gives a new process the next session after a goodbye", () => {
    given(...online, left)
      .when(connect("b"))
      .gives({ _tag: "ManagerConnected", epoch: two, instance: "b", spec: spec(), at: now })
  })

  it("refuses a process whose session was given up", () => {
    given(...online, lost)
      .when(connect("a"))
      .isRefused(fenced)
  })

  it("refuses a process that wakes after another one took its place", () => {
    given(...online)
      .when(connect("b"), connect("a"))
      .isRefused(new Manager.SessionFenced({ managerId, epoch: one, current: two }))
  })

  it("refuses a process that had said goodbye", () => {
    given(...online, left)
      .when(connect("a"))
      .isRefused(fenced)
  })

  it("starts a session idle, not ready and free, but drained as before", () => {
    const { state } = given(...busy, draining, lost).when(connect("b"))
    assert.deepInclude(state, { _tag: "Online", draining: true })
    assert.deepInclude(state._tag === "Online" ? state.session : {}, {
      ready: false,
      activity: "idle",
      assignment: null,
      shutdown: null
    })
  })
})

describe("a session", () => {
  it("becomes ready once", () => {
    given(...online)
      .when({ _tag: "Ready", ...ofSession })
      .gives({ _tag: "ManagerReady", epoch: one, at: now })
    given(...idle)
      .when({ _tag: "Ready", ...ofSession })
      .givesNothing()
  })

  it("is suspected once", () => {
    const disconnect: Manager.ManagerCommand = { _tag: "Disconnect", ...ofSession, reason: "disconnected" }
    given(...idle)
      .when(disconnect)
      .gives({ _tag: "ManagerSuspected", epoch: one, reason: "disconnected", at: now })
    given(...idle, suspected)
      .when(disconnect)
      .givesNothing()
    given(...idle, lost)
      .when(disconnect)
      .givesNothing()
  })

  it("is trusted again when it is heard from", () => {
    given(...idle, suspected)
      .when({ _tag: "Resume", ...ofSession })
      .gives({ _tag: "ManagerReconnected", epoch: one, at: now })
    given(...idle)
      .when({ _tag: "Resume", ...ofSession })
      .givesNothing()
  })

  it("is lost once, with what it had", () => {
    const lose: Manager.ManagerCommand = { _tag: "Lose", ...ofSession, reason: "silent", since: at }
    const expected: Manager.ManagerEvent = {
      _tag: "ManagerLost",
      epoch: one,
      reason: "silent",
      suiteId: suite(1),
      at: now
    }
    given(...busy, suspected)
      .when(lose)
      .gives(expected)
    given(...busy, lost)
      .when(lose)
      .givesNothing()
  })

  it("is not lost when it was heard from since, whether or not it is suspected again", () => {
    const lose: Manager.ManagerCommand = { _tag: "Lose", ...ofSession, reason: "silent", since: at }
    given(...busy)
      .when(lose)
      .givesNothing()
    given(...busy, suspected, reconnected, { ...suspected, at: at + 1 })
      .when(lose)
      .givesNothing()
  })

  it("says goodbye once", () => {
    const leave: Manager.ManagerCommand = { _tag: "Leave", ...ofSession }
    given(...idle)
      .when(leave)
      .gives({ _tag: "ManagerLeft", epoch: one, suiteId: null, at: now })
    given(...idle, left)
      .when(leave)
      .givesNothing()
  })

  it("is heard no more when it is over", () => {
    for (const history of [
      [...idle, lost],
      [...idle, left]
    ]) {
      given(...history)
        .when({ _tag: "Ready", ...ofSession })
        .isRefused(fenced)
      given(...history)
        .when({ _tag: "Resume", ...ofSession })
        .isRefused(fenced)
      given(...history)
        .when({ _tag: "Released", ...ofSession, suiteId: suite(1) })
        .isRefused(fenced)
      given(...history)
        .when(assign(1))
        .isRefused(fenced)
      given(...history)
        .when({ _tag: "ChangeActivity", ...ofSession, activity: "preparing", suiteId: null })
        .isRefused(fenced)
    }
  })

  it("is heard no more when another one is current, whatever it says", () => {
    const fencedByTwo = new Manager.SessionFenced({ managerId, epoch: one, current: two })
    const commands: ReadonlyArray<Manager.ManagerCommand> = [
      { _tag: "Ready", ...ofSession },
      { _tag: "ChangeActivity", ...ofSession, activity: "preparing", suiteId: null },
      { _tag: "Disconnect", ...ofSession, reason: "silent" },
      { _tag: "Resume", ...ofSession },
      { _tag: "Lose", ...ofSession, reason: "silent", since: at },
      { _tag: "Leave", ...ofSession },
      { _tag: "Released", ...ofSession, suiteId: suite(1) },
      assign(1),
      unassign(1)
    ]
    for (const command of commands)
      given(...idle)
        .when(connect("b"), command)
        .isRefused(fencedByTwo)
  })
})

// MIT-100.
describe("activity", () => {
  const all = Manager.Activity.literals
  const moves = new Set([
    "idle>preparing",
    "preparing>executing",
    "preparing>idle",
    "executing>cleanup",
    "executing>idle",
    "cleanup>idle"
  ])
  /** What leads to an activity, itself included. */
  const ways: { readonly [A in Manager.Activity]: ReadonlyArray<Manager.Activity> } = {
    idle: [],
    preparing: ["preparing"],
    executing: ["preparing", "executing"],
    cleanup: ["preparing", "executing", "cleanup"]
  }
  const changed = (from: Manager.Activity, to: Manager.Activity, time: number): Manager.ManagerEvent => ({
    _tag: "ManagerActivityChanged",
    epoch: one,
    from,
    to,
    suiteId: suite(1),
    at: time
  })
  const during = (activity: Manager.Activity) =>
    given(...busy, ...ways[activity].map((to, place) => changed(ways[activity][place - 1] ?? "idle", to, at)))
  const change = (activity: Manager.Activity): Manager.ManagerCommand => ({
    _tag: "ChangeActivity",
    ...ofSession,
    activity,
    suiteId: suite(1)
  })
  const pairs = all.flatMap((from) => all.map((to) => [from, to] as const))

  it.each(all)("%s stays as it is", (activity) => {
    during(activity).when(change(activity)).givesNothing()
  })

  it.each(pairs.filter(([from, to]) => moves.has(`${from}>${to}`)))("%s becomes %s", (from, to) => {
    during(from)
      .when(change(to))
      .gives(changed(from, to, now))
  })

  it.each(pairs.filter(([from, to]) => from !== to && !moves.has(`${from}>${to}`)))(
    "%s never becomes %s",
    (from, to) => {
      const allowed = all.filter((activity) => moves.has(`${from}>${activity}`))
      const outcome = during(from).when(change(to))
      const error = outcome.error
      assert.instanceOf(error, Manager.ActivityNotAllowed)
      assert.deepInclude(error, { managerId, from, to })
      assert.sameMembers([...error.allowed], allowed)
    }
  )
})

describe("assignment", () => {
  it("is taken by a session that is ready, once", () => {
    given(...idle)
      .when(assign(1))
      .gives({ _tag: "ManagerAssigned", epoch: one, suiteId: suite(1), at: now })
    given(...busy)
      .when(assign(1))
      .givesNothing()
  })

  it("that shall be given back is kept when it is assigned anew, until it is cleaned up", () => {
    const leaving = [...busy, releasing]
    given(...leaving)
      .when(assign(1))
      .gives({ _tag: "ManagerAssigned", epoch: one, suiteId: suite(1), at: now })
    const kept = given(...leaving, assigned)
    kept.when(assign(1)).givesNothing()
    kept.when(unassign(1)).gives({ ...releasing, at: now })
    given(...leaving, suspected)
      .when(assign(1))
      .givesNothing()
    given(...leaving, draining)
      .when(assign(1))
      .givesNothing()
    given(
      ...leaving,
      { ...step, from: "idle", to: "preparing" },
      { ...step, from: "preparing", to: "executing" },
      { ...step, from: "executing", to: "cleanup" }
    )
      .when(assign(1))
      .givesNothing()
  })

  it("is not taken by a manager that cannot run it", () => {
    const refused = (reason: Manager.ManagerNotAvailable["reason"]) =>
      new Manager.ManagerNotAvailable({ managerId, reason })
    const stopping: Manager.ManagerEvent = {
      _tag: "ManagerShutdownRequested",
      epoch: one,
      mode: "graceful",
      actor: "admin",
      at
    }
    given(...online)
      .when(assign(1))
      .isRefused(refused("not_ready"))
    given(...idle, suspected)
      .when(assign(1))
      .isRefused(refused("suspected"))
    given(...idle, draining)
      .when(assign(1))
      .isRefused(refused("draining"))
    given(...idle, stopping)
      .when(assign(1))
      .isRefused(refused("shutting_down"))
  })

  it("of another suite first sends away the one that is there", () => {
    const releaseRequested: Manager.ManagerEvent = { ...releasing, at: now }
    given(...busy)
      .when(assign(2))
      .gives(releaseRequested)
    given(...busy, releasing)
      .when(assign(2))
      .givesNothing()
    given(...busy, releasing)
      .when({ _tag: "Released", ...ofSession, suiteId: suite(1) }, assign(2))
      .gives({ _tag: "ManagerAssigned", epoch: one, suiteId: suite(2), at: now })
  })

  it("is asked back once, and only the one that is there", () => {
    given(...busy)
      .when(unassign(1))
      .gives({ ...releasing, at: now })
    given(...busy, releasing)
      .when(unassign(1))
      .givesNothing()
    given(...busy)
      .when(unassign(2))
      .givesNothing()
    given(...idle)
      .when(unassign(1))
      .givesNothing()
    given(...idle, left)
      .when(unassign(1))
      .givesNothing()
  })

  it("is given back once, asked or unasked", () => {
    const released: Manager.ManagerCommand = { _tag: "Released", ...ofSession, suiteId: suite(1) }
    const expected: Manager.ManagerEvent = { _tag: "ManagerReleased", epoch: one, suiteId: suite(1), at: now }
    given(...busy, releasing)
      .when(released)
      .gives(expected)
    given(...busy)
      .when(released)
      .gives(expected)
    given(...idle)
      .when(released)
      .givesNothing()
    given(...busy)
      .when({ ...released, suiteId: suite(2) })
      .givesNothing()
  })

  it("of the latest sessions alone is remembered, with their processes", () => {
    const [first, ...others] = Array.from({ length: 20 }, (_, number) => connect(String(number)))
    const { state } = given().when(first ?? connect("first"), ...others)
    assert.lengthOf(state._tag === "Online" ? state.ended : [], Manager.maxEndedSessions)
    assert.strictEqual(Manager.epochOf(state), epoch(20))
  })

  it("of sessions that are over is remembered, since their leases may still be held", () => {
    const { state } = given(...busy).when(connect("b"))
    assert.deepStrictEqual(Manager.owedReclaims(state), [{ instance: "a", epoch: one, suiteId: suite(1) }])
  })
})

describe("operators", () => {
  it("drain a manager, also one that is not there, and end the drain", () => {
    const drain = (wanted: boolean): Manager.ManagerCommand => ({
      _tag: "RequestDrain",
      managerId,
      draining: wanted,
      actor: "admin",
      now
    })
    given(...idle)
      .when(drain(true))
      .gives({ _tag: "ManagerDrainRequested", actor: "admin", at: now })
    given(...idle, lost)
      .when(drain(true))
      .gives({ _tag: "ManagerDrainRequested", actor: "admin", at: now })
    given(...idle, draining)
      .when(drain(true))
      .givesNothing()
    given(...idle, draining)
      .when(drain(false))
      .gives({ _tag: "ManagerDrainEnded", actor: "admin", at: now })
    given(...idle)
      .when(drain(false))
      .givesNothing()
  })

  it("shut a manager down; force follows graceful and is never taken back", () => {
    const shutdown = (mode: Manager.ShutdownMode): Manager.ManagerCommand => ({
      _tag: "RequestShutdown",
      managerId,
      mode,
      actor: "admin",
      now
    })
    const requested = (mode: Manager.ShutdownMode): Manager.ManagerEvent => ({
      _tag: "ManagerShutdownRequested",
      epoch: one,
      mode,
      actor: "admin",
      at: now
    })
    given(...idle)
      .when(shutdown("graceful"))
      .gives(requested("graceful"))
    given(...idle, requested("graceful"))
      .when(shutdown("graceful"))
      .givesNothing()
    given(...idle, requested("graceful"))
      .when(shutdown("force"))
      .gives(requested("force"))
    given(...idle, requested("force"))
      .when(shutdown("graceful"))
      .givesNothing()
    given(...idle, lost)
      .when(shutdown("force"))
      .isRefused(new Manager.ManagerOffline({ managerId }))
  })
})

describe("a manager that was never heard of", () => {
  it("can only connect", () => {
    const notFound = new Manager.ManagerNotFound({ managerId })
    given()
      .when({ _tag: "Ready", ...ofSession })
      .isRefused(notFound)
    given().when(assign(1)).isRefused(notFound)
    given().when({ _tag: "RequestDrain", managerId, draining: true, actor: "admin", now }).isRefused(notFound)
  })
})

describe("events that cannot happen", () => {
  const impossible: ReadonlyArray<readonly [string, ReadonlyArray<Manager.ManagerEvent>, Manager.ManagerEvent]> = [
    ["anything before the registration", [], connected],
    ["a second registration", online, registered],
    ["a session beside another", online, { ...connected, epoch: two }],
    ["an epoch again", [...online, left], connected],
    ["another session's readiness", online, { ...ready, epoch: two }],
    ["a step from where it is not", idle, { ...step, from: "executing", to: "cleanup" }],
    ["trust in what was not suspected", idle, { _tag: "ManagerReconnected", epoch: one, at: now }],
    ["a loss of what is not there", [...idle, left], lost],
    ["a second suite", busy, { ...assigned, suiteId: suite(2) }],
    ["a suite after the goodbye", [...idle, left], assigned],
    ["a release of what it does not have", idle, releasing]
  ]

  it.each(impossible)("%s: change nothing", (_, history, event) => {
    const before = replay(Manager.decider, history)
    assert.strictEqual(Manager.decider.evolve(before, event), before)
  })
})

describe("the view", () => {
  it("shows nothing of a manager that was never heard of", () => {
    assert.isUndefined(Manager.fromState(Manager.initial()))
  })

  it("shows what a manager does and for whom", () => {
    const { state } = given(...busy).when({
      _tag: "ChangeActivity",
      ...ofSession,
      activity: "preparing",
      suiteId: suite(1)
    })
    assert.deepStrictEqual(Manager.fromState(state), {
      id: managerId,
      ...spec(),
      state: "preparing",
      epoch: one,
      suiteId: suite(1),
      draining: false,
      connectedAt: new Date(at).toISOString(),
      updatedAt: new Date(now).toISOString()
    })
  })

  it("keeps showing what a suspected manager was doing", () => {
    const { state } = given(...busy).when({ _tag: "Disconnect", ...ofSession, reason: "silent" })
    assert.deepInclude(Manager.fromState(state), { state: "idle", suiteId: suite(1) })
  })

  it("shows a manager without a session as offline, with its last one", () => {
    const { state } = given(...busy).when({ _tag: "Leave", ...ofSession })
    assert.deepInclude(Manager.fromState(state), { state: "offline", epoch: one, suiteId: null })
  })
})

describe("a suite that asks for a lease", () => {
  const lease = Lease.make(120_000)
  const onLease = [...idle, { ...assigned, lease }]
  const replaced = (leaseEnd: Manager.LeaseEnd): Manager.ManagerEvent => ({
    _tag: "ManagerLost",
    epoch: one,
    reason: "replaced",
    suiteId: suite(1),
    leaseEnd,
    at: now
  })
  const owed = (...events: ReadonlyArray<Manager.ManagerEvent>) => Manager.owedReclaims(replay(Manager.decider, events))

  it("is assigned with it, and keeps it while it is given back", () => {
    given(...idle)
      .when(assign(1, lease))
      .gives({ ...assigned, lease, at: now })
    const state = replay(Manager.decider, [...onLease, releasing])
    assert.deepStrictEqual("session" in state ? state.session.assignment : null, {
      suiteId: suite(1),
      releasing: true,
      lease
    })
  })

  it("has nothing left to wait for when its manager is lost, since that was waited for", () => {
    const gone: Manager.ManagerEvent = {
      ...replaced("over"),
      reason: "disconnected"
    } as typeof Manager.ManagerLost.Type
    given(...onLease, suspected)
      .when({ _tag: "Lose", ...ofSession, reason: "disconnected", since: at })
      .gives(gone)
    assert.deepStrictEqual(owed(...onLease, suspected, gone), [{ instance: "a", epoch: one, suiteId: suite(1) }])
  })

  it("is waited for when another process comes, unless that one has seen that nothing is left", () => {
    const next = { ...connected, instance: "b", epoch: two, at: now }
    given(...onLease)
      .when(connect("b"))
      .gives(replaced("open"), next)
    given(...onLease)
      .when(connect("b", ["x"]))
      .gives(replaced("open"), next)
    given(...onLease)
      .when(connect("b", ["x", "a"]))
      .gives(replaced("gone"), next)
    assert.deepStrictEqual(owed(...onLease, replaced("open"), next), [
      { instance: "a", epoch: one, suiteId: suite(1), lease }
    ])
    assert.deepStrictEqual(owed(...onLease, replaced("gone"), next), [{ instance: "a", epoch: one, suiteId: suite(1) }])
  })

  it("is waited for although the session is forgotten, by those that came after it", () => {
    const history: Array<Manager.ManagerEvent> = [...onLease, replaced("open")]
    for (let number = 2; number < 12; number++) {
      const session = { epoch: epoch(number), at: now }
      history.push(
        { ...connected, ...session, instance: String(number) },
        { ...assigned, ...session },
        { _tag: "ManagerLeft", suiteId: suite(1), ...session }
      )
    }
    assert.deepStrictEqual(owed(...history)[0], { instance: "4", epoch: epoch(4), suiteId: suite(1), lease })
  })

  it("does not matter to a manager that says goodbye: it has ended everything", () => {
    assert.deepStrictEqual(owed(...onLease, { ...left, suiteId: suite(1) }), [
      { instance: "a", epoch: one, suiteId: suite(1) }
    ])
  })
})
