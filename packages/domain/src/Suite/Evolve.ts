/**
 * How each event changes a suite. Total and silent: what cannot happen changes nothing.
 */
import { maxAttempts } from "../Task/Attempt.ts"
import type { EndedAttempt, Outcome } from "../Task/Attempt.ts"
import { resolveRetry } from "../Task/Spec.ts"
import type { RetryPolicy } from "../Task/Spec.ts"
import type { Epoch, ManagerId } from "../Manager/Id.ts"
import type { LeaseRange, Range, SuiteEvent } from "./Events.ts"
import * as Plain from "./Plain.ts"
import * as State from "./State.ts"
import type { Existing, SuiteState } from "./State.ts"
import { Flag, Phase } from "./TaskTable.ts"

export const evolve = (state: SuiteState, event: SuiteEvent): SuiteState => {
  if (state._tag === "Missing") {
    return event._tag === "SuiteCreated" ? State.make(event.id, event.spec, event.at) : state
  }
  const plain = Plain.change(state, event)
  apply(state, event)
  Plain.apply(state, plain)
  state.version++
  return state
}

const apply = (state: Existing, event: SuiteEvent): void => {
  switch (event._tag) {
    case "SuiteCreated":
      return
    case "TasksSubmitted":
      return submitted(state, event.firstIndex, event.tasks, event.at)
    case "TasksLeased":
      State.enqueueDue(state, event.at)
      return leased(state, event.manager, event.epoch, event.leases)
    case "TasksStarted":
      for (const [index] of event.tasks) move(state, index, Phase.assigned, Phase.running)
      return
    case "AttemptsEnded":
      for (const attempt of event.attempts) ended(state, event.manager, attempt)
      return
    case "LeasesReturned":
      if (event.reason === "manager_lost" && event.epoch > (state.fences.get(event.manager) ?? -Infinity)) {
        state.fences.set(event.manager, event.epoch)
      }
      return forEachIn(state, event.ranges, (index) => {
        if (state.tasks.phaseOf(index) !== Phase.assigned) return
        if (event.reason === "manager_lost") {
          state.lostLeases.add(event.manager, index, state.tasks.attemptsOf(index) + 1)
        }
        leave(state, index)
        setPhase(state, index, Phase.queued)
        State.enqueue(state, index)
      })
    case "LateResultsRecorded":
      for (const { attempt, index } of event.attempts) settleLoss(state, event.manager, index, attempt)
      return
    case "TasksCancelled":
      return forEachIn(state, event.ranges, (index) => {
        if (state.tasks.phaseOf(index) !== Phase.queued) return
        leave(state, index)
        state.tasks.setFlag(index, Flag.cancelRequested, false)
        setPhase(state, index, Phase.cancelled)
      })
    case "TaskCancellationRequested":
      return forEachIn(state, event.ranges, (index) => {
        if (isHeld(state, index)) state.tasks.setFlag(index, Flag.cancelRequested, true)
      })
    case "TasksRequeued":
      return forEachIn(state, event.ranges, (index) => requeued(state, index))
    case "SuitePaused":
      state.paused = true
      return
    case "SuiteResumed":
      state.paused = false
      return
    case "SuiteClosed":
      if (state.state === "open") state.state = "closed"
      return
    case "SuiteCompleted":
      if (state.state === "cancelled") return
      state.state = "complete"
      state.completedAt = event.at
      return
    case "SuiteReopened":
      if (state.state === "cancelled") return
      state.state = "open"
      state.completedAt = undefined
      return
    case "SuiteCancelled":
      state.state = "cancelled"
      return
    case "SuiteStopped":
      if (state.state !== "cancelled") return
      state.stopped = true
      state.completedAt = event.at
      return
  }
}

const submitted = (
  state: Existing,
  firstIndex: number,
  tasks: Extract<SuiteEvent, { readonly _tag: "TasksSubmitted" }>["tasks"],
  at: number
): void => {
  if (firstIndex !== state.tasks.size) return
  state.batches.firstIndex.push(firstIndex)
  state.batches.version.push(state.version + 1)
  state.lastSubmittedAt = at
  let lastRetry: RetryPolicy | undefined
  let lastPriority: number | undefined
  let profile = -1
  for (const task of tasks) {
    // Neighbours mostly agree, so the profile is looked up only where one differs from the task before it.
    if (profile < 0 || task.priority !== lastPriority || !isSameRetry(task.retry, lastRetry)) {
      lastRetry = task.retry
      lastPriority = task.priority
      profile = State.internProfile(state, {
        priority: task.priority ?? 0,
        retry: resolveRetry(task.retry ?? state.spec.defaults?.retry)
      })
    }
    state.tasks.add(profile)
  }
  state.counts[Phase.queued] = (state.counts[Phase.queued] ?? 0) + tasks.length
  State.enqueueAll(state, firstIndex, state.tasks.size - 1)
}

const isSameRetry = (a: RetryPolicy | undefined, b: RetryPolicy | undefined): boolean =>
  a === b ||
  (a !== undefined &&
    b !== undefined &&
    a.limit === b.limit &&
    a.backoff === b.backoff &&
    a.factor === b.factor &&
    a.maxBackoff === b.maxBackoff &&
    a.jitter === b.jitter)

const leased = (state: Existing, manager: ManagerId, epoch: Epoch, leases: ReadonlyArray<LeaseRange>): void => {
  const gained: Array<number> = []
  for (const lease of leases) {
    const [, , attempt] = lease
    forEachIn(state, [lease], (index) => {
      if (state.tasks.phaseOf(index) !== Phase.queued) return
      leave(state, index)
      setPhase(state, index, Phase.assigned)
      gained.push(index)
      // The manager has the task again under the number that it had when it was lost: the result will be this one's.
      state.lostLeases.delete(manager, index, attempt)
    })
  }
  if (gained.length === 0) return
  const place = state.holders.gain(manager, epoch, gained.length)
  for (const index of gained) state.tasks.holder[index] = place
}

const ended = (state: Existing, manager: ManagerId, attempt: EndedAttempt): void => {
  const { index, next, outcome } = attempt
  const { tasks } = state
  if (!tasks.has(index) || tasks.phaseOf(index) > Phase.running) return
  // A result after all takes the place of the loss that was counted.
  if (state.lostAttempts.has(manager, index, attempt.attempt)) tasks.count("crashes", index, -1)
  settleLoss(state, manager, index, attempt.attempt)
  leave(state, index)
  tasks.attempts[index] = Math.min(Math.max(tasks.attemptsOf(index), attempt.attempt), maxAttempts)
  tasks.setFlag(index, Flag.cancelRequested, false)
  if (outcome === "lost") state.lostAttempts.add(manager, index, attempt.attempt)
  if ((next === "retry" || next === "failed") && outcome !== "lease_lost") {
    tasks.count(countsAsCrash(outcome) ? "crashes" : "failures", index, 1)
  }
  if (next !== "retry") return setPhase(state, index, Phase[next])
  setPhase(state, index, Phase.queued)
  if (attempt.retryAt === undefined) State.enqueue(state, index)
  else State.delay(state, index, attempt.retryAt)
}

/** What was to come has come. */
const settleLoss = (state: Existing, manager: ManagerId, index: number, attempt: number): void => {
  state.lostAttempts.delete(manager, index, attempt)
  state.lostLeases.delete(manager, index, attempt)
}

/** Whether an attempt that is not the task's last, or failed it, counts against the crash limit. */
const countsAsCrash = (outcome: Outcome): boolean =>
  outcome === "lost" || outcome === "crashed" || outcome === "cancelled"

const requeued = (state: Existing, index: number): void => {
  const phase = state.tasks.phaseOf(index)
  if (phase !== Phase.failed && phase !== Phase.cancelled) return
  state.tasks.failures[index] = 0
  state.tasks.crashes[index] = 0
  setPhase(state, index, Phase.queued)
  State.enqueue(state, index)
}

const isHeld = (state: Existing, index: number): boolean => {
  const phase = state.tasks.phaseOf(index)
  return phase === Phase.assigned || phase === Phase.running
}

const move = (state: Existing, index: number, from: Phase, to: Phase): void => {
  if (state.tasks.has(index) && state.tasks.phaseOf(index) === from) setPhase(state, index, to)
}

const setPhase = (state: Existing, index: number, phase: Phase): void => {
  const before = state.tasks.phaseOf(index)
  state.counts[before] = (state.counts[before] ?? 0) - 1
  state.counts[phase] = (state.counts[phase] ?? 0) + 1
  state.tasks.phase[index] = phase
}

/** Takes a task from where it waits or from whoever has it, before its phase changes. */
const leave = (state: Existing, index: number): void => {
  if (state.tasks.phaseOf(index) === Phase.queued) State.dequeue(state, index)
  else if (isHeld(state, index)) state.holders.lose(state.tasks.holder[index] ?? -1)
}

const forEachIn = (
  state: Existing,
  ranges: ReadonlyArray<Range | LeaseRange>,
  visit: (index: number) => void
): void => {
  for (const [first, last] of ranges) {
    for (let index = Math.max(first, 0); index <= last && index < state.tasks.size; index++) visit(index)
  }
}
