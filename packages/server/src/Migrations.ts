/**
 * Brings the database's structure to what this version of the program needs, at the start of each coordinator. Several
 * may start at once: an advisory lock lets one work while the others wait and then find nothing left to do.
 */
import { createHash } from "node:crypto"
import { Data, Effect } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { Migration } from "./Migration.ts"
import * as EventStoreTables from "./migrations/0001_event_store.ts"
import * as ReadModels from "./migrations/0002_read_models.ts"
import * as Histories from "./migrations/0003_histories.ts"
import * as NewestSuites from "./migrations/0004_newest_suites.ts"
import * as PlainTasks from "./migrations/0005_plain_tasks.ts"
import * as UnfinishedSuites from "./migrations/0006_unfinished_suites.ts"
import * as ClusterKey from "./migrations/0007_cluster_key.ts"
import * as EventStore from "./EventStore.ts"
import * as PgEventStore from "./PgEventStore.ts"
import * as Inline from "./Projections/Inline.ts"
import * as Rebuild from "./Rebuild.ts"
import * as RestoredLog from "./RestoredLog.ts"

/** All steps in order. */
export const migrations: ReadonlyArray<Migration> = [
  EventStoreTables.migration,
  ReadModels.migration,
  Histories.migration,
  NewestSuites.migration,
  PlainTasks.migration,
  UnfinishedSuites.migration,
  ClusterKey.migration
]

/** The version that this program works with. */
export const supported = migrations.length

/** The database was written by a newer program: this one would misread it. */
export class DatabaseTooNew extends Data.TaggedError("DatabaseTooNew")<{
  readonly found: number
  readonly supported: number
}> {
  override get message() {
    return `the database has schema version ${this.found}, this version of Muster knows up to ${this.supported}: use a newer one`
  }
}

/** A step that was applied before is not the one that this program has under its number. */
export class MigrationChanged extends Data.TaggedError("MigrationChanged")<{
  readonly version: number
  readonly name: string
}> {
  override get message() {
    return `step ${this.version} of the database schema was applied as "${this.name}" with other contents than this program's`
  }
}

/** A step could not be carried out; nothing of this run was kept. */
export class MigrationError extends Data.TaggedError("MigrationError")<{
  readonly step: string
  readonly cause: SqlError | EventStore.EventStoreError
}> {
  override get message() {
    if (this.cause._tag === "EventStoreError") return `database schema: ${this.step} failed: ${this.cause.message}`
    const { cause, message } = this.cause.reason
    return `database schema: ${this.step} failed: ${cause instanceof Error ? cause.message : message}`
  }
}

export type Failure = DatabaseTooNew | MigrationChanged | MigrationError

interface Applied {
  readonly version: number
  readonly name: string
  readonly checksum: string
}

export const checksum = (migration: Migration): string =>
  createHash("sha256").update(migration.up.join("\n;\n")).digest("hex")

const during = (step: string) =>
  Effect.mapError((cause: SqlError | EventStore.EventStoreError) => new MigrationError({ step, cause }))

/** Takes the lock until the end of the transaction, and makes the place where applied steps are recorded. */
const prepare = Effect.fnUntraced(function* (sql: SqlClient) {
  // Waiting for another coordinator and rewriting a large table may both take longer than a statement otherwise may.
  yield* sql.unsafe("set local statement_timeout = 0")
  const path = yield* sql.unsafe<{ schema: string }>(
    `select trim(both '"' from trim(split_part(current_setting('search_path'), ',', 1))) as schema`
  )
  const schema = path[0]?.schema ?? ""
  yield* sql.unsafe("select pg_advisory_xact_lock(hashtextextended($1, 0))", [`muster migrations ${schema}`])
  const existing = yield* sql.unsafe("select from pg_namespace where nspname = $1", [schema])
  // Asked first, because `if not exists` needs the right to create schemas even when there is nothing to create.
  if (existing.length === 0) yield* sql`create schema ${sql(schema)}`
  yield* sql.unsafe(`
    create table if not exists schema_migrations (
      version int primary key,
      name text not null,
      applied_at timestamptz not null default now(),
      checksum text not null
    )`)
}, during("preparing"))

const check = Effect.fnUntraced(function* (applied: ReadonlyArray<Applied>, known: ReadonlyArray<Migration>) {
  const found = applied.at(-1)?.version ?? 0
  if (found > known.length) return yield* new DatabaseTooNew({ found, supported: known.length })
  for (const [index, migration] of known.slice(0, applied.length).entries()) {
    const there = applied[index]
    if (there !== undefined && (there.version !== migration.version || there.checksum !== checksum(migration))) {
      return yield* new MigrationChanged({ version: there.version, name: there.name })
    }
  }
  return found
})

const apply = Effect.fnUntraced(function* (sql: SqlClient, migration: Migration) {
  yield* Effect.logInfo(`database schema: applying ${migration.version} ${migration.name}`)
  for (const statement of migration.up) yield* sql.unsafe(statement).unprepared
  yield* sql.unsafe("insert into schema_migrations (version, name, checksum) values ($1, $2, $3)", [
    migration.version,
    migration.name,
    checksum(migration)
  ])
})

const revert = Effect.fnUntraced(function* (sql: SqlClient, migration: Migration) {
  yield* Effect.logInfo(`database schema: reverting ${migration.version} ${migration.name}`)
  for (const statement of migration.down) yield* sql.unsafe(statement).unprepared
  yield* sql.unsafe("delete from schema_migrations where version = $1", [migration.version])
})

/** Makes read models anew whose tables were changed by these steps. */
const rebuild = Effect.fnUntraced(function* (steps: ReadonlyArray<Migration>) {
  const names = new Set(steps.flatMap(({ rebuilds = [] }) => rebuilds))
  const store = yield* PgEventStore.make()
  for (const projection of Inline.projections.filter(({ name }) => names.has(name))) {
    yield* Effect.logInfo(`database schema: making the read model of ${projection.name} anew from the events`)
    const { events, streams } = yield* Rebuild.rebuild(projection).pipe(
      Effect.provideService(EventStore.EventStore, store),
      during(`making the read model of ${projection.name} anew`)
    )
    yield* Effect.logInfo(`database schema: ${projection.name} made anew from ${events} events of ${streams} streams`)
  }
})

export interface Outcome {
  readonly from: number
  readonly to: number
}

/**
 * Moves the database to a version: forwards, or backwards with loss of what the undone steps held. One transaction: it
 * arrives there or stays where it was.
 */
export const migrateTo = Effect.fn("Migrations.migrateTo")(function* (
  target: number,
  known: ReadonlyArray<Migration> = migrations
): Effect.fn.Return<Outcome, Failure, SqlClient> {
  const sql = yield* SqlClient
  const steps = Effect.gen(function* () {
    yield* prepare(sql)
    const applied = yield* sql
      .unsafe<Applied>("select version, name, checksum from schema_migrations order by version")
      .pipe(during("reading applied steps"))
    const from = yield* check(applied, known)
    for (const migration of known.slice(from, target)) {
      yield* apply(sql, migration).pipe(during(`applying ${migration.version} ${migration.name}`))
    }
    for (const migration of known.slice(target, from).toReversed()) {
      yield* revert(sql, migration).pipe(during(`reverting ${migration.version} ${migration.name}`))
    }
    const to = Math.min(target, known.length)
    if (to > 0) yield* RestoredLog.adopt(sql).pipe(during("adopting the log of another server"))
    // This program's read models fit its own version only.
    if (to === supported) yield* rebuild(known.slice(from, target))
    return { from, to }
  })
  return yield* sql
    .withTransaction(steps)
    .pipe(Effect.catchTag("SqlError", (cause) => new MigrationError({ step: "the transaction", cause })))
})

/** Moves the database to the version of this program. */
export const migrate: Effect.Effect<Outcome, Failure, SqlClient> = migrateTo(supported)
