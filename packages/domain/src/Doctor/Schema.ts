/**
 * The structure of the database against what the programs need, and how far histories are behind the log.
 */
import * as Finding from "./Finding.ts"
import { few, plural, span } from "./Numbers.ts"

export interface SchemaFacts {
  readonly schema: string
  /** Steps that were applied; null when there is no such schema, or nothing in it. */
  readonly applied: number | null
  /** Steps that this program knows. */
  readonly supported: number
  /** Names of the steps that are still to be applied. */
  readonly pending: ReadonlyArray<string>
  /** Steps that were applied with other contents than this program's. */
  readonly changed: ReadonlyArray<string>
}

const say = Finding.about("database")

export const judge = (facts: SchemaFacts): ReadonlyArray<Finding.Finding> => {
  const { applied, changed, pending, schema, supported } = facts
  const check = "database.migrations"
  if (applied === null) {
    return [
      say.warning(
        check,
        `there are no tables of Muster in the schema ${schema}`,
        "the first coordinator that starts makes them; if there should be some, the URL or MUSTER_DATABASE_SCHEMA is wrong"
      )
    ]
  }
  if (applied > supported) {
    return [
      say.error(
        check,
        `a newer program has brought the schema ${schema} to version ${applied}; this one knows up to ${supported}`,
        "use the newer program on this machine too; coordinators of this version will not start"
      )
    ]
  }
  if (changed.length > 0) {
    return [
      say.error(
        check,
        `steps were applied with other contents than this program's: ${few(changed)}`,
        "use the program that the database was made with, or restore a backup"
      )
    ]
  }
  return pending.length > 0
    ? [
        say.warning(
          check,
          `${plural(pending.length, "step")} of the schema ${schema} are not applied: ${few(pending)}`,
          "the next coordinator of this version that starts applies them; make a backup before"
        )
      ]
    : [say.ok(check, `the schema ${schema} has version ${applied}, as this program`)]
}

/** How far a history is. */
export interface Subscription {
  readonly projection: string
  /** Version of the projection whose checkpoint is stored; null: it has none. */
  readonly stored: number | null
  /** Version that this program has. */
  readonly known: number
  readonly events: number
  readonly milliseconds: number
}

/** A history that is further behind is worth a word; one as far as the other stands still. Milliseconds. */
const late = 60_000
const standing = 3_600_000

export const judgeSubscriptions = (found: ReadonlyArray<Subscription>): ReadonlyArray<Finding.Finding> =>
  found.map(({ events, known, milliseconds, projection, stored }) => {
    const check = "log.subscriptions"
    if (stored === null) return say.ok(check, `history ${projection} has not begun: no coordinator has run yet`)
    if (stored > known) {
      return say.warning(
        check,
        `history ${projection} is of version ${stored}, this program's of ${known}: a newer coordinator keeps it`,
        "update the coordinators that are older"
      )
    }
    if (stored < known) {
      return say.warning(
        check,
        `history ${projection} is of version ${stored}, this program's is ${known}`,
        "a coordinator of this version makes it anew when it starts"
      )
    }
    const what = `history ${projection} is ${plural(events, "event")} (${span(milliseconds)}) behind`
    if (milliseconds < late) return say.ok(check, what)
    const next = "see whether a coordinator runs, what it logs, and whether a long transaction holds the log back"
    return milliseconds < standing ? say.warning(check, what, next) : say.error(check, what, next)
  })
