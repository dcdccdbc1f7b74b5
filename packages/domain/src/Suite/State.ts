/**
 * What a suite has to remember in order to decide.
 */
import type { Epoch, ManagerId } from "../Manager/Id.ts"
import type { RetryPolicy } from "../Task/Spec.ts"
import type { SuiteId } from "./Id.ts"
import { RangeList } from "./RangeList.ts"
import type { SuiteSpec, TaskCounts } from "./Spec.ts"
import { Flag, Phase, TaskTable } from "./TaskTable.ts"

/** Nothing has happened on this stream. */
export interface Missing {
  readonly _tag: "Missing"
}

/** A session that holds tasks, and how many. */
export interface Holder {
  manager: ManagerId
  epoch: Epoch
  tasks: number
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
  /** Number of tasks in each phase, by the phase's number. */
  readonly counts: Array<number>
  /** Queued tasks by priority. May also name tasks that have left the queue since; they are passed over. */
  readonly queues: Map<number, RangeList>
  /** The priorities that have a queue, highest first. */
  priorities: Array<number>
  /** When delayed tasks may run again. */
  readonly retryAt: Map<number, number>
  readonly holders: Array<Holder>
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
  counts: [0, 0, 0, 0, 0, 0],
  queues: new Map(),
  priorities: [],
  retryAt: new Map(),
  holders: [],
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
  const key = JSON.stringify(profile)
  const known = state.profileOf.get(key)
  if (known !== undefined) return known
  state.profiles.push(profile)
  state.profileOf.set(key, state.profiles.length - 1)
  return state.profiles.length - 1
}

/** The place of a session in the list of holders, added when `add` says so. Places without tasks are used again. */
export const holderPlace = (state: Existing, manager: ManagerId, epoch: Epoch, add: boolean): number => {
  let free = -1
  for (let place = 0; place < state.holders.length; place++) {
    const holder = state.holders[place]
    if (holder === undefined) continue
    if (holder.manager === manager && holder.epoch === epoch) return place
    if (holder.tasks === 0 && free < 0) free = place
  }
  if (!add) return -1
  if (free < 0) {
    state.holders.push({ manager, epoch, tasks: 0 })
    return state.holders.length - 1
  }
  state.holders[free] = { manager, epoch, tasks: 0 }
  return free
}

/** Puts tasks into the queue of their priority. */
export const enqueue = (state: Existing, profile: number, first: number, last: number): void => {
  const priority = state.profiles[profile]?.priority ?? 0
  let queue = state.queues.get(priority)
  if (queue === undefined) {
    queue = new RangeList()
    state.queues.set(priority, queue)
    state.priorities = [...state.queues.keys()].toSorted((a, b) => b - a)
  }
  queue.add(first, last)
}

/** Whether a task may be leased at `now`. */
export const isReady = (state: Existing, index: number, now: number): boolean =>
  state.tasks.phaseOf(index) === Phase.queued &&
  (!state.tasks.hasFlag(index, Flag.delayed) || (state.retryAt.get(index) ?? 0) <= now)

/** Up to `max` tasks that may be leased now: by priority, then by age. */
export const nextReady = (state: Existing, max: number, now: number): Array<number> => {
  const found: Array<number> = []
  for (const priority of state.priorities) {
    if (found.length >= max) break
    state.queues.get(priority)?.forEach((index) => {
      if (isReady(state, index, now)) found.push(index)
      return found.length < max
    })
  }
  return found
}

/** Forgets what has left the queue at the front of each queue. */
export const trimQueues = (state: Existing): void => {
  for (const queue of state.queues.values()) queue.trim((index) => state.tasks.phaseOf(index) !== Phase.queued)
}

/** When the first delayed task may run again, if one waits. */
export const nextRetryAt = (state: Existing): number | undefined => {
  let first: number | undefined
  for (const time of state.retryAt.values()) if (first === undefined || time < first) first = time
  return first
}

/** Indexes of all tasks in a phase, oldest first. */
export const indexesIn = (state: Existing, phase: Phase): Array<number> => {
  const found: Array<number> = []
  if (count(state, phase) === 0) return found
  const phases = state.tasks.phase
  for (let index = 0; index < state.tasks.size; index++) if (phases[index] === phase) found.push(index)
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
