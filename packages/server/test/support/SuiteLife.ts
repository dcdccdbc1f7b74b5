/**
 * A long and varied life of a suite: random, but the same for the same seed. Managers lease, start, end, give back, are
 * lost and report late; users submit, cancel, retry and pause.
 */
import { Result } from "effect"
import { Epoch, ManagerId } from "@muster/domain/Manager/Id"
import type { SuiteCommand } from "@muster/domain/Suite/Commands"
import { decider } from "@muster/domain/Suite/Decider"
import type { SuiteEvent } from "@muster/domain/Suite/Events"
import type { SuiteId } from "@muster/domain/Suite/Id"
import type { SuiteState } from "@muster/domain/Suite/State"
import { Phase } from "@muster/domain/Suite/TaskTable"
import { Outcome } from "@muster/domain/Task/Attempt"
import type { AttemptResult } from "@muster/domain/Task/Attempt"

/** Numbers in [0, 1) that depend on the seed alone (mulberry32). */
export const randomFrom = (seed: number) => {
  let a = seed
  return () => {
    a = (a + 0x6d2b79f5) | 0
    let t = Math.imul(a ^ (a >>> 15), 1 | a)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

const managers = ["0000000000000001", "0000000000000002"].map((id) => ManagerId.make(id))
const epochs = [1, 2].map((number) => Epoch.make(number))
const firstEpoch = Epoch.make(1)
const mostTasks = 12

export interface Life {
  readonly state: () => SuiteState
  /** What the next few commands cause, decided one after the other. */
  readonly next: (commands: number) => ReadonlyArray<SuiteEvent>
  /** The next few commands themselves, for whoever has them decided. */
  readonly commands: (count: number) => ReadonlyArray<SuiteCommand>
}

export const make = (id: SuiteId, seed: number): Life => {
  const random = randomFrom(seed)
  const below = (n: number) => Math.floor(random() * n)
  let state = decider.initial()
  let now = 1_700_000_000_000
  const attempts: Array<readonly [index: number, attempt: number]> = []
  /** What was taken back from managers, who may hand its results in after all. */
  const lost = new Map<ManagerId, Array<readonly [index: number, attempt: number]>>()

  const pick = <A>(all: ReadonlyArray<A>): A | undefined => all[below(all.length)]
  const some = <A>(all: ReadonlyArray<A>): ReadonlyArray<A> => all.filter(() => random() < 0.5)
  const size = () => (state._tag === "Missing" ? 0 : state.tasks.size)
  const anyTasks = () => [...new Set(Array.from({ length: 1 + below(3) }, () => below(Math.max(1, size()))))]

  const held = (manager: ManagerId) => {
    const found: Array<readonly [index: number, attempt: number, running: boolean]> = []
    if (state._tag === "Missing") return found
    for (let index = 0; index < state.tasks.size; index++) {
      const phase = state.tasks.phaseOf(index)
      if (phase !== Phase.assigned && phase !== Phase.running) continue
      if (state.holders.at(state.tasks.holder[index] ?? -1)?.manager !== manager) continue
      found.push([index, state.tasks.attemptsOf(index) + 1, phase === Phase.running])
    }
    return found
  }

  const result = (index: number, attempt: number): AttemptResult => ({
    index,
    attempt,
    outcome: pick(Outcome.literals) ?? "lost",
    finishedAt: now,
    ...(random() < 0.8 ? { startedAt: now - below(1_000), duration: random() * 1_000 } : {}),
    ...(random() < 0.5 ? { exitCode: below(3), stdout: `out '$1' ä ${below(100)}` } : { signal: "SIGKILL" }),
    ...(random() < 0.3 ? { output: { deep: [below(10), null] }, stderr: "", stdoutBytes: 2 ** 33 + below(9) } : {}),
    ...(random() < 0.2 ? { peakMemory: 2 ** 34, message: "a line" } : {})
  })

  const report = (manager: ManagerId, epoch: Epoch): SuiteCommand => {
    const mine = held(manager)
    const ending = some(mine)
    const rest = mine.filter((one) => !ending.includes(one))
    const late = pick(lost.get(manager) ?? attempts) ?? pick(attempts)
    return {
      _tag: "ReportTasks",
      manager,
      epoch,
      started: some(rest.filter(([, , running]) => !running)).map(([index, attempt]) => [index, attempt, now] as const),
      ended: [
        ...ending.map(([index, attempt]) => result(index, attempt)),
        ...(late !== undefined && random() < 0.3 ? [result(...late)] : [])
      ],
      returned: some(rest.filter(([, , running]) => !running && random() < 0.3)).map(
        ([index, attempt]) => [index, attempt] as const
      ),
      random: random(),
      now
    }
  }

  const submit = (): SuiteCommand => ({
    _tag: "SubmitTasks",
    tasks: Array.from({ length: 1 + below(mostTasks) }, () => ({
      program: "true",
      ...(random() < 0.2 ? { priority: below(3), labels: ["a", "it's"].slice(below(2)) } : {}),
      ...(random() < 0.6 ? { retry: { limit: below(3), backoff: below(2) * 1_000 } } : {})
    })),
    now
  })

  const command = (): SuiteCommand => {
    const manager = pick(managers) ?? ManagerId.make("0000000000000001")
    const epoch = pick(epochs) ?? firstEpoch
    const chance = random()
    if (chance < 0.15) return submit()
    if (chance < 0.45) return { _tag: "LeaseTasks", manager, epoch, max: 1 + below(8), now }
    if (chance < 0.8) return report(manager, epoch)
    if (chance < 0.84) return { _tag: "ReclaimLeases", manager, epoch, now }
    if (chance < 0.88) return { _tag: "CancelTasks", indexes: anyTasks(), reason: "test", now }
    if (chance < 0.93) return { _tag: "RetryTasks", tasks: random() < 0.5 ? "failed" : anyTasks(), now }
    if (chance < 0.95) return { _tag: "PauseSuite", now }
    if (chance < 0.98) return { _tag: "ResumeSuite", now }
    if (chance < 0.985) return { _tag: "CloseSuite", now }
    if (chance < 0.988)
      return { _tag: "CancelSuite", mode: pick(["graceful", "force"] as const) ?? "force", reason: "test", now }
    return { _tag: "Sweep", now }
  }

  const apply = (event: SuiteEvent) => {
    if (event._tag === "TasksLeased") {
      for (const [first, last, attempt] of event.leases) {
        for (let index = first; index <= last; index++) attempts.push([index, attempt])
      }
    }
    if (event._tag === "LeasesReturned" && event.reason === "manager_lost") {
      const taken = held(event.manager).map(([index, attempt]) => [index, attempt] as const)
      lost.set(event.manager, [...(lost.get(event.manager) ?? []), ...taken])
    }
    state = decider.evolve(state, event)
  }

  const run = (asked: SuiteCommand): ReadonlyArray<SuiteEvent> => {
    const decided = decider.decide(state, asked)
    if (Result.isFailure(decided)) return []
    const events = [...decided.success]
    for (const event of events) apply(event)
    for (let more = decider.follow?.(state, now) ?? []; more.length > 0; more = decider.follow?.(state, now) ?? []) {
      for (const event of more) apply(event)
      events.push(...more)
    }
    return events
  }

  const spec = { name: "a life", tags: ["x"], defaults: { retry: { limit: 1, backoff: 10 } } }
  const nextCommand = (): SuiteCommand => {
    now += pick([0, 1, 500, 5_000]) ?? 0
    return state._tag === "Missing" ? { _tag: "CreateSuite", id, spec, now } : command()
  }
  return {
    state: () => state,
    next: (commands) => Array.from({ length: commands }, () => run(nextCommand())).flat(),
    commands: (count) =>
      Array.from({ length: count }, () => {
        const asked = nextCommand()
        run(asked)
        return asked
      })
  }
}
