/**
 * What may happen to a suite, generated: moves that name their tasks by choice among those that fit, so that sequences
 * get somewhere; and some that fit nothing, because managers may be late, confused or lying.
 */
import { Arbitrary, Schema } from "effect"
import { decider } from "@muster/domain/Suite/Decider"
import type { ReportTasks, SuiteCommand } from "@muster/domain/Suite/Commands"
import type { SuiteSpec } from "@muster/domain/Suite/Spec"
import type { SuiteState } from "@muster/domain/Suite/State"
import { Outcome } from "@muster/domain/Task/Attempt"
import type { AttemptResult } from "@muster/domain/Task/Attempt"
import { epoch, manager, start } from "./Arbitraries.ts"
import * as GivenWhenThen from "./GivenWhenThen.ts"
import * as S from "./SuiteFixtures.ts"
import { isHeldPhase } from "./SuiteDump.ts"

const between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

/** One of the sessions that hold tasks, or mostly so: with 0, or when there is none, this one. */
const session = { among: between(0, 9), manager: between(1, 3), epoch: between(1, 3) }
const choices = Schema.Array(between(0, 50)).check(Schema.isMaxLength(6))

/** What a session says of tasks that it holds, of attempts that it had at some time, and of any. */
const Report = Schema.TaggedStruct("Report", {
  ...session,
  started: choices,
  ended: Schema.Array(Schema.Tuple([between(0, 50), Outcome])).check(Schema.isMaxLength(6)),
  returned: choices,
  echoes: Schema.Array(Schema.Tuple([between(0, 50), Outcome])).check(Schema.isMaxLength(2)),
  lies: Schema.Array(Schema.Tuple([between(0, 20), between(1, 4), Outcome])).check(Schema.isMaxLength(1)),
  random: Schema.Literals([0, 0.25, 0.5, 0.999])
})

const Lease = Schema.TaggedStruct("Lease", { manager: between(1, 3), epoch: between(1, 3), max: between(0, 8) })

const Tasks = Schema.Array(
  Schema.Struct({ priority: between(-1, 2), limit: between(-1, 2), backoff: Schema.Literals([0, 10, 5_000]) })
).check(Schema.isMaxLength(6))

const Move = Schema.Union([
  Schema.TaggedStruct("Submit", { tasks: Tasks }),
  // More often than the others: a union is chosen from evenly.
  Lease,
  Lease,
  Lease,
  Report,
  Report,
  Report,
  Report,
  Report,
  Schema.TaggedStruct("Reclaim", session),
  Schema.TaggedStruct("CancelTasks", { choices }),
  Schema.TaggedStruct("RetryTasks", { choices: Schema.Union([Schema.Literal("failed"), choices]) }),
  Schema.TaggedStruct("Flag", { flag: Schema.Literals(["pause", "close", "sweep"]) }),
  Schema.TaggedStruct("Flag", { flag: Schema.Literal("resume") }),
  Schema.TaggedStruct("CancelSuite", { mode: Schema.Literals(["graceful", "force"]), chance: between(0, 9) })
])
type Move = typeof Move.Type

const Timed = Schema.Struct({ move: Move, wait: Schema.Literals([0, 1, 10, 1_000, 70_000]) })

const Spec = Schema.Struct({
  maxFails: Schema.optionalKey(between(1, 4)),
  defaults: Schema.optionalKey(
    Schema.Struct({ retry: Schema.Struct({ limit: between(0, 2), backoff: Schema.Literals([0, 10, 5_000]) }) })
  )
})

/**
 * For properties of lives: by default generated lists are so short that next to nothing happens in them, whatever length
 * they may have.
 */
export const thorough = { arbitrary: { runs: 150, size: 600 } }

/** Lives of suites: the creation and up to so many commands. */
export const lives = (maxLength: number): Arbitrary.Arbitrary<ReadonlyArray<SuiteCommand>> =>
  Arbitrary.map(
    Arbitrary.all([Arbitrary.schema(Spec), Arbitrary.array(Arbitrary.schema(Timed), { maxLength })]),
    ([spec, moves]) => live(spec, moves)
  )

/** An attempt that was leased at some time. */
type Leased = readonly [manager: string, index: number, attempt: number]

const live = (spec: SuiteSpec, moves: ReadonlyArray<typeof Timed.Type>): ReadonlyArray<SuiteCommand> => {
  let now = start
  const commands: Array<SuiteCommand> = [{ _tag: "CreateSuite", id: S.id, spec, now }]
  let { state } = GivenWhenThen.run(decider, commands)
  const leased: Array<Leased> = []
  for (const { move, wait } of moves) {
    now += wait
    const command = commandOf(state, leased, move, now)
    commands.push(command)
    const next = GivenWhenThen.step(decider, state, command)
    state = next.state
    for (const event of next.step.events) {
      if (event._tag !== "TasksLeased") continue
      for (const [from, to, attempt] of event.leases) {
        for (let index = from; index <= to; index++) leased.push([event.manager, index, attempt])
      }
    }
  }
  return commands
}

const flags = { pause: S.pause, resume: S.resume, close: S.close, sweep: S.sweep }

const commandOf = (state: SuiteState, leased: ReadonlyArray<Leased>, move: Move, now: number): SuiteCommand => {
  const who = sessionOf(state, move)
  switch (move._tag) {
    case "Submit":
      return S.submit(
        move.tasks.map(({ backoff, limit, priority }) => ({
          program: "/bin/true",
          ...(priority === -1 ? {} : { priority }),
          ...(limit === -1 ? {} : { retry: { limit, backoff } })
        })),
        now
      )
    case "Lease":
      return S.lease(who, move.max, now)
    case "Report":
      return { ...reportOf(state, leased, move, who), now }
    case "Reclaim":
      return S.reclaim(who, now)
    case "CancelTasks":
      return S.cancelTasks(indexesOf(state, move.choices), now)
    case "RetryTasks":
      return S.retry(move.choices === "failed" ? "failed" : indexesOf(state, move.choices), now)
    case "CancelSuite":
      return move.chance === 0 ? S.cancelSuite(move.mode, now) : S.sweep(now)
    case "Flag":
      return flags[move.flag](now)
  }
}

const sessionOf = (state: SuiteState, move: Move): S.Session => {
  if (!("manager" in move)) return S.a
  const holding = state._tag === "Missing" ? [] : state.holders.list().filter((holder) => holder.tasks > 0)
  const chosen = "among" in move && move.among > 0 ? holding[move.among % holding.length] : undefined
  if (chosen !== undefined) return { manager: chosen.manager, epoch: chosen.epoch }
  const name = manager(move.manager)
  // Sessions follow one another, so those that are over are mostly not those that ask for tasks.
  const last = state._tag === "Existing" ? (state.fences.get(name) ?? 0) : 0
  return { manager: name, epoch: epoch(Math.max(last + move.epoch - 1, 1)) }
}

/** Existing tasks, and now and then one that does not exist. */
const indexesOf = (state: SuiteState, chosen: ReadonlyArray<number>): ReadonlyArray<number> => {
  const size = state._tag === "Missing" ? 0 : state.tasks.size
  return chosen.map((choice) => (choice === 50 ? size : size === 0 ? 0 : choice % size))
}

const reportOf = (
  state: SuiteState,
  leased: ReadonlyArray<Leased>,
  move: typeof Report.Type,
  who: S.Session
): ReportTasks => {
  const held: Array<readonly [index: number, attempt: number]> = []
  if (state._tag === "Existing") {
    for (let index = 0; index < state.tasks.size; index++) {
      const holder = state.holders.at(state.tasks.holder[index] ?? -1)
      if (!isHeldPhase(state.tasks.phaseOf(index)) || holder?.manager !== who.manager) continue
      if (holder.epoch === who.epoch) held.push([index, state.tasks.attemptsOf(index) + 1])
    }
  }
  const had = leased.filter(([name]) => name === who.manager)
  const choose = (chosen: ReadonlyArray<number>) =>
    chosen.flatMap((choice) => {
      const one = held[choice % held.length]
      return one === undefined ? [] : [one]
    })
  const ended: Array<AttemptResult> = []
  for (const [choice, outcome] of move.ended) {
    for (const [index, attempt] of choose([choice])) ended.push(S.result(index, attempt, outcome))
  }
  for (const [choice, outcome] of move.echoes) {
    const one = had[choice % had.length]
    if (one !== undefined) ended.push(S.result(one[1], one[2], outcome))
  }
  for (const [index, attempt, outcome] of move.lies) ended.push(S.result(index, attempt, outcome))
  return {
    _tag: "ReportTasks",
    ...who,
    started: choose(move.started).map(([index, attempt]) => [index, attempt, S.at] as const),
    ended,
    returned: choose(move.returned),
    random: move.random,
    now: S.at
  }
}
