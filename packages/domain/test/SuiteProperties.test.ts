/**
 * What holds for a suite whatever happens to it.
 */
import { assert, it } from "@effect/vitest"
import { Arbitrary, Effect, Result, Schema } from "effect"
import { replay } from "@muster/domain/Decider"
import type { SuiteCommand } from "@muster/domain/Suite/Commands"
import { decide, decider, inventions } from "@muster/domain/Suite/Decider"
import { SuiteEvent } from "@muster/domain/Suite/Events"
import { evolve } from "@muster/domain/Suite/Evolve"
import * as State from "@muster/domain/Suite/State"
import type { SuiteState } from "@muster/domain/Suite/State"
import { Phase } from "@muster/domain/Suite/TaskTable"
import { Next, Outcome } from "@muster/domain/Task/Attempt"
import * as Arbitraries from "./support/Arbitraries.ts"
import * as Properties from "./support/Properties.ts"
import { dump, dumpTask, isHeldPhase } from "./support/SuiteDump.ts"
import { lives, thorough } from "./support/SuiteMoves.ts"
import { run, step } from "./support/GivenWhenThen.ts"

const life = lives(60)

const farAway = 2 ** 52

/** Plays a life again and looks at the state after each command. */
const eachState = (
  commands: ReadonlyArray<SuiteCommand>,
  look: (state: State.Existing, events: ReadonlyArray<SuiteEvent>) => void
): void => {
  let state = decider.initial()
  for (const command of commands) {
    const next = step(decider, state, command)
    state = next.state
    if (state._tag === "Existing") look(state, next.step.events)
  }
}

const eventsOf = (commands: ReadonlyArray<SuiteCommand>): ReadonlyArray<SuiteEvent> =>
  run(decider, commands).steps.flatMap(({ events }) => events)

const stateAfter = (commands: ReadonlyArray<SuiteCommand>): SuiteState => run(decider, commands).state

const indexes = (state: State.Existing) => Array.from({ length: state.tasks.size }, (_, index) => index)

it.effect("generated lives lead to every event, outcome, decision and error", () =>
  Effect.gen(function* () {
    const samples = yield* Arbitrary.sampleEffect(life, { count: 1_000, size: 600, seed: "suite" })
    const seen = new Set<string>()
    for (const { error, events } of samples.flatMap((commands) => run(decider, commands).steps)) {
      if (error !== undefined) seen.add(error._tag)
      for (const event of events) {
        seen.add("reason" in event && event._tag === "SuiteReopened" ? `${event._tag} ${event.reason}` : event._tag)
        if (event._tag !== "AttemptsEnded") continue
        for (const { next, outcome } of event.attempts) seen.add(`${outcome}, then ${next}`)
      }
    }
    const isPossible = (outcome: Outcome, next: Next) =>
      outcome === "succeeded"
        ? next === "succeeded"
        : next !== "succeeded" && (outcome !== "lease_lost" || next !== "failed")
    assert.sameMembers(
      [...seen],
      [
        ...SuiteEvent.members
          .map((member) => member.fields._tag.schema.literal)
          .filter((tag) => tag !== "SuiteReopened"),
        "SuiteReopened submit",
        "SuiteReopened retry",
        "SuiteReopened manager_lost",
        ...Outcome.literals.flatMap((outcome) =>
          Next.literals.filter((next) => isPossible(outcome, next)).map((next) => `${outcome}, then ${next}`)
        ),
        "SuiteIsCancelled",
        "TaskNotFound",
        "TaskStateConflict"
      ]
    )
  })
)

it.prop(
  "counters are a recount of the tasks and never negative",
  [life],
  ([given]) => {
    eachState(given, (state) => {
      const recount = [0, 0, 0, 0, 0, 0]
      for (const index of indexes(state))
        recount[state.tasks.phaseOf(index)] = (recount[state.tasks.phaseOf(index)] ?? 0) + 1
      assert.deepStrictEqual(state.counts, recount)
      const counts = State.taskCounts(state)
      assert.strictEqual(counts.pending, counts.queued + counts.assigned + counts.running)
      assert.strictEqual(counts.total, counts.pending + counts.succeeded + counts.failed + counts.cancelled)
    })
  },
  thorough
)

it.prop(
  "what a session holds is a recount of the tasks that name it",
  [life],
  ([given]) => {
    eachState(given, (state) => {
      const recount = new Map<string, number>()
      for (const index of indexes(state)) {
        const { holder } = dumpTask(state, index)
        assert.strictEqual(holder !== undefined, isHeldPhase(state.tasks.phaseOf(index)))
        if (holder !== undefined) recount.set(holder, (recount.get(holder) ?? 0) + 1)
      }
      const said = state.holders.list().filter((holder) => holder.tasks > 0)
      assert.strictEqual(said.length, recount.size)
      for (const { epoch, manager, tasks } of said) assert.strictEqual(recount.get(`${manager}@${epoch}`), tasks)
    })
  },
  thorough
)

it.prop(
  "every queued task is found exactly once, by rank, and no other",
  [life],
  ([given]) => {
    eachState(given, (state) => {
      const queued = indexes(state).filter((index) => state.tasks.phaseOf(index) === Phase.queued)
      const byRank = queued.toSorted(
        (x, y) => (dumpTask(state, y).priority ?? 0) - (dumpTask(state, x).priority ?? 0) || x - y
      )
      assert.deepStrictEqual(State.nextReady(state, Infinity, farAway), byRank)
      assert.deepStrictEqual(State.nextReady(state, 2, farAway), byRank.slice(0, 2))
    })
  },
  thorough
)

it.prop(
  "no delayed task is leased before its time, and each is at it",
  [life],
  ([given]) => {
    eachState(given, (state) => {
      for (const [index, time] of state.delays.entries()) {
        assert.notInclude(State.nextReady(state, Infinity, time - 1), index)
        assert.include(State.nextReady(state, Infinity, time), index)
      }
      const times = [...state.delays.entries()].map(([, time]) => time)
      assert.strictEqual(State.nextRetryAt(state), times.length === 0 ? undefined : Math.min(...times))
    })
  },
  thorough
)

it.prop(
  "an event speaks of a task once",
  [life],
  ([given]) => {
    for (const event of eventsOf(given)) {
      const named =
        event._tag === "AttemptsEnded"
          ? event.attempts.map(({ index }) => index)
          : event._tag === "TasksStarted"
            ? event.tasks.map(([index]) => index)
            : "ranges" in event
              ? event.ranges.flatMap(([first, last]) => [first, last].slice(first === last ? 1 : 0))
              : event._tag === "TasksLeased"
                ? event.leases.flatMap(([first, last]) => [first, last].slice(first === last ? 1 : 0))
                : []
      assert.strictEqual(new Set(named).size, named.length, JSON.stringify(event))
    }
  },
  thorough
)

it.prop(
  "attempts only rise, and settled tasks move only by a requeue",
  [life],
  ([given]) => {
    let attempts: ReadonlyArray<number> = []
    let phases: ReadonlyArray<number> = []
    eachState(given, (state, events) => {
      for (const [index, before] of attempts.entries()) assert.isAtLeast(state.tasks.attemptsOf(index), before)
      const requeued = events.flatMap((event) => (event._tag === "TasksRequeued" ? event.ranges : []))
      for (const [index, before] of phases.entries()) {
        if (before < Phase.succeeded || requeued.some(([first, last]) => first <= index && index <= last)) continue
        assert.strictEqual(state.tasks.phaseOf(index), before)
      }
      attempts = indexes(state).map((index) => state.tasks.attemptsOf(index))
      phases = indexes(state).map((index) => state.tasks.phaseOf(index))
    })
  },
  thorough
)

it.prop(
  "an attempt's outcome is recorded once; only a loss may be followed by a result",
  [life],
  ([given]) => {
    const outcomes = new Map<string, string>()
    for (const event of eventsOf(given)) {
      if (event._tag !== "AttemptsEnded") continue
      for (const { attempt, index, outcome } of event.attempts) {
        const name = `${index}#${attempt}`
        assert.include([undefined, "lost"], outcomes.get(name))
        outcomes.set(name, outcome === "lost" && outcomes.has(name) ? "lost again" : outcome)
      }
    }
  },
  thorough
)

it.prop(
  "complete exactly while nothing is pending; cancelled for ever; stopped when the last task has ended",
  [life],
  ([given]) => {
    let wasCancelled = false
    eachState(given, (state, events) => {
      const { pending, queued, total } = State.taskCounts(state)
      const tags = events.map((event) => event._tag)
      if (wasCancelled) assert.strictEqual(state.state, "cancelled")
      wasCancelled = state.state === "cancelled"
      if (state.state === "cancelled") {
        assert.strictEqual(queued, 0)
        assert.strictEqual(state.stopped, pending === 0)
        assert.notInclude(tags, "SuiteCompleted")
      } else {
        assert.strictEqual(state.state === "complete", total > 0 && pending === 0)
        assert.isFalse(state.stopped)
        assert.strictEqual(tags.includes("SuiteCompleted") && tags.at(-1) !== "SuiteCompleted", false)
      }
      assert.strictEqual(state.completedAt !== undefined, state.state === "complete" || state.stopped)
      assert.isAtMost(tags.filter((tag) => tag === "SuiteCompleted" || tag === "SuiteStopped").length, 1)
    })
  },
  thorough
)

it.prop(
  "nothing is handed out to a session that was taken back from",
  [life],
  ([given]) => {
    const over = new Map<string, number>()
    for (const { command, events } of run(decider, given).steps) {
      for (const event of events) {
        if (event._tag === "TasksLeased") assert.isAbove(event.epoch, over.get(event.manager) ?? 0)
      }
      if (command._tag !== "ReclaimLeases") continue
      over.set(command.manager, Math.max(over.get(command.manager) ?? 0, command.epoch))
    }
  },
  thorough
)

const isLease = ({ _tag }: SuiteEvent): boolean => _tag === "TasksLeased"

/** Says only that something came too late, or is not waited for any more. */
const isNote = (event: SuiteEvent): boolean =>
  event._tag === "LateResultsRecorded" ||
  (event._tag === "LeasesReturned" && event.reason === "returned" && event.ranges.length === 0)

it.prop(
  "nothing is handed out while the suite is paused or cancelled",
  [life],
  ([given]) => {
    let state = decider.initial()
    for (const command of given) {
      const isHalted = state._tag === "Existing" && (state.paused || state.state === "cancelled")
      const next = step(decider, state, command)
      if (isHalted && command._tag === "LeaseTasks") assert.deepStrictEqual(next.step.events.filter(isLease), [])
      state = next.state
    }
  },
  thorough
)

it.prop(
  "nothing follows from a state that was followed to its end",
  [life],
  ([given]) => {
    eachState(given, (state) => assert.deepStrictEqual(decider.follow?.(state, farAway), []))
  },
  thorough
)

/** Says twice how an attempt ended. The first counts; the second may be what becomes known after a loss. */
const contradictsItself = (command: SuiteCommand): boolean =>
  command._tag === "ReportTasks" &&
  new Set(command.ended.map(({ attempt, index }) => `${index}#${attempt}`)).size < command.ended.length

it.prop(
  "a command that comes twice adds nothing, but for submissions and leases",
  [life],
  ([given]) => {
    let state = decider.initial()
    for (const command of given) {
      state = step(decider, state, command).state
      if (command._tag === "SubmitTasks" || command._tag === "LeaseTasks" || contradictsItself(command)) continue
      const again = decide(state, command)
      if (Result.isFailure(again)) continue
      assert.deepStrictEqual(again.success, [])
    }
  },
  thorough
)

const Said = Schema.Array(Schema.Tuple([Schema.Int, Schema.Int]))

it.prop(
  "whatever a manager says that was never given anything changes nothing, and is counted",
  [life, Said],
  ([given, said]) => {
    const state = stateAfter(given)
    if (state._tag === "Missing") return
    // About tasks and attempts that there are, and about any others.
    const about = said.flatMap(([index, attempt]): ReadonlyArray<readonly [number, number]> => [
      [index, attempt],
      [Math.abs(index % (state.tasks.size + 1)), 1 + Math.abs(attempt % 4)]
    ])
    const ended = about.map(
      ([index, attempt]) => ({ index, attempt, outcome: "succeeded", finishedAt: farAway }) as const
    )
    const before = JSON.stringify(dump(state))
    const decided = decide(state, {
      _tag: "ReportTasks",
      manager: Arbitraries.manager(9),
      epoch: Arbitraries.epoch(1_000),
      started: about.map(([index, attempt]) => [index, attempt, farAway] as const),
      ended,
      returned: about,
      random: 0,
      now: farAway
    })
    assert.deepStrictEqual(decided, Result.succeed([]))
    assert.strictEqual(JSON.stringify(dump(state)), before)
    const made = inventions(state, ended, [])
    const known = about.filter(([index, attempt]) => state.tasks.has(index) && attempt <= state.tasks.attemptsOf(index))
    assert.strictEqual(made, about.length - known.length)
  },
  thorough
)

it.prop(
  "no event that is decided is impossible",
  [lives(30)],
  ([given]) => {
    Properties.eventsArePossible(decider, given, {
      // The version counts events, so it changes with each.
      fingerprint: (state) => JSON.stringify(state._tag === "Missing" ? {} : { ...dump(state), version: 0 }),
      isNote
    })
  },
  { arbitrary: { ...thorough.arbitrary, runs: 100 } }
)

it.prop(
  "the history gives the state back",
  [life],
  ([given]) => {
    const history = eventsOf(given)
    assert.deepStrictEqual(dump(replay(decider, history)), dump(stateAfter(given)))
    const state = stateAfter(given)
    assert.strictEqual(state._tag === "Existing" && state.version, history.length)
  },
  thorough
)

const Stored = Schema.fromJsonString(Schema.Array(SuiteEvent))

it.prop(
  "the history gives the state back after storage",
  [life],
  ([given]) => {
    const history = eventsOf(given)
    const stored = Schema.encodeSync(Stored)(history)
    const read = Schema.decodeUnknownSync(Stored)(stored)
    assert.deepStrictEqual(read, history)
    assert.deepStrictEqual(dump(replay(decider, read)), dump(stateAfter(given)))
  },
  thorough
)

it.prop("events survive storage", [SuiteEvent], ([event]) => {
  Properties.survivesJson(SuiteEvent, event)
})

it.prop(
  "any event is taken in any state, and leaves tables that agree with each other",
  [lives(20), Arbitrary.array(Arbitrary.schema(SuiteEvent), { maxLength: 20 })],
  ([given, events]) => {
    let state = stateAfter(given)
    for (const event of events) {
      state = evolve(state, event)
      if (state._tag === "Missing") continue
      const recount = [0, 0, 0, 0, 0, 0]
      for (const index of indexes(state))
        recount[state.tasks.phaseOf(index)] = (recount[state.tasks.phaseOf(index)] ?? 0) + 1
      assert.deepStrictEqual(state.counts, recount)
    }
  },
  { arbitrary: { runs: 100, size: 20 } }
)

it.prop(
  "any event about tasks that exist is taken, and leaves tables that agree with each other",
  [lives(20), lives(20)],
  ([given, other]) => {
    // Another suite's history speaks of the same tasks at the wrong time.
    let state = stateAfter(given)
    for (const event of eventsOf(other)) state = evolve(state, event)
    if (state._tag === "Missing") return
    const seen = state
    const queued = indexes(seen).filter((index) => seen.tasks.phaseOf(index) === Phase.queued)
    assert.sameMembers(State.nextReady(seen, Infinity, farAway), queued)
    const held = indexes(seen).filter((index) => isHeldPhase(seen.tasks.phaseOf(index)))
    assert.strictEqual(
      seen.holders.list().reduce((sum, holder) => sum + holder.tasks, 0),
      held.length
    )
  },
  thorough
)
