/**
 * How many leased tasks a manager should hold ready: enough that no worker ever waits, few enough that other managers get
 * their share.
 */

/** What the size depends on. Times in milliseconds. */
export interface Load {
  readonly workers: number
  /** Workers that have nothing to do now. */
  readonly waiting: number
  /** What one task costs one worker, from being handed out to the next call; absent before the first one ended. */
  readonly perItem: number | undefined
  /** How long a coordinator takes to answer with a lease. */
  readonly leaseLatency: number
}

export interface Limits {
  /** Work to hold ready. Milliseconds. */
  readonly horizon: number
  /** Most tasks to hold ready. */
  readonly limit: number
}

/** From here on a task is slow: fetching the next one takes no part of its time that anybody would notice. */
const slowTask = 1_000

/**
 * The number of tasks to hold ready.
 *
 * It follows from the speed of the workers and not from how many tasks went by, so that a slow coordinator does not make
 * the buffer smaller, which would make everything slower still. For the same reason a lease that takes longer than the
 * horizon to arrive widens it.
 */
export const target = (load: Load, limits: Limits): number => {
  const { perItem, waiting, workers } = load
  if (perItem !== undefined && perItem >= slowTask) return Math.min(waiting, limits.limit)
  const floor = 2 * workers
  if (perItem === undefined) return Math.min(floor, limits.limit)
  const horizon = Math.max(limits.horizon, 2 * load.leaseLatency)
  const ahead = Math.ceil((workers * horizon) / Math.max(perItem, 0.001))
  return Math.min(Math.max(ahead, floor), limits.limit)
}

/** How many to ask for now: nothing while more than half of the target is there. */
export const request = (load: Load, buffered: number, limits: Limits): number => {
  const wanted = target(load, limits)
  return buffered > 0 && buffered * 2 > wanted ? 0 : Math.max(0, wanted - buffered)
}
