/**
 * What holds for a pool whatever it is told.
 */
import { assert, it } from "@effect/vitest"
import { Arbitrary, Effect, Result, Schema } from "effect"
import * as Coordinator from "@muster/domain/Coordinator"
import type { ManagerId } from "@muster/domain/Manager/Id"
import type { SuiteId } from "@muster/domain/Suite/Id"
import { run, step } from "./support/GivenWhenThen.ts"
import { Epochs, ManagerIds, SuiteIds, Tags, Wait, sequences, start } from "./support/Arbitraries.ts"
import * as Properties from "./support/Properties.ts"

const Count = Schema.Literals([0, 0, 1, 3, 9])
const session = { managerId: ManagerIds, epoch: Epochs, now: Wait }

const announceManager = Schema.TaggedStruct("AnnounceManager", {
  ...session,
  tags: Tags,
  workers: Schema.Literals([1, 4]),
  ready: Schema.Boolean,
  draining: Schema.Literals([false, false, false, true]),
  assignedSuite: Schema.Union([Schema.Null, Schema.Null, SuiteIds])
})
const announceSuite = Schema.TaggedStruct("AnnounceSuite", {
  suiteId: SuiteIds,
  tags: Tags,
  priority: Schema.Literals([0, 0, 1]),
  createdAt: Schema.Literals([start - 2, start - 1]),
  workers: Schema.optionalKey(Schema.Literal(2)),
  managers: Schema.optionalKey(Schema.Tuple([ManagerIds, ManagerIds])),
  queued: Count,
  pending: Count,
  now: Wait
})
const plan = Schema.TaggedStruct("Plan", { now: Wait, linger: Schema.optionalKey(Schema.Literal(100)) })

const commands = sequences<Coordinator.CoordinatorCommand>(
  Schema.Union([
    announceManager,
    announceManager,
    announceSuite,
    announceSuite,
    plan,
    plan,
    Schema.TaggedStruct("ManagerGone", session),
    Schema.TaggedStruct("AssignmentReleased", { ...session, suiteId: SuiteIds })
  ])
)

const fingerprint = (state: Coordinator.State): string => JSON.stringify(Coordinator.toSnapshot(state))

it.prop("no event that is decided is impossible", [commands], ([told]) => {
  Properties.eventsArePossible(Coordinator.decider, told, { fingerprint })
})

it.prop("a command that comes twice adds nothing", [commands], ([told]) => {
  Properties.repeatingAddsNothing(Coordinator.decider, told)
})

it.prop("the history gives the state back", [commands], ([told]) => {
  Properties.replayAgrees(Coordinator.decider, told, fingerprint)
})

it.prop("any event is taken in any state", [commands, Schema.Array(Coordinator.CoordinatorEvent)], ([told, events]) => {
  Properties.evolveIsTotal(Coordinator.decider, run(Coordinator.decider, told).state, events)
})

it.prop("events survive storage", [Coordinator.CoordinatorEvent], ([event]) => {
  Properties.survivesJson(Coordinator.CoordinatorEvent, event)
})

it.prop("a snapshot decides as the history does", [commands, commands], ([before, after]) => {
  const { state } = run(Coordinator.decider, before)
  const snapshot = Coordinator.toSnapshot(state)
  Properties.survivesJson(Coordinator.Snapshot, snapshot)
  const restored = { ...Coordinator.decider, initial: () => Coordinator.fromSnapshot(snapshot) }
  const continued = { ...Coordinator.decider, initial: () => state }
  const fromSnapshot = run(restored, after).steps
  assert.deepStrictEqual(fromSnapshot, run(continued, after).steps)
})

/** Who has what, kept from the events alone. */
class Ledger {
  readonly has = new Map<ManagerId, { readonly suiteId: SuiteId; readonly slots: number; releasing: boolean }>()

  record(event: Coordinator.CoordinatorEvent): void {
    switch (event._tag) {
      case "SuiteAssigned": {
        const held = this.has.get(event.managerId)
        if (held !== undefined) assert.deepInclude(held, { suiteId: event.suiteId, releasing: true })
        this.has.set(event.managerId, { suiteId: event.suiteId, slots: event.slots, releasing: false })
        break
      }
      case "ReleaseRequested": {
        const held = this.has.get(event.managerId)
        if (held === undefined) {
          assert.strictEqual(event.reason, "not_assigned")
          this.has.set(event.managerId, { suiteId: event.suiteId, slots: 0, releasing: true })
        } else {
          assert.deepInclude(held, { suiteId: event.suiteId, releasing: false })
          held.releasing = true
        }
        break
      }
      case "AssignmentEnded":
        assert.strictEqual(this.has.get(event.managerId)?.suiteId, event.suiteId)
        this.has.delete(event.managerId)
        break
      case "ManagerRemoved":
        assert.isFalse(this.has.has(event.managerId), "what a manager had ends before it is removed")
        break
      case "SuiteQueued":
      case "SuiteDrained":
      case "SuiteEnded":
      case "ManagerAvailable":
      case "ManagerUnavailable":
        break
    }
  }

  slotsOf(suiteId: SuiteId): number {
    return [...this.has.values()].reduce(
      (sum, held) => sum + (held.suiteId === suiteId && !held.releasing ? held.slots : 0),
      0
    )
  }
}

it.prop(
  "suites go only to managers that are free, ready and match, and only while they want more",
  [commands],
  ([told]) => {
    const ledger = new Ledger()
    let state = Coordinator.initial()
    for (const command of told) {
      const decided = Coordinator.decider.decide(state, command)
      for (const event of Result.getOrThrow(decided)) {
        if (event._tag === "SuiteAssigned") {
          const manager = state.managers.get(event.managerId)
          const suite = state.suites.get(event.suiteId)
          assert.deepInclude(manager, { epoch: event.epoch, ready: true, draining: false })
          assert.deepInclude(suite, { drainedAt: null, ended: false })
          assert.includeMembers([...(manager?.tags ?? [])], [...(suite?.tags ?? [])])
          assert.isTrue(suite?.managers?.includes(event.managerId) ?? true)
          assert.isBelow(ledger.slotsOf(event.suiteId), suite?.pending ?? 0)
        }
        ledger.record(event)
        state = Coordinator.decider.evolve(state, event)
      }
    }
  }
)

it.prop("directives name what each manager has, once", [commands], ([told]) => {
  const ledger = new Ledger()
  const { state, steps } = run(Coordinator.decider, told)
  for (const event of steps.flatMap(({ events }) => events)) ledger.record(event)
  const wishes = Coordinator.directives(state)
  assert.strictEqual(wishes.length, ledger.has.size)
  for (const { _tag, epoch, managerId, suiteId } of wishes) {
    assert.strictEqual(state.managers.get(managerId)?.epoch, epoch)
    assert.deepInclude(ledger.has.get(managerId), { suiteId, releasing: _tag === "Unassign" })
  }
})

it.prop("what is over is forgotten", [commands], ([told]) => {
  const { state } = run(Coordinator.decider, told)
  const held = new Set([...state.managers.values()].map(({ assignment }) => assignment?.suiteId))
  for (const suite of state.suites.values()) if (suite.ended) assert.isTrue(held.has(suite.suiteId))
  for (const managerId of state.gone.keys()) assert.isFalse(state.managers.has(managerId))
})

it.prop("a pool that is told what it knows writes nothing", [commands], ([told]) => {
  let { state } = run(Coordinator.decider, told)
  const now = (told.at(-1)?.now ?? start) + 60_000
  const settle = step(Coordinator.decider, state, { _tag: "Plan", now })
  state = settle.state
  const again: ReadonlyArray<Coordinator.CoordinatorCommand> = [
    ...[...state.suites.values()].map(
      ({ drainedAt: _, ended, managers, workers, ...suite }): Coordinator.CoordinatorCommand => ({
        _tag: "AnnounceSuite",
        ...suite,
        pending: ended ? 0 : Math.max(1, suite.pending),
        ...(workers === null ? {} : { workers }),
        ...(managers === null ? {} : { managers }),
        now
      })
    ),
    ...[...state.managers.values()].map(({ assignment, givenBack: _, ...manager }): Coordinator.CoordinatorCommand => ({
      _tag: "AnnounceManager",
      ...manager,
      assignedSuite: assignment?.suiteId ?? null,
      now
    })),
    { _tag: "Plan", now }
  ]
  for (const command of again) assert.deepStrictEqual(step(Coordinator.decider, state, command).step.events, [])
})

it.effect("the generated commands lead to every event, and to every reason", () =>
  Effect.gen(function* () {
    const samples = yield* Arbitrary.sampleEffect(commands, { count: 500, size: 80, seed: "coordinator" })
    const seen = new Set(
      samples.flatMap((told) =>
        run(Coordinator.decider, told).steps.flatMap(({ events }) =>
          events.map((event) => ("reason" in event ? `${event._tag} ${event.reason}` : event._tag))
        )
      )
    )
    assert.sameMembers(
      [...seen],
      [
        "SuiteQueued",
        "SuiteDrained",
        "SuiteEnded",
        "ManagerAvailable",
        "ManagerUnavailable draining",
        "ManagerUnavailable not_ready",
        "ManagerRemoved",
        "SuiteAssigned",
        "ReleaseRequested suite_waits",
        "ReleaseRequested drained",
        "ReleaseRequested ended",
        "ReleaseRequested draining",
        "ReleaseRequested not_matching",
        "ReleaseRequested not_assigned",
        "AssignmentEnded released",
        "AssignmentEnded given_back",
        "AssignmentEnded session_over"
      ]
    )
  })
)
