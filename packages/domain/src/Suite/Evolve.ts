/**
 * How each event changes a suite. Total and silent: what cannot happen changes nothing.
 */
import type { EndedAttempt } from "../Task/Attempt.ts"
import { resolveRetry } from "../Task/Spec.ts"
import type { Epoch, ManagerId } from "../Manager/Id.ts"
import type { LeaseRange, Range, SuiteEvent } from "./Events.ts"
import * as State from "./State.ts"
import type { Existing, SuiteState } from "./State.ts"
import { Flag, Phase } from "./TaskTable.ts"

export const evolve = (state: SuiteState, event: SuiteEvent): SuiteState => {
  if (state._tag === "Missing") {
    return event._tag === "SuiteCreated" ? State.make(event.id, event.spec, event.at) : state
  }
  apply(state, event)
  state.version++
  return state
}

const apply = (state: Existing, event: SuiteEvent): void => {
  switch (event._tag) {
    case "SuiteCreated":
    case "LateResultsRecorded":
      return
    case "TasksSubmitted":
      return submitted(state, event.firstIndex, event.tasks, event.at)
    case "TasksLeased":
      return leased(state, event.manager, event.epoch, event.leases)
    case "TasksStarted":
      for (const [index] of event.tasks) move(state, index, Phase.assigned, Phase.running)
      return
    case "AttemptsEnded":
      for (const attempt of event.attempts) ended(state, attempt)
      return
    case "LeasesReturned":
      return forEachIn(state, event.ranges, (index) => returned(state, index))
    case "TasksCancelled":
      forEachIn(state, event.ranges, (index) => {
        if (state.tasks.phaseOf(index) !== Phase.queued) return
        undelay(state, index)
        state.tasks.setFlag(index, Flag.cancelRequested, false)
        setPhase(state, index, Phase.cancelled)
      })
      return State.trimQueues(state)
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
  let runStart = firstIndex
  let runProfile = -1
  let lastRetry: unknown
  let lastPriority: number | undefined
  let profile = -1
  for (const task of tasks) {
    // Neighbours mostly agree, so the profile is looked up only where one differs from the task before it.
    if (profile < 0 || task.retry !== lastRetry || task.priority !== lastPriority) {
      lastRetry = task.retry
      lastPriority = task.priority
      profile = State.internProfile(state, {
        priority: task.priority ?? 0,
        retry: resolveRetry(task.retry ?? state.spec.defaults?.retry)
      })
    }
    const index = state.tasks.add(profile)
    if (profile !== runProfile) {
      if (runProfile >= 0) State.enqueue(state, runProfile, runStart, index - 1)
      runStart = index
      runProfile = profile
    }
  }
  if (runProfile >= 0) State.enqueue(state, runProfile, runStart, state.tasks.size - 1)
  state.counts[Phase.queued] = (state.counts[Phase.queued] ?? 0) + tasks.length
}

const leased = (state: Existing, manager: ManagerId, epoch: Epoch, leases: ReadonlyArray<LeaseRange>): void => {
  const place = State.holderPlace(state, manager, epoch, true)
  const holder = state.holders[place]
  for (const [first, last] of leases) {
    for (let index = first; index <= last; index++) {
      if (!state.tasks.has(index) || state.tasks.phaseOf(index) !== Phase.queued) continue
      undelay(state, index)
      setPhase(state, index, Phase.assigned)
      state.tasks.holder[index] = place
      if (holder !== undefined) holder.tasks++
    }
  }
  State.trimQueues(state)
}

const ended = (state: Existing, attempt: EndedAttempt): void => {
  const { index } = attempt
  const { tasks } = state
  if (!tasks.has(index)) return
  const phase = tasks.phaseOf(index)
  if (phase > Phase.running) return
  release(state, index)
  undelay(state, index)
  tasks.attempts[index] = Math.max(tasks.attemptsOf(index), attempt.attempt)
  tasks.setFlag(index, Flag.lost, attempt.outcome === "lost")
  tasks.setFlag(index, Flag.cancelRequested, false)
  if (attempt.outcome === "lost" || attempt.outcome === "crashed") {
    tasks.crashes[index] = Math.min((tasks.crashes[index] ?? 0) + 1, 255)
  } else if (attempt.next === "retry" || attempt.next === "failed") {
    tasks.failures[index] = (tasks.failures[index] ?? 0) + 1
  }
  switch (attempt.next) {
    case "succeeded":
      return setPhase(state, index, Phase.succeeded)
    case "failed":
      return setPhase(state, index, Phase.failed)
    case "cancelled":
      return setPhase(state, index, Phase.cancelled)
    case "retry":
      setPhase(state, index, Phase.queued)
      if (attempt.retryAt !== undefined) {
        state.retryAt.set(index, attempt.retryAt)
        tasks.setFlag(index, Flag.delayed, true)
      }
      return State.enqueue(state, tasks.profile[index] ?? 0, index, index)
  }
}

const returned = (state: Existing, index: number): void => {
  if (state.tasks.phaseOf(index) !== Phase.assigned) return
  release(state, index)
  setPhase(state, index, Phase.queued)
  State.enqueue(state, state.tasks.profile[index] ?? 0, index, index)
}

const requeued = (state: Existing, index: number): void => {
  const phase = state.tasks.phaseOf(index)
  if (phase !== Phase.failed && phase !== Phase.cancelled) return
  state.tasks.failures[index] = 0
  state.tasks.crashes[index] = 0
  state.tasks.setFlag(index, Flag.lost, false)
  setPhase(state, index, Phase.queued)
  State.enqueue(state, state.tasks.profile[index] ?? 0, index, index)
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

const release = (state: Existing, index: number): void => {
  if (!isHeld(state, index)) return
  const holder = state.holders[state.tasks.holder[index] ?? -1]
  if (holder !== undefined) holder.tasks--
}

const undelay = (state: Existing, index: number): void => {
  if (!state.tasks.hasFlag(index, Flag.delayed)) return
  state.tasks.setFlag(index, Flag.delayed, false)
  state.retryAt.delete(index)
}

const forEachIn = (state: Existing, ranges: ReadonlyArray<Range>, visit: (index: number) => void): void => {
  for (const [first, last] of ranges) {
    for (let index = Math.max(first, 0); index <= last && index < state.tasks.size; index++) visit(index)
  }
}
