/**
 * Numbers made to fit their columns. An event holds what a manager said, however odd; a row that cannot hold it must not
 * keep the event, and all that was decided with it, from being stored.
 */

const within = (lowest: number, highest: number) => (value: number | undefined) =>
  value === undefined ? null : Math.min(Math.max(value, lowest), highest)

/** For `int`. */
export const int = within(-(2 ** 31), 2 ** 31 - 1)

/** For `timestamptz`, in milliseconds since 1970: from Postgres' first day to a `Date`'s last. */
export const time = within(Date.UTC(-4713, 10, 24), 8.64e15)

const largestReal = (2 - 2 ** -23) * 2 ** 127

/** For `real`. */
export const real = within(-largestReal, largestReal)
