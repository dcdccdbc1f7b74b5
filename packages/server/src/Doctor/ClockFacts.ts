/**
 * Compares the clock of this process with the database's.
 */
import { Clock, Effect } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import * as Clocks from "@muster/domain/Doctor/Clocks"

/** Questions asked: the quickest answers bound the distance most tightly. */
const rounds = 7

const sample = Effect.fnUntraced(function* (sql: SqlClient) {
  const sent = yield* Clock.currentTimeMillis
  const rows = yield* sql.unsafe<{ readonly there: number }>(
    "select extract(epoch from clock_timestamp())::float8 * 1000 as there"
  )
  const received = yield* Clock.currentTimeMillis
  return { sent, there: rows[0]?.there ?? Number.NaN, received }
})

/** How far this process's clock is ahead of the database's. */
export const measure = (sql: SqlClient): Effect.Effect<Clocks.Offset | undefined, SqlError> =>
  Effect.map(Effect.replicateEffect(sample(sql), rounds), (samples) => Clocks.offsetOf(samples))
