/**
 * What a database is asked and what it writes while something happens. Needs `pg_stat_statements`.
 */
import { Effect } from "effect"
import type { Database } from "./Database.ts"

export interface Statement {
  readonly query: string
  readonly calls: number
  /** Of the server. */
  readonly millis: number
}

/** Since the server's counters began. */
export interface Counters {
  /** Rows that were inserted, updated or deleted, by table. */
  readonly rows: ReadonlyMap<string, number>
  /** By what identifies a statement. */
  readonly statements: ReadonlyMap<string, Statement>
}

export interface Activity {
  /** Tables without are left out. */
  readonly rows: Readonly<Record<string, number>>
  /** Most often asked first. */
  readonly statements: ReadonlyArray<Statement>
}

/** Whatever the bench asks itself. */
const isOurs = (query: string) => /pg_stat_|pg_current_wal/.test(query)

export const difference = (before: Counters, after: Counters): Activity => ({
  rows: Object.fromEntries(
    [...after.rows]
      .map(([table, count]) => [table, count - (before.rows.get(table) ?? 0)] as const)
      .filter(([, count]) => count > 0)
  ),
  statements: [...after.statements]
    .map(([id, { calls, millis, query }]) => {
      const earlier = before.statements.get(id)
      return { query, calls: calls - (earlier?.calls ?? 0), millis: millis - (earlier?.millis ?? 0) }
    })
    .filter(({ calls, query }) => calls > 0 && !isOurs(query))
    .toSorted((a, b) => b.calls - a.calls)
})

const counters = ({ rows }: Database): Effect.Effect<Counters> =>
  Effect.gen(function* () {
    const tables = yield* rows(
      "select schemaname || '.' || relname, n_tup_ins + n_tup_upd + n_tup_del from pg_stat_user_tables"
    )
    const statements = yield* rows(
      `select concat_ws('/', queryid, userid, dbid, toplevel), regexp_replace(query, '\\s+', ' ', 'g'), calls, total_exec_time
       from pg_stat_statements`
    )
    return {
      rows: new Map(tables.map(([table, count]) => [String(table), Number(count)])),
      statements: new Map(
        statements.map(([id, query, calls, millis]) => [
          String(id),
          { query: String(query), calls: Number(calls), millis: Number(millis) }
        ])
      )
    }
  })

/** Counters of another session arrive, at the latest, so many seconds after it fell idle. */
export const delay = 10

/**
 * Runs this with what the database does meanwhile. What was done less than `delay` before counts too, and what is done in
 * the last seconds may not, so it should begin and end at rest.
 */
export const during =
  (database: Database) =>
  <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<readonly [A, Activity], E, R> =>
    Effect.gen(function* () {
      const before = yield* counters(database)
      const result = yield* work
      return [result, difference(before, yield* counters(database))] as const
    })
