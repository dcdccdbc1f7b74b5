/**
 * What holds for a manager whatever happens to it.
 */
import { assert, it } from "@effect/vitest"
import { Arbitrary, Effect, Result, Schema } from "effect"
import * as Manager from "@muster/domain/Manager"
import { run, step } from "./support/GivenWhenThen.ts"
import { Specs, Wait, epoch, manager, sequences, spec, suite } from "./support/Arbitraries.ts"
import * as Properties from "./support/Properties.ts"

const addressed = { managerId: Schema.Literal(manager(1)), now: Wait }
const actor = Schema.Literal("admin")

/** As generated the epoch is a distance: 0 to 7 the current session, 8 the one before it, 9 one that never was. */
const Distance = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 9 })).pipe(Schema.brand("Epoch"))
const ofSession = { ...addressed, epoch: Distance }
const Suites = Schema.Literals([suite(1), suite(2)])
const ofSuite = { ...ofSession, suiteId: Suites }

const ready = Schema.TaggedStruct("Ready", ofSession)
const MaybeLease = Schema.UndefinedOr(Schema.Struct({ duration: Schema.Literal(5_000), margin: Schema.Literal(1_050) }))
const assign = Schema.TaggedStruct("Assign", { ...ofSuite, lease: MaybeLease })
const released = Schema.TaggedStruct("Released", ofSuite)
const changeActivity = Schema.TaggedStruct("ChangeActivity", {
  ...ofSession,
  activity: Manager.Activity,
  suiteId: Schema.NullOr(Suites)
})

// What makes a session's life stands more than once, or few would live long enough to have one.
const relative = sequences<Manager.ManagerCommand>(
  Schema.Union([
    Schema.TaggedStruct("Connect", {
      ...addressed,
      instance: Schema.Literals(["a", "b", "c", "d", "e"]),
      spec: Specs,
      gone: Schema.Array(Schema.Literals(["a", "b", "c", "d", "e"]))
    }),
    ready,
    ready,
    changeActivity,
    changeActivity,
    changeActivity,
    assign,
    assign,
    assign,
    released,
    released,
    Schema.TaggedStruct("Unassign", ofSuite),
    Schema.TaggedStruct("Disconnect", { ...ofSession, reason: Manager.SuspectReason }),
    Schema.TaggedStruct("Resume", ofSession),
    Schema.TaggedStruct("Lose", { ...ofSession, reason: Manager.SuspectReason, since: Schema.Literal(0) }),
    Schema.TaggedStruct("Leave", ofSession),
    Schema.TaggedStruct("RequestDrain", { ...addressed, draining: Schema.Boolean, actor }),
    Schema.TaggedStruct("RequestShutdown", { ...addressed, mode: Manager.ShutdownMode, actor }),
    Schema.TaggedStruct("RecordLies", {
      ...addressed,
      kinds: Schema.Struct({ malformed: Schema.Literals([0, 1, 5, 1_000_000]) }),
      example: Schema.Literal("a lie")
    })
  ])
)

const offset = (distance: number): number => (distance === 8 ? -1 : distance === 9 ? 1 : 0)

const commands = Arbitrary.map(relative, (given) => {
  let state = Manager.initial()
  return given.map((command) => {
    const current = Manager.epochOf(state)
    const since = state._tag === "Suspected" ? state.since : 0
    const judged = command._tag === "Lose" ? { ...command, since } : command
    const aimed = "epoch" in judged ? { ...judged, epoch: epoch(current + offset(judged.epoch)) } : judged
    state = step(Manager.decider, state, aimed).state
    return aimed
  })
})

it.prop("no event that is decided is impossible", [commands], ([given]) => {
  Properties.eventsArePossible(Manager.decider, given)
})

it.prop("a command that comes twice adds nothing", [commands], ([given]) => {
  Properties.repeatingAddsNothing(Manager.decider, given)
})

it.prop("the history gives the state back", [commands], ([given]) => {
  Properties.replayAgrees(Manager.decider, given)
})

it.prop("any event is taken in any state", [Manager.State, Schema.Array(Manager.ManagerEvent)], ([state, events]) => {
  Properties.evolveIsTotal(Manager.decider, state, events)
})

it.prop("events survive storage", [Manager.ManagerEvent], ([event]) => {
  Properties.survivesJson(Manager.ManagerEvent, event)
})

it.prop("states survive as snapshots", [commands], ([given]) => {
  Properties.survivesJson(Manager.State, run(Manager.decider, given).state)
})

it.prop("lies add few events, however many they are", [Schema.Array(Schema.Int)], ([numbers]) => {
  let state = run(Manager.decider, [
    { _tag: "Connect", managerId: manager(1), instance: "a", spec: spec(), gone: [], now: 0 }
  ] as const).state
  let total = 0
  let events = 0
  // As the actor asks: with all that no event tells of yet.
  let unrecorded = 0
  for (const number of numbers) {
    unrecorded += (Math.abs(number) % 1_000) + 1
    total += (Math.abs(number) % 1_000) + 1
    const command = {
      _tag: "RecordLies",
      managerId: manager(1),
      kinds: { malformed: unrecorded },
      example: "a lie",
      now: 0
    } as const
    const decided = Result.getOrThrow(Manager.decider.decide(state, command))
    state = decided.reduce(Manager.decider.evolve, state)
    events += decided.length
    if (decided.length > 0) unrecorded = 0
  }
  assert.isAtMost(events, Math.log2(total + 1) + 1)
})

it.prop("sessions rise, and no process gets a second one", [commands], ([given]) => {
  const opened = run(Manager.decider, given).steps.flatMap(({ events }) =>
    events.filter((event) => event._tag === "ManagerConnected")
  )
  assert.deepStrictEqual(
    opened.map((event) => Number(event.epoch)),
    opened.map((_, place) => place + 1)
  )
  assert.strictEqual(new Set(opened.map((event) => event.instance)).size, opened.length)
})

it.prop("a session has one suite at a time, and only when it is ready and not draining", [commands], ([given]) => {
  let has: string | null = null
  let isReady = false
  let isDraining = false
  for (const event of run(Manager.decider, given).steps.flatMap(({ events }) => events)) {
    switch (event._tag) {
      case "ManagerReady":
        isReady = true
        break
      case "ManagerDrainRequested":
      case "ManagerDrainEnded":
        isDraining = event._tag === "ManagerDrainRequested"
        break
      case "ManagerAssigned":
        assert.isNull(has)
        assert.isTrue(isReady)
        assert.isFalse(isDraining)
        has = event.suiteId
        break
      case "ManagerReleaseRequested":
        assert.strictEqual(event.suiteId, has)
        break
      case "ManagerReleased":
      case "ManagerLost":
      case "ManagerLeft":
        assert.strictEqual(event.suiteId, has)
        has = null
        if (event._tag !== "ManagerReleased") isReady = false
        break
      case "ManagerRegistered":
      case "ManagerConnected":
      case "ManagerActivityChanged":
      case "ManagerSuspected":
      case "ManagerReconnected":
      case "ManagerLied":
      case "ManagerShutdownRequested":
        break
    }
  }
})

it.effect("the generated commands lead to every event", () =>
  Effect.gen(function* () {
    const samples = yield* Arbitrary.sampleEffect(commands, { count: 300, size: 80, seed: "manager" })
    const seen = new Set(
      samples.flatMap((given) => run(Manager.decider, given).steps.flatMap(({ events }) => events.map((e) => e._tag)))
    )
    assert.sameMembers(
      [...seen],
      Manager.ManagerEvent.members.map((member) => member.fields._tag.schema.literal)
    )
  })
)

it.prop("what is owed of a lease is remembered until it is known to be over", [commands], ([given]) => {
  const { state, steps } = run(Manager.decider, given)
  const events = steps.flatMap((one) => one.events)
  let lease: object | undefined
  const open: Array<number> = []
  for (const event of events) {
    if (event._tag === "ManagerAssigned") lease = event.lease
    else if (event._tag === "ManagerReleased") lease = undefined
    else if (event._tag === "ManagerLost" || event._tag === "ManagerLeft") {
      const leaseEnd = event._tag === "ManagerLost" ? event.leaseEnd : undefined
      assert.strictEqual(leaseEnd !== undefined, event._tag === "ManagerLost" && lease !== undefined)
      if (leaseEnd === "open") open.push(event.epoch)
      lease = undefined
    }
  }
  const remembered = Manager.owedReclaims(state).filter((session) => session.lease !== undefined)
  // No process gets a second session, so none of the five is forgotten.
  assert.deepStrictEqual(
    remembered.map((session) => Number(session.epoch)),
    open
  )
})
