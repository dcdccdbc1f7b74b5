/**
 * Databases for tests, on the one Postgres that globalSetup.ts starts. Each use of a layer makes a database of its own and
 * drops it at the end, so that tests never clean up after each other. Usual form, one database per file or block:
 *
 *     layer(Postgres.layer)("EventStore", (it) => { it.effect("…", () => …) })
 *
 * With tables: `Postgres.layerFrom({ name: "migrated", prepare: runMigrations })`. The template is prepared once per run,
 * by whichever test file comes first; a copy takes some 20 ms.
 */
import { PgClient } from "@effect/sql-pg"
import { Context, Effect, Layer, Redacted } from "effect"
import { randomUUID } from "node:crypto"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { inject } from "vitest"

/** The database that belongs to the test, for starting other clients or whole processes on it. */
export class TestDatabase extends Context.Service<
  TestDatabase,
  { readonly name: string; readonly url: Redacted.Redacted<string> }
>()("@muster/server/test/TestDatabase") {}

export type Database = TestDatabase | PgClient.PgClient | SqlClient

export interface Template<E> {
  /** Names the template within a test run; two templates with one name are one. */
  readonly name: string
  /** Makes tables and rows in an empty database. It must leave no connection open. */
  readonly prepare: Effect.Effect<void, E, PgClient.PgClient | SqlClient>
}

const urlOf = (database: string): Redacted.Redacted<string> => {
  const url = new URL(inject("postgresUrl"))
  url.pathname = `/${database}`
  return Redacted.make(url.href)
}

/** One connection to the server's own database, for as long as `use` needs it. */
const asAdministrator = <A, E>(use: (sql: PgClient.PgClient) => Effect.Effect<A, E>) =>
  Effect.flatMap(PgClient.PgClient, use).pipe(
    Effect.provide(PgClient.layer({ url: Redacted.make(inject("postgresUrl")), maxConnections: 1 }), { local: true })
  )

const createDatabase = (name: string, template: string) =>
  asAdministrator((sql) => sql`CREATE DATABASE ${sql(name)} TEMPLATE ${sql(template)}`)

const dropDatabase = (name: string) => asAdministrator((sql) => sql`DROP DATABASE IF EXISTS ${sql(name)} WITH (FORCE)`)

/**
 * Several test files may want the template at once: the first holds an advisory lock until it is complete. It is built
 * under another name and renamed, so that a failed preparation is never taken for a template.
 */
const ensureTemplate = <E>({ name, prepare }: Template<E>) => {
  const database = `template_${name}`
  return asAdministrator((sql) =>
    sql
      .withTransaction(
        Effect.gen(function* () {
          yield* sql`SELECT pg_advisory_xact_lock(hashtext(${database}))`
          const found = yield* sql`SELECT 1 FROM pg_database WHERE datname = ${database}`
          if (found.length > 0) return
          const unfinished = `unfinished_${randomUUID()}`
          yield* createDatabase(unfinished, "template0")
          yield* prepare.pipe(Effect.provide(PgClient.layer({ url: urlOf(unfinished) }), { local: true }))
          yield* asAdministrator((other) => other`ALTER DATABASE ${other(unfinished)} RENAME TO ${other(database)}`)
        })
      )
      .pipe(Effect.as(database))
  )
}

const layerCopying = <E>(template: Effect.Effect<string, E>): Layer.Layer<Database, E | SqlError> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const name = `test_${randomUUID()}`
      const from = yield* template
      yield* Effect.acquireRelease(createDatabase(name, from), () => Effect.orDie(dropDatabase(name)))
      const url = urlOf(name)
      return Layer.mergeAll(Layer.succeed(TestDatabase, { name, url }), PgClient.layer({ url }))
    })
  )

/** An empty database. */
export const layer: Layer.Layer<Database, SqlError> = layerCopying(Effect.succeed("template0"))

/** A copy of a database that was prepared once. */
export const layerFrom = <E>(template: Template<E>): Layer.Layer<Database, E | SqlError> =>
  layerCopying(ensureTemplate(template))
