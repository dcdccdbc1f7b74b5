/**
 * What all queries share: how they run, what becomes of a database that cannot be reached, and how columns become fields.
 */
import { Effect } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import { isSqlError } from "effect/sql/SqlError"
import type { SqlError } from "effect/sql/SqlError"
import { Unavailable } from "@muster/domain/Errors"
import { toMicroseconds } from "@muster/domain/Task/Packed"
import * as SqlFailure from "../SqlFailure.ts"

/** A database that is away for a moment is for the caller to wait for; anything else is an error in the statement. */
export const unlessAway = <A, E, R>(effect: Effect.Effect<A, E | SqlError, R>) =>
  Effect.catchIf(effect, isSqlError, (error) =>
    SqlFailure.isRetryable(error) || error.reason.operation === "connect"
      ? Effect.fail(new Unavailable({ reason: "the database cannot be reached or is too busy; try again" }))
      : Effect.die(error)
  )

/**
 * Runs a query whose text is a constant of the program, so that it is prepared once. `Row` is what its columns are: only
 * this program writes the tables, so what comes out is trusted.
 */
export const run = <Row extends object>(
  sql: SqlClient,
  text: string,
  params: ReadonlyArray<unknown>
): Effect.Effect<ReadonlyArray<Row>, Unavailable> => unlessAway(sql.unsafe<Row>(text, params))

/** ISO 8601 in UTC with milliseconds. */
export const instant = (date: Date): string => date.toISOString()

export const instantOrNull = (date: Date | null): string | null => (date === null ? null : date.toISOString())

/** A run time, of which the column holds seven digits: the rest of what comes out of it is noise. Milliseconds. */
export const millisOrNull = (duration: number | null): number | null =>
  duration === null ? null : toMicroseconds(duration)

/** Makes a text match itself in `like`. */
export const likeLiteral = (text: string): string => text.replaceAll(/[\\%_]/g, (character) => `\\${character}`)

export interface Page<Item> {
  readonly items: ReadonlyArray<Item>
  readonly nextCursor: string | null
}

/** A page from one row more than asked for: that there is one says that there is a next page. */
export const pageOf = <Row, Item>(
  rows: ReadonlyArray<Row>,
  limit: number,
  item: (row: Row) => Item,
  cursor: (row: Row) => string
): Page<Item> => {
  const shown = rows.slice(0, limit)
  const last = shown.at(-1)
  return {
    items: shown.map(item),
    nextCursor: rows.length > limit && last !== undefined ? cursor(last) : null
  }
}
