/**
 * When a suite has something to tell its pool: what it hears may change a plan, and what it hears too often wastes time.
 */

/** What the pool plans by. Negative: it has not been told. */
export interface Waiting {
  /** Tasks that could be handed out. */
  readonly queued: number
  /** Tasks that are not settled. */
  readonly pending: number
}

export const untold: Waiting = { queued: -1, pending: -1 }

/** Whether the pool would plan otherwise if it knew: something or nothing waits, or twice or half as much. */
export const isNews = (told: Waiting, now: Waiting): boolean =>
  differs(told.queued, now.queued) || differs(told.pending, now.pending)

const differs = (before: number, after: number): boolean =>
  before !== after && (before <= 0 || after === 0 || after >= before * 2 || after * 2 <= before)

/** How often tasks are counted anew whose next attempt is due while nobody takes them. Milliseconds. */
const dueAgainAfter = 5_000

/** In how many milliseconds to count again although nothing happens, given when the first delayed task may run again. */
export const countAgainIn = (nextRetryAt: number | undefined, now: number): number | undefined => {
  if (nextRetryAt === undefined) return undefined
  return nextRetryAt > now ? nextRetryAt - now : dueAgainAfter
}
