/**
 * The rules of a suite: which events a command causes, or why it is refused.
 */
import { Result } from "effect"
import type { Decider } from "../Decider.ts"
import type { AttemptResult, EndedAttempt } from "../Task/Attempt.ts"
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
import { TaskState } from "../Task/Attempt.ts"

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
  if (state.state === "cancelled" || state.paused || isSuperseded(state, command)) return nothing
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

/** Whether a newer session of the same manager holds tasks: then this one is an old process that woke up. */
const isSuperseded = (state: Existing, command: Pick<Commands.LeaseTasks, "manager" | "epoch">): boolean =>
  state.holders.some((holder) => holder.manager === command.manager && holder.epoch > command.epoch && holder.tasks > 0)

/** What a reported result is to the suite. */
type Standing = "accepted" | "repeated" | "late"

const standing = (state: Existing, place: number, result: AttemptResult): Standing => {
  const { tasks } = state
  const { index, attempt } = result
  if (!tasks.has(index)) return "late"
  const phase = tasks.phaseOf(index)
  const isHeld = phase === Phase.assigned || phase === Phase.running
  const endedAttempts = tasks.attemptsOf(index)
  if (isHeld && tasks.holder[index] === place && attempt === endedAttempts + 1) return "accepted"
  if (attempt <= endedAttempts && !(attempt === endedAttempts && tasks.hasFlag(index, Flag.lost))) return "repeated"
  // A result of an attempt that was given up for lost counts as long as nobody else has begun again.
  return phase === Phase.queued && attempt >= endedAttempts && attempt <= endedAttempts + 1 ? "accepted" : "late"
}

const report = (state: Existing, command: Commands.ReportTasks): ReadonlyArray<SuiteEvent> => {
  const { manager, epoch, now } = command
  const place = State.holderPlace(state, manager, epoch, false)
  const events: Array<SuiteEvent> = []
  const seen = new Set<number>()
  const accepted: Array<EndedAttempt> = []
  const late: Array<AttemptResult> = []
  for (const result of command.ended) {
    // Twice in one report is a repetition of the first.
    if (seen.has(result.index)) continue
    seen.add(result.index)
    const is = standing(state, place, result)
    if (is === "accepted") accepted.push(judge(state, result, now, command.random))
    else if (is === "late") late.push(result)
  }
  const isHeldAs = (index: number, attempt: number) =>
    state.tasks.has(index) &&
    state.tasks.phaseOf(index) === Phase.assigned &&
    state.tasks.holder[index] === place &&
    attempt === state.tasks.attemptsOf(index) + 1 &&
    !seen.has(index)
  const started = command.started.filter(([index, attempt]) => isHeldAs(index, attempt))
  const beginning = new Set(started.map(([index]) => index))
  const returned = command.returned
    .filter(([index, attempt]) => isHeldAs(index, attempt) && !beginning.has(index))
    .map(([index]) => index)
  if (started.length > 0) events.push({ _tag: "TasksStarted", manager, epoch, tasks: started, at: now })
  if (accepted.length > 0) events.push({ _tag: "AttemptsEnded", manager, epoch, attempts: accepted, at: now })
  if (returned.length > 0) events.push(...giveBack(state, { manager, epoch }, returned, "returned", now))
  if (late.length > 0) events.push({ _tag: "LateResultsRecorded", manager, epoch, attempts: late, at: now })
  return events
}

/** Decides what becomes of a task after an attempt. */
const judge = (state: Existing, result: AttemptResult, now: number, random: number): EndedAttempt => {
  const { index, outcome } = result
  if (outcome === "succeeded") return { ...result, next: "succeeded" }
  if (outcome === "cancelled" || state.tasks.hasFlag(index, Flag.cancelRequested))
    return { ...result, next: "cancelled" }
  if (outcome === "crashed" || outcome === "lost") {
    const crashes = (state.tasks.crashes[index] ?? 0) + 1
    return { ...result, next: crashes < crashLimit ? "retry" : "failed" }
  }
  const failures = state.tasks.failures[index] ?? 0
  const policy = state.profiles[state.tasks.profile[index] ?? 0]?.retry ?? resolveRetry()
  if (failures >= policy.limit || state.state === "cancelled") return { ...result, next: "failed" }
  return { ...result, next: "retry", retryAt: now + backoff(policy, failures, spread(random, index)) }
}

/** Wait before retry number `failures + 1`: exponential up to a limit, plus or minus the jitter. Milliseconds. */
const backoff = (policy: Required<RetryPolicy>, failures: number, random: number): number => {
  const wait = Math.min(policy.backoff * policy.factor ** failures, policy.maxBackoff)
  return Math.round(wait * (1 + policy.jitter * (2 * random - 1)))
}

/** One random number for many tasks: the golden ratio spreads neighbours far apart. */
const spread = (random: number, index: number): number => (random + index * 0.618_033_988_749_895) % 1

const giveBack = (
  state: Existing,
  session: Pick<Commands.ReportTasks, "manager" | "epoch">,
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
  for (const [place, holder] of state.holders.entries()) {
    if (holder.manager !== command.manager || holder.epoch > command.epoch || holder.tasks === 0) continue
    const { manager, epoch } = holder
    const heldIn = (phase: Phase) =>
      State.indexesIn(state, phase).filter((index) => state.tasks.holder[index] === place)
    const assigned = heldIn(Phase.assigned)
    const attempts = heldIn(Phase.running).map((index) =>
      judge(
        state,
        { index, attempt: state.tasks.attemptsOf(index) + 1, outcome: "lost", finishedAt: command.now },
        command.now,
        0
      )
    )
    if (attempts.length > 0) events.push({ _tag: "AttemptsEnded", manager, epoch, attempts, at: command.now })
    if (assigned.length > 0) {
      events.push(...giveBack(state, { manager, epoch }, assigned, "manager_lost", command.now))
    }
  }
  if (events.length > 0 && state.state === "closed") {
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
