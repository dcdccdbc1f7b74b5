/**
 * The rules of a suite: which events a command causes, or why it is refused.
 */
import { Result } from "effect"
import type { Decider } from "../Decider.ts"
import type { Epoch, ManagerId } from "../Manager/Id.ts"
import { TaskState, maxAttempts } from "../Task/Attempt.ts"
import type { AttemptResult, EndedAttempt, Next } from "../Task/Attempt.ts"
import { resolveRetry } from "../Task/Spec.ts"
import type { RetryPolicy } from "../Task/Spec.ts"
import type * as Commands from "./Commands.ts"
import type { SuiteCommand } from "./Commands.ts"
import { SuiteAlreadyExists, SuiteIsCancelled, SuiteNotFound, TaskNotFound, TaskStateConflict } from "./Errors.ts"
import type { SuiteError } from "./Errors.ts"
import type { LeaseRange, SuiteEvent } from "./Events.ts"
import { evolve } from "./Evolve.ts"
import { SuiteId, taskId } from "./Id.ts"
import { fromIndexes } from "./RangeList.ts"
import * as State from "./State.ts"
import type { Existing, SuiteState } from "./State.ts"
import { Flag, Phase } from "./TaskTable.ts"

/** A suite with work but no submission for this long is closed (MIT-041). Milliseconds. */
export const idleCloseAfter = 180_000

/** After this many attempts that crashed or were lost a task fails: it may be what kills its workers (MIT-124). */
export const crashLimit = 3

type Decision = Result.Result<ReadonlyArray<SuiteEvent>, SuiteError>

const nothing: ReadonlyArray<SuiteEvent> = []

export const decide = (state: SuiteState, command: SuiteCommand): Decision => {
  if (state._tag === "Missing") {
    return command._tag === "CreateSuite"
      ? Result.succeed([{ _tag: "SuiteCreated", id: command.id, spec: command.spec, at: command.now }])
      : Result.fail(new SuiteNotFound({ suiteId: nameless }))
  }
  switch (command._tag) {
    case "CreateSuite":
      return Result.fail(new SuiteAlreadyExists({ suiteId: state.id }))
    case "SubmitTasks":
      return submit(state, command)
    case "LeaseTasks":
      return Result.succeed(lease(state, command))
    case "ReportTasks":
      return Result.succeed(report(state, command))
    case "ReclaimLeases":
      return Result.succeed(reclaim(state, command))
    case "CancelTasks":
      return cancelTasks(state, command)
    case "RetryTasks":
      return retry(state, command)
    case "PauseSuite":
      return unlessCancelled(state, () => (state.paused ? nothing : [{ _tag: "SuitePaused", at: command.now }]))
    case "ResumeSuite":
      return unlessCancelled(state, () => (state.paused ? [{ _tag: "SuiteResumed", at: command.now }] : nothing))
    case "CloseSuite":
      return unlessCancelled(state, () =>
        state.state === "open" ? [{ _tag: "SuiteClosed", reason: "user", at: command.now }] : nothing
      )
    case "CancelSuite":
      return Result.succeed(cancelSuite(state, command))
    case "Sweep":
      return Result.succeed(
        state.state === "open" && State.pending(state) > 0 && command.now - state.lastSubmittedAt >= idleCloseAfter
          ? [{ _tag: "SuiteClosed", reason: "idle", at: command.now }]
          : nothing
      )
  }
}

/**
 * What follows from the state by itself, after any command: a suite with nothing pending is complete, one with too many
 * failures is cancelled. Applied until it gives nothing more, and stored together with what caused it.
 */
export const follow = (state: SuiteState, now: number): ReadonlyArray<SuiteEvent> => {
  if (state._tag === "Missing") return nothing
  const queued = state.counts[Phase.queued] ?? 0
  if (state.state === "cancelled") {
    if (queued > 0) return [cancelQueued(state, "the suite is cancelled", now)]
    return State.pending(state) === 0 && !state.stopped ? [{ _tag: "SuiteStopped", at: now }] : nothing
  }
  const { maxFails } = state.spec
  if (maxFails !== undefined && (state.counts[Phase.failed] ?? 0) >= maxFails && State.pending(state) > 0) {
    return [{ _tag: "SuiteCancelled", mode: "graceful", reason: `${maxFails} tasks failed (max-fails)`, at: now }]
  }
  if (state.state !== "complete" && state.tasks.size > 0 && State.pending(state) === 0) {
    return [{ _tag: "SuiteCompleted", at: now }]
  }
  return nothing
}

// A suite that does not exist knows no id; whoever asked puts it in (`withSuiteId`).
const nameless = SuiteId.make("0".repeat(16))

/** Completes an error of a suite that does not exist with the id that was asked for. */
export const withSuiteId = (error: SuiteError, suiteId: SuiteId): SuiteError =>
  error._tag === "SuiteNotFound" ? new SuiteNotFound({ suiteId }) : error

const unlessCancelled = (state: Existing, events: () => ReadonlyArray<SuiteEvent>): Decision =>
  state.state === "cancelled" ? Result.fail(new SuiteIsCancelled({ suiteId: state.id })) : Result.succeed(events())

const reopened = (
  state: Existing,
  reason: Extract<SuiteEvent, { readonly _tag: "SuiteReopened" }>["reason"],
  at: number
): ReadonlyArray<SuiteEvent> =>
  state.state === "closed" || state.state === "complete" ? [{ _tag: "SuiteReopened", reason, at }] : nothing

const submit = (state: Existing, command: Commands.SubmitTasks): Decision =>
  unlessCancelled(state, () =>
    command.tasks.length === 0
      ? nothing
      : [
          { _tag: "TasksSubmitted", firstIndex: state.tasks.size, tasks: command.tasks, at: command.now },
          ...reopened(state, "submit", command.now)
        ]
  )

const lease = (state: Existing, command: Commands.LeaseTasks): ReadonlyArray<SuiteEvent> => {
  if (state.state === "cancelled" || isFenced(state, command)) return nothing
  if (command.max <= 0) return [withdrawn(command)]
  if (state.paused || isSuperseded(state, command)) return nothing
  const indexes = State.nextReady(state, command.max, command.now)
  if (indexes.length === 0) return nothing
  const leases: Array<LeaseRange> = []
  let first = -1
  let last = -1
  let attempt = 0
  for (const index of indexes) {
    const next = state.tasks.attemptsOf(index) + 1
    if (index !== last + 1 || next !== attempt || first < 0) {
      if (first >= 0) leases.push([first, last, attempt])
      first = index
      attempt = next
    }
    last = index
  }
  leases.push([first, last, attempt])
  return [{ _tag: "TasksLeased", manager: command.manager, epoch: command.epoch, leases, at: command.now }]
}

/**
 * A manager that asks for nothing takes back a command that it gave: it must not be carried out any more. That this was
 * said has to stand in the log. A coordinator that was frozen with the command in its memory would not hear of it
 * otherwise: the next one to own the suite has written nothing, so nothing would fence it, and it would lease tasks to
 * a manager that does not wait for them.
 */
const withdrawn = ({ epoch, manager, now: at }: Commands.LeaseTasks): SuiteEvent => ({
  _tag: "LeasesReturned",
  manager,
  epoch,
  ranges: [],
  reason: "returned",
  at
})

interface Session {
  readonly manager: ManagerId
  readonly epoch: Epoch
}

/** Whether the leases of a session were taken back. */
const isFenced = (state: Existing, { epoch, manager }: Session): boolean =>
  epoch <= (state.fences.get(manager) ?? -Infinity)

/** Whether a newer session of the same manager holds tasks: then this one is an old process that woke up. */
const isSuperseded = (state: Existing, { epoch, manager }: Session): boolean =>
  state.holders.of(manager).some(([, holder]) => holder.epoch > epoch)

/** What a reported result is to the suite. `invented`: of an attempt that this manager was never given. */
type Standing = "accepted" | "repeated" | "late" | "invented"

const standing = (state: Existing, { epoch, manager }: Commands.ReportTasks, result: AttemptResult): Standing => {
  const { tasks } = state
  const { attempt, index, outcome } = result
  if (!tasks.has(index)) return "invented"
  const phase = tasks.phaseOf(index)
  const next = tasks.attemptsOf(index) + 1
  if (attempt === next && (phase === Phase.assigned || phase === Phase.running)) {
    const holder = state.holders.at(tasks.holder[index] ?? -1)
    // A manager that was started again hands in what its earlier sessions have finished.
    if (holder?.manager === manager && holder.epoch <= epoch) return "accepted"
  }
  // What a lost manager had counts as long as nobody else has the task.
  if (state.lostAttempts.has(manager, index, attempt)) {
    if (outcome === "lost") return "repeated"
    return phase === Phase.queued ? "accepted" : "late"
  }
  if (state.lostLeases.has(manager, index, attempt)) {
    return phase === Phase.queued && attempt === next ? "accepted" : "late"
  }
  return attempt < next ? "repeated" : "invented"
}

/**
 * How many of the results that changed nothing were invented, by the state after they were reported: of tasks that there
 * are not, or of attempts that have not ended. Those that came late are evidence, and in `late`.
 */
export const inventions = (
  state: SuiteState,
  ended: ReadonlyArray<AttemptResult>,
  late: ReadonlyArray<AttemptResult>
): number => {
  if (state._tag === "Missing") return 0
  const known = new Set(late.map(({ attempt, index }) => `${index} ${attempt}`))
  return ended.filter(
    ({ attempt, index }) =>
      (!state.tasks.has(index) || attempt > state.tasks.attemptsOf(index)) && !known.has(`${index} ${attempt}`)
  ).length
}

const report = (state: Existing, command: Commands.ReportTasks): ReadonlyArray<SuiteEvent> => {
  const { manager, epoch, now } = command
  const place = state.holders.place(manager, epoch)
  const events: Array<SuiteEvent> = []
  const accepted = new Map<number, EndedAttempt>()
  const late = new Map<string, AttemptResult>()
  for (const result of command.ended) {
    const { attempt, index } = result
    const is = standing(state, command, result)
    const before = accepted.get(index)
    // Twice in one report is a repetition of the first; another attempt of the same task comes too late.
    if (is === "accepted" && before === undefined) accepted.set(index, judge(state, command, result))
    else if (is === "late" || (is === "accepted" && before?.attempt !== attempt)) {
      const name = `${index} ${attempt}`
      if (!late.has(name)) late.set(name, result)
    }
  }
  const isHeldAs = (index: number, attempt: number) =>
    state.tasks.has(index) &&
    state.tasks.phaseOf(index) === Phase.assigned &&
    state.tasks.holder[index] === place &&
    attempt === state.tasks.attemptsOf(index) + 1 &&
    !accepted.has(index)
  const started = firstOfEach(command.started.filter(([index, attempt]) => isHeldAs(index, attempt)))
  const beginning = new Set(started.map(([index]) => index))
  const returned = command.returned
    .filter(([index, attempt]) => isHeldAs(index, attempt) && !beginning.has(index))
    .map(([index]) => index)
  const attempts = [...accepted.values()]
  if (started.length > 0) events.push({ _tag: "TasksStarted", manager, epoch, tasks: started, at: now })
  if (attempts.length > 0) events.push({ _tag: "AttemptsEnded", manager, epoch, attempts, at: now })
  if (returned.length > 0) events.push(...giveBack(state, { manager, epoch }, returned, "returned", now))
  if (late.size > 0) {
    events.push({ _tag: "LateResultsRecorded", manager, epoch, attempts: [...late.values()], at: now })
  }
  return events
}

/** An event speaks of a task once. */
const firstOfEach = (tasks: Commands.ReportTasks["started"]): Commands.ReportTasks["started"] => {
  const seen = new Set<number>()
  return tasks.filter(([index]) => seen.size < seen.add(index).size)
}

/** Decides what becomes of a task after an attempt. */
const judge = (
  state: Existing,
  { manager, now, random }: Pick<Commands.ReportTasks, "manager" | "now" | "random">,
  result: AttemptResult
): EndedAttempt => {
  const { attempt, index, outcome } = result
  const { tasks } = state
  const ends = (next: Next): EndedAttempt => ({ ...result, next })
  if (outcome === "succeeded") return ends("succeeded")
  if (tasks.hasFlag(index, Flag.cancelRequested)) return ends("cancelled")
  if (attempt >= maxAttempts) return ends("failed")
  // Neither the task nor anything that it did is the reason.
  if (outcome === "lease_lost") return ends("retry")
  // Nobody asked the suite for the end of a task that is reported as cancelled here, so it is not the task's fault.
  if (outcome === "crashed" || outcome === "lost" || outcome === "cancelled") {
    // A result after all takes the place of the loss that was counted.
    const counted = state.lostAttempts.has(manager, index, attempt) ? 1 : 0
    const crashes = Math.max((tasks.crashes[index] ?? 0) - counted, 0) + 1
    return ends(crashes < crashLimit ? "retry" : "failed")
  }
  const failures = tasks.failures[index] ?? 0
  const policy = state.profiles[tasks.profile[index] ?? 0]?.retry ?? resolveRetry()
  if (failures >= policy.limit || state.state === "cancelled") return ends("failed")
  return { ...result, next: "retry", retryAt: now + backoff(policy, failures, spread(random, index)) }
}

/**
 * Wait before retry number `failures + 1`: exponential, plus or minus the jitter, and never longer than the limit.
 * Milliseconds.
 */
const backoff = (policy: Required<RetryPolicy>, failures: number, random: number): number => {
  const wait = Math.min(policy.backoff * policy.factor ** failures, policy.maxBackoff)
  const shortest = wait * (1 - policy.jitter)
  const longest = Math.min(wait * (1 + policy.jitter), policy.maxBackoff)
  return Math.round(shortest + (longest - shortest) * random)
}

/** One random number for many tasks: the golden ratio spreads neighbours far apart. */
const spread = (random: number, index: number): number => (random + index * 0.618_033_988_749_895) % 1

const giveBack = (
  state: Existing,
  session: Session,
  indexes: ReadonlyArray<number>,
  reason: "returned" | "manager_lost",
  at: number
): ReadonlyArray<SuiteEvent> => {
  const unwanted = indexes.filter((index) => state.tasks.hasFlag(index, Flag.cancelRequested))
  return [
    { _tag: "LeasesReturned", ...session, ranges: fromIndexes(indexes), reason, at },
    ...(unwanted.length === 0
      ? []
      : [{ _tag: "TasksCancelled" as const, ranges: fromIndexes(unwanted), reason: "cancelled while leased", at }])
  ]
}

const reclaim = (state: Existing, command: Commands.ReclaimLeases): ReadonlyArray<SuiteEvent> => {
  const events: Array<SuiteEvent> = []
  for (const [place, { epoch, manager }] of state.holders.of(command.manager)) {
    if (epoch > command.epoch) continue
    const { assigned, running } = State.heldAt(state, place)
    const attempts = running.map((index) => {
      const attempt = state.tasks.attemptsOf(index) + 1
      const loss = { index, attempt, outcome: "lost", finishedAt: command.now } as const
      return judge(state, { ...command, random: 0 }, loss)
    })
    if (attempts.length > 0) events.push({ _tag: "AttemptsEnded", manager, epoch, attempts, at: command.now })
    if (assigned.length > 0) {
      events.push(...giveBack(state, { manager, epoch }, assigned, "manager_lost", command.now))
    }
  }
  const hadTasks = events.length > 0
  const isSaid = events.some((event) => event._tag === "LeasesReturned" && event.epoch === command.epoch)
  // A lease that is still on its way must not be given to a session that nobody hears of again.
  if (!isSaid && !isFenced(state, command) && state.state !== "cancelled") {
    const { epoch, manager, now: at } = command
    events.push({ _tag: "LeasesReturned", manager, epoch, ranges: [], reason: "manager_lost", at })
  }
  if (hadTasks && state.state === "closed") {
    events.push({ _tag: "SuiteReopened", reason: "manager_lost", at: command.now })
  }
  return events
}

const cancelTasks = (state: Existing, command: Commands.CancelTasks): Decision => {
  const queued: Array<number> = []
  const held: Array<number> = []
  let settled: number | undefined
  for (const index of new Set(command.indexes)) {
    if (!state.tasks.has(index)) return Result.fail(new TaskNotFound({ taskId: taskId(state.id, index) }))
    const phase = state.tasks.phaseOf(index)
    if (phase === Phase.queued) queued.push(index)
    else if (phase === Phase.assigned || phase === Phase.running) held.push(index)
    else if (phase !== Phase.cancelled) settled ??= index
  }
  if (queued.length + held.length === 0 && settled !== undefined) {
    return Result.fail(conflict(state, settled, "it is queued, assigned or running"))
  }
  return Result.succeed([...cancelIndexes(state, queued, held, command.reason, command.now)])
}

const cancelIndexes = (
  state: Existing,
  queued: ReadonlyArray<number>,
  held: ReadonlyArray<number>,
  reason: string,
  at: number
): ReadonlyArray<SuiteEvent> => {
  const fresh = held.filter((index) => !state.tasks.hasFlag(index, Flag.cancelRequested))
  const events: Array<SuiteEvent> = []
  if (queued.length > 0) events.push({ _tag: "TasksCancelled", ranges: fromIndexes(queued), reason, at })
  if (fresh.length > 0) events.push({ _tag: "TaskCancellationRequested", ranges: fromIndexes(fresh), reason, at })
  return events
}

const cancelQueued = (state: Existing, reason: string, at: number): SuiteEvent => ({
  _tag: "TasksCancelled",
  ranges: fromIndexes(State.indexesIn(state, Phase.queued)),
  reason,
  at
})

const cancelSuite = (state: Existing, command: Commands.CancelSuite): ReadonlyArray<SuiteEvent> => {
  const { mode, now, reason } = command
  const held =
    mode === "force" ? [...State.indexesIn(state, Phase.assigned), ...State.indexesIn(state, Phase.running)] : []
  const tasks = cancelIndexes(state, State.indexesIn(state, Phase.queued), held, reason, now)
  return state.state === "cancelled" ? tasks : [...tasks, { _tag: "SuiteCancelled", reason, mode, at: now }]
}

const retry = (state: Existing, command: Commands.RetryTasks): Decision => {
  if (state.state === "cancelled") return Result.fail(new SuiteIsCancelled({ suiteId: state.id }))
  const indexes = command.tasks === "failed" ? State.indexesIn(state, Phase.failed) : [...new Set(command.tasks)]
  for (const index of indexes) {
    if (!state.tasks.has(index)) return Result.fail(new TaskNotFound({ taskId: taskId(state.id, index) }))
    const phase = state.tasks.phaseOf(index)
    if (phase !== Phase.failed && phase !== Phase.cancelled) {
      return Result.fail(conflict(state, index, "it has failed or is cancelled"))
    }
    if (state.tasks.attemptsOf(index) >= maxAttempts) {
      return Result.fail(conflict(state, index, `it has had fewer than ${maxAttempts} attempts`))
    }
  }
  if (indexes.length === 0) return Result.succeed(nothing)
  return Result.succeed([
    { _tag: "TasksRequeued", ranges: fromIndexes(indexes), at: command.now },
    ...reopened(state, "retry", command.now)
  ])
}

const conflict = (state: Existing, index: number, allowed: string): TaskStateConflict =>
  new TaskStateConflict({
    taskId: taskId(state.id, index),
    state: TaskState.literals[state.tasks.phaseOf(index)] ?? "unknown",
    allowed
  })

export const decider: Decider<SuiteState, SuiteCommand, SuiteEvent, SuiteError> = {
  initial: State.initial,
  evolve,
  decide,
  follow
}
