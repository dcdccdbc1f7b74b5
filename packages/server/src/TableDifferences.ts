/**
 * Compares a live table with a temporary one of the same name, by primary key.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import * as Param from "./Param.ts"

/** A row that is not the same on both sides. */
export interface Difference {
  /** The row's primary key. */
  readonly key: Readonly<Record<string, unknown>>
  /** Null when there is no such row. */
  readonly live: Readonly<Record<string, unknown>> | null
  readonly rebuilt: Readonly<Record<string, unknown>> | null
}

export interface TableDifferences {
  readonly table: string
  /** Keys that are in either of the two. */
  readonly compared: number
  readonly differing: number
  /** The first ones, at most 100. */
  readonly differences: ReadonlyArray<Difference>
}

const shownDifferences = 100

/** The schema of the live tables. */
export const currentSchema = Effect.gen(function* () {
  const sql = yield* SqlClient
  const rows = yield* sql<{ schema: string }>`select current_schema() as schema`
  return rows[0]?.schema ?? "public"
})

/** Names of the columns of a table's primary key, in order. */
export const primaryKey = Effect.fnUntraced(function* (schema: string, table: string) {
  const sql = yield* SqlClient
  const rows = yield* sql<{ column: string }>`
    select a.attname as column
    from pg_index i
    join pg_class c on c.oid = i.indrelid
    join pg_attribute a on a.attrelid = c.oid and a.attnum = any (i.indkey)
    where i.indisprimary and c.relname = ${table} and c.relnamespace = ${schema}::regnamespace
    order by array_position(i.indkey::int2[], a.attnum)`
  return rows.map(({ column }) => column)
})

/**
 * `pg_temp` holds the rebuilt table. Statements are not prepared, since its tables exist in this transaction only.
 * `only`: the live rows of these, named by the first column of the primary key; the rebuilt table has no others.
 */
export const find = Effect.fnUntraced(function* (schema: string, table: string, only?: ReadonlyArray<string>) {
  const sql = yield* SqlClient
  const key = (yield* primaryKey(schema, table)).map((column) => `"${column}"`)
  // A comparison of whole tables, unlike all that is planned by key.
  if (only === undefined) yield* sql.unsafe("set local enable_seqscan = on")
  const live =
    only === undefined ? `"${schema}"."${table}"` : `(select * from "${schema}"."${table}" where ${key[0]} = any ($1))`
  const params = only === undefined ? [] : [Param.texts(only)]
  const joined = `${live} l full join pg_temp."${table}" r using (${key.join(", ")})`
  const isDifferent = "l is distinct from r"
  const [counts] = yield* sql.unsafe<{ compared: number; differing: number }>(
    `select count(*)::int as compared, count(*) filter (where ${isDifferent})::int as differing from ${joined}`,
    params
  ).unprepared
  const differences = yield* sql.unsafe<Difference>(
    `select jsonb_build_object(${key.map((column) => `'${column.slice(1, -1)}', ${column}`).join(", ")}) as key,
       to_jsonb(l) as live, to_jsonb(r) as rebuilt
     from ${joined} where ${isDifferent} order by ${key.join(", ")} limit ${shownDifferences}`,
    params
  ).unprepared
  return { table, compared: counts?.compared ?? 0, differing: counts?.differing ?? 0, differences }
})
