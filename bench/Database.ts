/**
 * What the bench itself asks of the Postgres server under test.
 */
import { PgConnection } from "@effect/sql-pg"
import { Effect, Redacted } from "effect"

export interface Database {
  readonly url: string
  readonly version: string
  /** Rows of a query, each as its values. */
  readonly rows: (sql: string) => Effect.Effect<ReadonlyArray<ReadonlyArray<unknown>>>
  /** Bytes of write-ahead log since the server was made. */
  readonly walPosition: Effect.Effect<number>
  /** Writes out what is dirty, so that no measurement pays for what was written before it. */
  readonly checkpoint: Effect.Effect<void>
  /** Milliseconds of so many commits of one small row, one after the other on one connection. */
  readonly commits: (count: number) => Effect.Effect<ReadonlyArray<number>>
  /** Makes a database in this server if it is not there, and answers with its address. */
  readonly other: (name: string) => Effect.Effect<string>
}

export const connect = Effect.fn("Database.connect")(function* (url: string) {
  const connection = yield* PgConnection.make({ url: Redacted.make(url) })
  const rows = (sql: string): Effect.Effect<ReadonlyArray<ReadonlyArray<unknown>>> =>
    Effect.orDie(connection.queryValues(sql))
  const value = (sql: string) => Effect.map(rows(sql), ([row]) => row?.[0])
  yield* Effect.orDie(
    connection.query("create table if not exists bench_commit (id bigserial primary key, payload text not null)")
  )
  const commit = Effect.gen(function* () {
    const began = performance.now()
    yield* connection.query("insert into bench_commit (payload) values ('a row about as long as a small event has')")
    return performance.now() - began
  })
  return {
    url,
    version: String(yield* value("show server_version")),
    rows,
    walPosition: Effect.map(value("select (pg_current_wal_insert_lsn() - '0/0')::text"), Number),
    checkpoint: Effect.asVoid(value("checkpoint")),
    commits: (count) => Effect.orDie(Effect.forEach(Array.from({ length: count }), () => commit)),
    other: Effect.fnUntraced(function* (name) {
      const found = yield* value(`select count(*)::int from pg_database where datname = '${name}'`)
      if (found === 0) yield* value(`create database ${name}`)
      const address = new URL(url)
      address.pathname = `/${name}`
      return address.href
    })
  } satisfies Database
}, Effect.orDie)
