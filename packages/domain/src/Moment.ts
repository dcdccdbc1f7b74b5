/**
 * A moment as people name it: a time (`2026-11-24T18:20:00Z`, in UTC unless it says otherwise) or how long ago (`10m`).
 */
import * as Millis from "./Millis.ts"

/** What a moment may look like, for messages. */
export const expected = "a time such as 2026-11-24T18:20:00Z, or how long ago, such as 10m"

const iso = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)?(?<zone>Z|[+-]\d\d:?\d\d)?$/i

/** Milliseconds since 1970 of a moment, or nothing when it is none. What was a shorter time ago than it names is after it. */
export const parse = (text: string, now: number): number | undefined => {
  const ago = Millis.parse(text)
  if (ago !== undefined) return now - ago
  const match = iso.exec(text)
  if (match === null) return undefined
  const isDay = text.length === 10
  const millis = Date.parse(isDay || match.groups?.["zone"] !== undefined ? text : `${text}Z`)
  return Number.isNaN(millis) ? undefined : millis
}
