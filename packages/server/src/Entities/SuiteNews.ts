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

/**
 * Whether the pool would plan otherwise if it knew: something or nothing waits, or twice or half as much. One task more
 * may be the one that its managers have no worker for: while tasks wait, that is told too when the last word is old.
 */
export const isNews = (told: Waiting, now: Waiting, toldSince = 0): boolean =>
  differs(told.queued, now.queued) ||
  differs(told.pending, now.pending) ||
  (hasGrown(told, now) && toldSince >= dueAgainAfter)

const hasGrown = (told: Waiting, now: Waiting): boolean => now.queued > 0 && now.pending > told.pending

const differs = (before: number, after: number): boolean =>
  before !== after && (before <= 0 || after === 0 || after >= before * 2 || after * 2 <= before)

/** How often tasks are counted anew that wait or whose next attempt is due while nobody takes them. Milliseconds. */
const dueAgainAfter = 5_000

/** In how many milliseconds to count again although nothing happens, given when the first delayed task may run again. */
export const countAgainIn = (
  nextRetryAt: number | undefined,
  now: number,
  told?: Waiting,
  counted?: Waiting
): number | undefined => {
  const isBehind = told !== undefined && counted !== undefined && hasGrown(told, counted)
  if (nextRetryAt === undefined) return isBehind ? dueAgainAfter : undefined
  return nextRetryAt > now ? Math.min(nextRetryAt - now, isBehind ? dueAgainAfter : Infinity) : dueAgainAfter
}
