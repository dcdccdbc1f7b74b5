/**
 * Whether anything writes to a database.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { eventually } from "./Eventually.ts"

/**
 * For each table a number that differs after any insert, update, delete or lock of a row, even one that leaves the row as
 * it was.
 */
export const fingerprint = Effect.gen(function* () {
  const sql = yield* SqlClient
  const tables = yield* sql<{ table: string }>`
    select tablename as table from pg_tables where schemaname = current_schema() order by 1`
  return yield* Effect.forEach(tables, ({ table }) =>
    Effect.map(
      sql<{ print: string | null }>`
        select md5(string_agg(ctid::text || ' ' || xmin::text || ' ' || xmax::text, ',' order by ctid)) as print
        from ${sql(table)}`,
      ([row]) => [table, row?.print ?? null] as const
    )
  )
})

/** Until nothing has been written for a moment. */
export const settled = Effect.gen(function* () {
  let last = JSON.stringify(yield* fingerprint)
  let since = performance.now()
  yield* eventually(
    Effect.map(fingerprint, (prints) => {
      const now = JSON.stringify(prints)
      if (now !== last) since = performance.now()
      last = now
      return performance.now() - since
    }),
    (quietFor) => quietFor > 1_200
  )
})

const counts = Effect.gen(function* () {
  const sql = yield* SqlClient
  const [row] = yield* sql<{ rows: number; wal: number }>`
    select (select sum(n_tup_ins + n_tup_upd + n_tup_del)::int from pg_stat_user_tables) as rows,
      (select wal_bytes::int8::float8 from pg_stat_wal) as wal`
  return row ?? { rows: 0, wal: 0 }
})

/** What the server counted in so many milliseconds. Its log is shared by all tests that run meanwhile. */
export const during = Effect.fnUntraced(function* (millis: number) {
  const before = yield* counts
  const began = performance.now()
  yield* eventually(
    Effect.sync(() => performance.now() - began),
    (elapsed) => elapsed >= millis
  )
  const after = yield* counts
  return {
    millis,
    rows: after.rows - before.rows,
    walBytesOfServer: after.wal - before.wal
  }
})
