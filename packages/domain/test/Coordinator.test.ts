/**
 * A pool's rules by example.
 */
/* oxlint-disable vitest/expect-expect -- given/when/gives asserts */
import { assert, describe, it } from "@effect/vitest"
import * as Coordinator from "@muster/domain/Coordinator"
import { replay } from "@muster/domain/Decider"
import { giveBackPause } from "@muster/domain/Placement"
import * as GivenWhenThen from "./support/GivenWhenThen.ts"
import { epoch, manager, start, suite } from "./support/Arbitraries.ts"

const { given } = GivenWhenThen.make(Coordinator.decider)

const now = start + 1_000
const createdAt = start - 1_000

const announceSuite = (
  queued: number,
  pending = queued,
  overrides: Partial<Coordinator.AnnounceSuite> = {}
): Coordinator.AnnounceSuite => ({
  _tag: "AnnounceSuite",
  suiteId: suite(1),
  tags: ["linux"],
  priority: 0,
  createdAt,
  queued,
  pending,
  now,
  ...overrides
})

const suiteQueued = (
  queued: number,
  pending = queued,
  overrides: Partial<typeof Coordinator.SuiteQueued.Type> = {}
): Coordinator.CoordinatorEvent => ({
  _tag: "SuiteQueued",
  suiteId: suite(1),
  tags: ["linux"],
  priority: 0,
  createdAt,
  queued,
  pending,
  at: now,
  ...overrides
})

const drained: typeof Coordinator.SuiteDrained.Type = { _tag: "SuiteDrained", suiteId: suite(1), at: now }
const ended: Coordinator.CoordinatorEvent = { _tag: "SuiteEnded", suiteId: suite(1), at: now }

const announceManager = (overrides: Partial<Coordinator.AnnounceManager> = {}): Coordinator.AnnounceManager => ({
  _tag: "AnnounceManager",
  managerId: manager(1),
  epoch: epoch(1),
  tags: ["linux", "gpu"],
  workers: 4,
  ready: true,
  draining: false,
  assignedSuite: null,
  now,
  ...overrides
})

const session = { managerId: manager(1), epoch: epoch(1) }
const ofSuite = { ...session, suiteId: suite(1) }

const available: typeof Coordinator.ManagerAvailable.Type = {
  _tag: "ManagerAvailable",
  ...session,
  tags: ["linux", "gpu"],
  workers: 4,
  at: now
}
const unavailable = (reason: Coordinator.UnavailableReason): typeof Coordinator.ManagerUnavailable.Type => ({
  ...available,
  _tag: "ManagerUnavailable",
  reason
})
const assigned: typeof Coordinator.SuiteAssigned.Type = {
  _tag: "SuiteAssigned",
  ...ofSuite,
  slots: 4,
  refused: [],
  at: now
}
const releaseRequested = (
  reason: typeof Coordinator.ReleaseRequested.Type.reason,
  overrides: Partial<typeof Coordinator.ReleaseRequested.Type> = {}
): Coordinator.CoordinatorEvent => ({ _tag: "ReleaseRequested", ...ofSuite, reason, at: now, ...overrides })
const assignmentEnded = (reason: Coordinator.AssignmentEndReason): Coordinator.CoordinatorEvent => ({
  _tag: "AssignmentEnded",
  ...ofSuite,
  reason,
  at: now
})
const plan: Coordinator.Plan = { _tag: "Plan", now }
const released: Coordinator.AssignmentReleased = { _tag: "AssignmentReleased", ...ofSuite, now }

const working = [suiteQueued(8), available, assigned]
const releasing = [...working, releaseRequested("draining")]

describe("a suite", () => {
  it("is known when it first has a task waiting", () => {
    given().when(announceSuite(8, 9)).gives(suiteQueued(8, 9))
    given().when(announceSuite(0, 9)).givesNothing()
    given().when(announceSuite(0, 0)).givesNothing()
  })

  it("brings its wishes along", () => {
    given()
      .when(announceSuite(8, 8, { workers: 2, managers: [manager(3)], priority: 5 }))
      .gives(suiteQueued(8, 8, { workers: 2, managers: [manager(3)], priority: 5 }))
  })

  it("is news again when its managers are not enough for all of its tasks any more", () => {
    const served = given(...working, drained, suiteQueued(1, 4))
    served.when(announceSuite(1, 4)).givesNothing()
    served.when(announceSuite(1, 5)).gives(suiteQueued(1, 5))
    given(suiteQueued(1, 4)).when(announceSuite(1, 5)).givesNothing()
  })

  it("is news again when its waiting tasks have doubled or halved, or all of its tasks have doubled", () => {
    const known = given(suiteQueued(8, 12))
    known.when(announceSuite(8, 12)).givesNothing()
    known.when(announceSuite(15, 23)).givesNothing()
    known.when(announceSuite(5, 5)).givesNothing()
    known.when(announceSuite(16, 16)).gives(suiteQueued(16))
    known.when(announceSuite(4, 12)).gives(suiteQueued(4, 12))
    known.when(announceSuite(8, 24)).gives(suiteQueued(8, 24))
  })

  it("is news again when its wishes have changed", () => {
    given(suiteQueued(8))
      .when(announceSuite(8, 8, { priority: 1 }))
      .gives(suiteQueued(8, 8, { priority: 1 }))
    given(suiteQueued(8))
      .when(announceSuite(8, 8, { tags: [] }))
      .gives(suiteQueued(8, 8, { tags: [] }))
    given(suiteQueued(8))
      .when(announceSuite(8, 8, { workers: 1 }))
      .gives(suiteQueued(8, 8, { workers: 1 }))
    given(suiteQueued(8))
      .when(announceSuite(8, 8, { managers: [] }))
      .gives(suiteQueued(8, 8, { managers: [] }))
  })

  it("is drained once when nothing waits any more, and has tasks again", () => {
    given(suiteQueued(8)).when(announceSuite(0, 3)).gives(drained)
    given(suiteQueued(8), drained).when(announceSuite(0, 2)).givesNothing()
    given(suiteQueued(8), drained).when(announceSuite(8, 8)).gives(suiteQueued(8))
  })

  it("ends once when nothing is pending any more", () => {
    given(...working)
      .when(announceSuite(0, 0))
      .gives(ended)
    given(...working, drained)
      .when(announceSuite(0, 0))
      .gives(ended)
    given(...working, ended)
      .when(announceSuite(0, 0))
      .givesNothing()
    given(...working, ended)
      .when(announceSuite(1))
      .gives(suiteQueued(1))
  })

  it("is forgotten when it has ended and nobody has it", () => {
    assert.strictEqual(given(suiteQueued(8)).when(announceSuite(0, 0)).state.suites.size, 0)
    assert.strictEqual(given(...working).when(announceSuite(0, 0)).state.suites.size, 1)
    assert.strictEqual(given(...working, ended).when(released).state.suites.size, 0)
    assert.strictEqual(given(...working, ended).when({ _tag: "ManagerGone", ...session, now }).state.suites.size, 0)
  })

  it("of a million tasks writes a few dozen events", () => {
    const commands = Array.from({ length: 1_000 }, (_, n) => announceSuite(1_000_000 - n * 1_000))
    const { steps } = GivenWhenThen.run(Coordinator.decider, [...commands, announceSuite(0, 5), announceSuite(0, 0)])
    assert.isBelow(steps.flatMap(({ events }) => events).length, 24)
  })
})

describe("a manager", () => {
  it("is available once", () => {
    given().when(announceManager()).gives(available)
    given(available).when(announceManager()).givesNothing()
  })

  it("is unavailable once, for the reason that weighs more", () => {
    given()
      .when(announceManager({ ready: false }))
      .gives(unavailable("not_ready"))
    given(available)
      .when(announceManager({ ready: false }))
      .gives(unavailable("not_ready"))
    given(available)
      .when(announceManager({ draining: true }))
      .gives(unavailable("draining"))
    given(available)
      .when(announceManager({ draining: true, ready: false }))
      .gives(unavailable("draining"))
    given(unavailable("draining"))
      .when(announceManager({ draining: true, ready: false }))
      .givesNothing()
    given(unavailable("draining")).when(announceManager()).gives(available)
  })

  it("is news again when it has changed", () => {
    given(available)
      .when(announceManager({ workers: 8 }))
      .gives({ ...available, workers: 8 })
    given(available)
      .when(announceManager({ tags: ["linux"] }))
      .gives({ ...available, tags: ["linux"] })
  })

  it("is removed once, with what it had", () => {
    const gone: Coordinator.ManagerGone = { _tag: "ManagerGone", ...session, now }
    const removed: Coordinator.CoordinatorEvent = { _tag: "ManagerRemoved", ...session, at: now }
    given(available).when(gone).gives(removed)
    given(...working)
      .when(gone)
      .gives(assignmentEnded("session_over"), removed)
    given(available, removed).when(gone).givesNothing()
    given().when(gone).givesNothing()
    given({ ...available, epoch: epoch(2) })
      .when(gone)
      .givesNothing()
  })

  it("loses what it had when a new session is there", () => {
    given(...working)
      .when(announceManager({ epoch: epoch(2), ready: false }))
      .gives(
        assignmentEnded("session_over"),
        { _tag: "ManagerRemoved", ...session, at: now },
        { ...unavailable("not_ready"), epoch: epoch(2) }
      )
  })

  it("is not brought back by old news", () => {
    const removed: Coordinator.CoordinatorEvent = { _tag: "ManagerRemoved", ...session, at: now }
    given(available, removed).when(announceManager()).givesNothing()
    given({ ...available, epoch: epoch(2) })
      .when(announceManager())
      .givesNothing()
    given(available, removed)
      .when(announceManager({ epoch: epoch(2) }))
      .gives({ ...available, epoch: epoch(2) })
  })

  it("is remembered when it is gone, but not all of them for ever", () => {
    const commands = Array.from({ length: Coordinator.maxGone + 10 }, (_, n) => [
      announceManager({ managerId: manager(n) }),
      { _tag: "ManagerGone", managerId: manager(n), epoch: epoch(1), now } as const
    ]).flat()
    const { state } = GivenWhenThen.run(Coordinator.decider, commands)
    assert.strictEqual(state.gone.size, Coordinator.maxGone)
    assert.isFalse(state.gone.has(manager(0)))
    assert.isTrue(state.gone.has(manager(Coordinator.maxGone + 9)))
  })
})

describe("a plan", () => {
  it("assigns suites to managers, and is carried out once", () => {
    given(suiteQueued(8), available).when(plan).gives(assigned)
    given(...working)
      .when(plan)
      .givesNothing()
    given().when(plan).givesNothing()
  })

  it("says which better suites a manager did not get", () => {
    given(suiteQueued(8, 8, { suiteId: suite(2), tags: ["cuda"], priority: 1 }), suiteQueued(8), available)
      .when(plan)
      .gives({ ...assigned, refused: [[suite(2), { _tag: "TagsMissing", tags: ["cuda"] }]] })
  })

  it("asks a draining manager to give its suite back, once", () => {
    given(...working, unavailable("draining"))
      .when(plan)
      .gives(releaseRequested("draining"))
    given(...working, unavailable("draining"), releaseRequested("draining"))
      .when(plan)
      .givesNothing()
  })

  it("frees a manager of a drained suite for another one, and assigns it when it is free", () => {
    const other = suiteQueued(8, 8, { suiteId: suite(2) })
    given(...working, drained, other)
      .when(plan)
      .gives(releaseRequested("suite_waits", { waiting: suite(2) }))
    given(
      ...working,
      drained,
      other,
      releaseRequested("suite_waits", { waiting: suite(2) }),
      assignmentEnded("released")
    )
      .when(plan)
      .gives({ ...assigned, suiteId: suite(2) })
  })

  it("keeps a manager for a drained suite for as long as it is told to", () => {
    given(...working, drained)
      .when({ ...plan, now: now + 4_999 })
      .givesNothing()
    given(...working, drained)
      .when({ ...plan, now: now + 5_000 })
      .gives(releaseRequested("drained", { at: now + 5_000 }))
    given(...working, ended)
      .when({ ...plan, now: now + 200, linger: 200 })
      .gives(releaseRequested("ended", { at: now + 200 }))
  })

  it("goes on when new tasks come to a suite that its managers were kept for", () => {
    const { state } = given(...working, drained).when(announceSuite(1))
    assert.deepStrictEqual(Coordinator.directives(state), [{ _tag: "Assign", ...ofSuite }])
    given(...working, drained)
      .when(announceSuite(1), { ...plan, now: now + 60_000 })
      .givesNothing()
  })

  it("assigns it anew to a manager that still gives it back when new tasks come, and leaves that alone for a while", () => {
    const asked = releaseRequested("drained")
    const again = { ...assigned, at: now + 7_000 }
    const outcome = given(...working, drained, asked).when(announceSuite(1), { ...plan, now: now + 7_000 })
    outcome.gives(again)
    assert.deepStrictEqual(Coordinator.directives(outcome.state), [{ _tag: "Assign", ...ofSuite }])
    given(...working, drained, asked, suiteQueued(1), again, drained, { ...asked, at: now + 7_001 }, suiteQueued(1))
      .when({ ...plan, now: now + 7_002 })
      .gives({ ...again, at: now + 7_002 })
    const other = suiteQueued(8, 8, { suiteId: suite(2) })
    const kept = given(...working, drained, asked, suiteQueued(1), again, drained, other)
    kept.when({ ...plan, now: now + 13_999, linger: 60_000 }).givesNothing()
    kept
      .when({ ...plan, now: now + 14_000, linger: 60_000 })
      .gives(releaseRequested("suite_waits", { waiting: suite(2), at: now + 14_000 }))
  })

  it("leaves a suspected manager what it has", () => {
    given(...working, unavailable("not_ready"))
      .when(plan)
      .givesNothing()
  })

  it("does not offer a suite again at once to a manager that gave it back unasked", () => {
    const unasked = given(...working).when(released)
    unasked.gives(assignmentEnded("given_back"))
    given(...working, assignmentEnded("given_back"))
      .when({ ...plan, now: now + giveBackPause - 1 })
      .givesNothing()
    given(...working, assignmentEnded("given_back"))
      .when({ ...plan, now: now + giveBackPause })
      .gives({ ...assigned, at: now + giveBackPause })
  })
})

describe("what a manager gave back", () => {
  it("is remembered for a while only", () => {
    const suites = [1, 2, 3].map(suite)
    const commands = suites.flatMap((suiteId, place): ReadonlyArray<Coordinator.CoordinatorCommand> => {
      const time = now + place * giveBackPause
      return [
        { ...announceSuite(8), suiteId, now: time },
        { ...announceManager(), now: time },
        { ...plan, now: time },
        { ...released, suiteId, now: time },
        { ...announceSuite(0, 0), suiteId, now: time }
      ]
    })
    const { state } = GivenWhenThen.run(Coordinator.decider, commands)
    assert.deepStrictEqual(state.managers.get(manager(1))?.givenBack, [[suite(3), now + 2 * giveBackPause]])
  })
})

describe("events that cannot happen", () => {
  const removed: Coordinator.CoordinatorEvent = { _tag: "ManagerRemoved", ...session, at: now }
  const impossible: ReadonlyArray<
    readonly [string, ReadonlyArray<Coordinator.CoordinatorEvent>, Coordinator.CoordinatorEvent]
  > = [
    ["the end of a suite that is not known", [], ended],
    ["a second drain", [suiteQueued(8), drained], { ...drained, at: now + 1 }],
    ["the return of a session that is gone", [available, removed], available],
    ["an older session", [{ ...available, epoch: epoch(2) }], available],
    ["the removal of an older session", [{ ...available, epoch: epoch(2) }], removed],
    ["an assignment to nobody", [suiteQueued(8)], assigned],
    ["an assignment of nothing", [available], assigned],
    ["a second assignment", working, { ...assigned, slots: 9 }],
    ["a second request to give back", releasing, releaseRequested("drained")],
    ["the end of what nobody has", [available], assignmentEnded("released")]
  ]

  it.each(impossible)("%s: change nothing", (_, history, event) => {
    const state = replay(Coordinator.decider, history)
    const before = Coordinator.toSnapshot(state)
    assert.deepStrictEqual(Coordinator.toSnapshot(Coordinator.decider.evolve(state, event)), before)
  })
})

describe("an assignment", () => {
  it("ends once when it was given back", () => {
    given(...releasing)
      .when(released)
      .gives(assignmentEnded("released"))
    given(...releasing, assignmentEnded("released"))
      .when(released)
      .givesNothing()
  })

  it("does not end by news of another session or suite", () => {
    given(...working)
      .when({ ...released, epoch: epoch(2) })
      .givesNothing()
    given(...working)
      .when({ ...released, suiteId: suite(2) })
      .givesNothing()
  })

  it("that a manager does not know of yet is left to be told again", () => {
    const outcome = given(...working).when(announceManager({ assignedSuite: null }))
    outcome.givesNothing()
    assert.deepStrictEqual(Coordinator.directives(outcome.state), [{ _tag: "Assign", ...ofSuite }])
  })

  it("that a manager has another suite in the way of is left to be told again", () => {
    given(...working)
      .when(announceManager({ assignedSuite: suite(2) }))
      .givesNothing()
  })

  it("that shall end is wanted back until the manager no longer has it", () => {
    const still = given(...releasing).when(announceManager({ assignedSuite: suite(1) }))
    assert.deepStrictEqual(Coordinator.directives(still.state), [{ _tag: "Unassign", ...ofSuite }])
    given(...working, releaseRequested("drained"))
      .when(announceManager({ assignedSuite: suite(1) }))
      .givesNothing()
    given(...working, releaseRequested("drained"))
      .when(announceManager())
      .gives(assignmentEnded("released"))
  })

  it("that nobody made is asked back", () => {
    given(available)
      .when(announceManager({ assignedSuite: suite(1) }))
      .gives(releaseRequested("not_assigned"))
    given()
      .when(announceManager({ assignedSuite: suite(1) }))
      .gives(available, releaseRequested("not_assigned"))
    given(...working, releaseRequested("drained"))
      .when(announceManager({ assignedSuite: suite(2) }))
      .gives(assignmentEnded("released"), releaseRequested("not_assigned", { suiteId: suite(2) }))
  })

  it("that nobody made keeps the manager from getting another one", () => {
    given(suiteQueued(8), available, releaseRequested("not_assigned", { suiteId: suite(2) }))
      .when(plan)
      .givesNothing()
  })
})

describe("explain", () => {
  it("says why a manager does not run a suite", () => {
    const { state } = given(suiteQueued(8, 8, { suiteId: suite(2), tags: ["cuda"] }), ...working, {
      ...available,
      managerId: manager(2),
      tags: ["cuda"]
    }).when({ ...plan, now })
    assert.deepStrictEqual(Coordinator.explain(state, now, suite(2)), [
      { suiteId: suite(2), managerId: manager(1), reason: { _tag: "TagsMissing", tags: ["cuda"] } }
    ])
    assert.deepStrictEqual(Coordinator.explain(state, now, suite(1)), [
      { suiteId: suite(1), managerId: manager(2), reason: { _tag: "TagsMissing", tags: ["linux"] } }
    ])
  })
})

it("a pool's name is safe in a stream's name", () => {
  assert.strictEqual(Coordinator.stream(Coordinator.defaultPool), "coordinator-main")
  assert.throws(() => Coordinator.Pool.make("no spaces"))
})
