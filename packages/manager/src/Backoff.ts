/**
 * How long to wait before the next try.
 */

/** The wait before try number `failures` + 1: doubles from `base` up to `limit`. Milliseconds. */
export const exponential = (failures: number, base: number, limit: number): number =>
  // The exponent is bounded so that a long outage cannot overflow.
  failures <= 0 ? 0 : Math.min(limit, base * 2 ** Math.min(failures - 1, 30))

/**
 * Spreads a wait over its upper half, so that managers which lost the same coordinator do not all come back at once.
 * `random` is in [0, 1).
 */
export const jittered = (wait: number, random: number): number => Math.round(wait * (0.5 + random / 2))
