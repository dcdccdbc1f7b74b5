/**
 * What a suite has to remember in order to decide.
 */
import type { Epoch, ManagerId } from "../Manager/Id.ts"
import type { RetryPolicy } from "../Task/Spec.ts"
import { Delays } from "./Delays.ts"
import { Holders } from "./Holders.ts"
import type { SuiteId } from "./Id.ts"
import { Outstanding } from "./Outstanding.ts"
import { RangeList } from "./RangeList.ts"
import type { SuiteSpec, TaskCounts } from "./Spec.ts"
import { TaskQueue } from "./TaskQueue.ts"
import { Flag, Phase, TaskTable } from "./TaskTable.ts"

/** Nothing has happened on this stream. */
export interface Missing {
  readonly _tag: "Missing"
}

/** What many tasks have in common: their place in the queue and how they are retried. */
export interface Profile {
  readonly priority: number
  readonly retry: Required<RetryPolicy>
}

/** A suite that was created. Used linearly: `evolve` changes it in place. */
export interface Existing {
  readonly _tag: "Existing"
  readonly id: SuiteId
  readonly spec: SuiteSpec
  readonly createdAt: number
  state: "open" | "closed" | "complete" | "cancelled"
  paused: boolean
  /** Cancelled, and the last running task has ended. */
  stopped: boolean
  lastSubmittedAt: number
  completedAt: number | undefined
  readonly tasks: TaskTable
  /** Tasks that need not be told apart: `Plain.ts` says which. Nothing is decided by it. */
  plain: RangeList
  /** Number of tasks in each phase, by the phase's number. */
  readonly counts: Array<number>
  /** Queued tasks that may be leased at once. */
  readonly queue: TaskQueue
  /** Queued tasks that wait for their next attempt. They go over to the queue with the first lease after their time. */
  readonly delays: Delays
  readonly holders: Holders
  /** Managers that were lost: their sessions up to this epoch get nothing more. */
  readonly fences: Map<ManagerId, Epoch>
  /** Attempts that were recorded as lost. Their results may still come. */
  readonly lostAttempts: Outstanding
  /** Leases that lost managers seemed not to have begun; uncounted, so that somebody else's attempt may have their number. */
  readonly lostLeases: Outstanding
  readonly profiles: Array<Profile>
  readonly profileOf: Map<string, number>
  /** Where the specs of tasks stand: first index of each submission and the version of its event, both rising. */
  readonly batches: { readonly firstIndex: Array<number>; readonly version: Array<number> }
  /** Version of the stream: number of events so far. */
  version: number
}

export type SuiteState = Missing | Existing

export const initial = (): SuiteState => ({ _tag: "Missing" })

export const make = (id: SuiteId, spec: SuiteSpec, createdAt: number): Existing => ({
  _tag: "Existing",
  id,
  spec,
  createdAt,
  state: "open",
  paused: false,
  stopped: false,
  lastSubmittedAt: createdAt,
  completedAt: undefined,
  tasks: new TaskTable(),
  plain: new RangeList(),
  counts: [0, 0, 0, 0, 0, 0],
  queue: new TaskQueue(),
  delays: new Delays(),
  holders: new Holders(),
  fences: new Map(),
  lostAttempts: new Outstanding(),
  lostLeases: new Outstanding(),
  profiles: [],
  profileOf: new Map(),
  batches: { firstIndex: [], version: [] },
  version: 1
})

const count = (state: Existing, phase: Phase): number => state.counts[phase] ?? 0

/** Tasks that are not settled. */
export const pending = (state: Existing): number =>
  count(state, Phase.queued) + count(state, Phase.assigned) + count(state, Phase.running)

export const taskCounts = (state: Existing): TaskCounts => ({
  total: state.tasks.size,
  pending: pending(state),
  queued: count(state, Phase.queued),
  assigned: count(state, Phase.assigned),
  running: count(state, Phase.running),
  succeeded: count(state, Phase.succeeded),
  failed: count(state, Phase.failed),
  cancelled: count(state, Phase.cancelled)
})

/** The place of a profile in the suite's list; equal ones share a place. */
export const internProfile = (state: Existing, profile: Profile): number => {
  const { limit, backoff, factor, maxBackoff, jitter } = profile.retry
  const key = `${profile.priority} ${limit} ${backoff} ${factor} ${maxBackoff} ${jitter}`
  const known = state.profileOf.get(key)
  if (known !== undefined) return known
  state.profiles.push(profile)
  state.profileOf.set(key, state.profiles.length - 1)
  return state.profiles.length - 1
}

const priorityOf = (state: Existing, index: number): number =>
  state.profiles[state.tasks.profile[index] ?? 0]?.priority ?? 0

/** Puts a queued task into the queue. */
export const enqueue = (state: Existing, index: number): void => {
  state.queue.add(priorityOf(state, index), index, index)
}

/** Puts those of a range of tasks into the queue that are queued and not delayed. */
export const enqueueAll = (state: Existing, first: number, last: number): void => {
  const { flags, phase, profile } = state.tasks
  for (let start = first; start <= last;) {
    if (phase[start] !== Phase.queued || ((flags[start] ?? 0) & Flag.delayed) !== 0) {
      start++
      continue
    }
    let end = start
    while (
      end < last &&
      profile[end + 1] === profile[start] &&
      phase[end + 1] === Phase.queued &&
      ((flags[end + 1] ?? 0) & Flag.delayed) === 0
    )
      end++
    state.queue.add(priorityOf(state, start), start, end)
    start = end + 1
  }
}

/** Takes a task out of where it waits. */
export const dequeue = (state: Existing, index: number): void => {
  if (state.tasks.hasFlag(index, Flag.delayed)) {
    state.tasks.setFlag(index, Flag.delayed, false)
    state.delays.delete(index)
  } else {
    state.queue.delete(priorityOf(state, index), index)
  }
}

/** Lets a queued task wait until `time`. */
export const delay = (state: Existing, index: number, time: number): void => {
  state.tasks.setFlag(index, Flag.delayed, true)
  state.delays.set(index, time)
}

/** Puts delayed tasks whose time has come into the queue. */
export const enqueueDue = (state: Existing, now: number): void => {
  for (const index of state.delays.take(now)) {
    state.tasks.setFlag(index, Flag.delayed, false)
    enqueue(state, index)
  }
}

/** Up to `max` tasks that may be leased now: by priority, then by age. */
export const nextReady = (state: Existing, max: number, now: number): Array<number> => {
  const found = state.queue.first(max)
  const due = state.delays.due(now)
  if (due.size === 0) return found
  return [...found, ...due]
    .toSorted((a, b) => priorityOf(state, b) - priorityOf(state, a) || a - b)
    .slice(0, Math.max(max, 0))
}

/** How many of the tasks that may be leased now are leased before a queued one. */
export const readyBefore = (state: Existing, index: number, now: number): number => {
  const { flags, phase, size } = state.tasks
  const priority = priorityOf(state, index)
  let before = 0
  for (let other = 0; other < size; other++) {
    if (phase[other] !== Phase.queued || other === index) continue
    if (((flags[other] ?? 0) & Flag.delayed) !== 0 && (state.delays.get(other) ?? 0) > now) continue
    const own = priorityOf(state, other)
    if (own > priority || (own === priority && other < index)) before++
  }
  return before
}

/** When the first delayed task may run again, if one waits. */
export const nextRetryAt = (state: Existing): number | undefined => state.delays.first()

/** Indexes of all tasks in a phase, oldest first. */
export const indexesIn = (state: Existing, phase: Phase): Array<number> => {
  const found: Array<number> = []
  if (count(state, phase) === 0) return found
  const phases = state.tasks.phase
  for (let index = 0; index < state.tasks.size; index++) if (phases[index] === phase) found.push(index)
  return found
}

/** Tasks that the session at this place holds, by phase, oldest first. */
export const heldAt = (
  state: Existing,
  place: number
): { readonly assigned: ReadonlyArray<number>; readonly running: ReadonlyArray<number> } => {
  const found = { assigned: new Array<number>(), running: new Array<number>() }
  const { holder, phase } = state.tasks
  let rest = state.holders.at(place)?.tasks ?? 0
  for (let index = 0; rest > 0 && index < state.tasks.size; index++) {
    if (holder[index] !== place) continue
    if (phase[index] === Phase.assigned) found.assigned.push(index)
    else if (phase[index] === Phase.running) found.running.push(index)
    else continue
    rest--
  }
  return found
}

/** Version of the event that holds the spec of a task, and the task's place in it. */
export const specPlace = (state: Existing, index: number): { readonly version: number; readonly offset: number } => {
  const { firstIndex, version } = state.batches
  let low = 0
  let high = firstIndex.length - 1
  while (low < high) {
    const middle = (low + high + 1) >>> 1
    if ((firstIndex[middle] ?? 0) <= index) low = middle
    else high = middle - 1
  }
  return { version: version[low] ?? 0, offset: index - (firstIndex[low] ?? 0) }
}

/** Number of queued tasks that may not run yet. */
export const delayedUntilAfter = (state: Existing, now: number): number =>
  state.delays.size - state.delays.due(now).size
