/**
 * What a manager can say that cannot be: a bug of its own, a broken machine, or somebody with its token. It changes nothing
 * and is counted.
 */
import { Schema } from "effect"

/**
 * | kind | what was said |
 * |---|---|
 * | `malformed` | something that has not the form of such a message, or numbers out of all range |
 * | `too_many` | more in one message than any manager holds |
 * | `too_large` | an output or a text that is larger or nested deeper than any worker lets through |
 * | `impossible_time` | a time before 1970 or more than a year ahead |
 * | `impossible_duration` | a run time that is negative or longer than ten years |
 * | `other_manager` | something in the name of a manager that the connection does not belong to |
 * | `other_epoch` | something in the name of a session that there has not been |
 * | `not_held` | the result of an attempt that this manager was never given |
 */
export const LieKind = Schema.Literals([
  "malformed",
  "too_many",
  "too_large",
  "impossible_time",
  "impossible_duration",
  "other_manager",
  "other_epoch",
  "not_held"
])
export type LieKind = typeof LieKind.Type

/** How many of each kind. */
export const LieCounts = Schema.Record(Schema.String, Schema.Int)
export type LieCounts = Readonly<Record<string, number>>

export const sum = (counts: LieCounts): number => Object.values(counts).reduce((total, count) => total + count, 0)

export const add = (a: LieCounts, b: LieCounts): LieCounts => {
  const total: Record<string, number> = { ...a }
  for (const [kind, count] of Object.entries(b)) total[kind] = (total[kind] ?? 0) + count
  return total
}

export const subtract = (a: LieCounts, b: LieCounts): LieCounts =>
  Object.fromEntries(
    Object.entries(a).flatMap(([kind, count]) => {
      const left = count - (b[kind] ?? 0)
      return left > 0 ? [[kind, left]] : []
    })
  )

/** What people are shown of a manager that has lied. */
export const LiesView = Schema.Struct({
  /** At least so many, until the last event: there is one whenever their number has doubled. */
  total: Schema.Int,
  /** Since the event before. */
  kinds: LieCounts,
  /** One of them. */
  example: Schema.String,
  at: Schema.String
})
export type LiesView = typeof LiesView.Type
