/**
 * Databases with Muster's tables for tests: `Postgres.ts` with the migrations run, seen through the same kind of client
 * that a coordinator uses.
 */
import { PgClient } from "@effect/sql-pg"
import { Duration, Effect, Layer } from "effect"
import type { Redacted } from "effect"
import * as Database from "../../src/Database.ts"
import * as Migrations from "../../src/Migrations.ts"
import * as Postgres from "./Postgres.ts"

/** A coordinator's settings for a database. */
export const settings = (url: Redacted.Redacted, more: Partial<Database.Settings> = {}): Database.Settings => ({
  ...Database.defaults,
  url,
  ...more
})

/** A statement timeout that a test can wait for. */
export const shortTimeout = Duration.millis(100)

/** Another coordinator's client on the test's database. */
export const clientLayer = (more: Partial<Database.Settings> = {}) =>
  Layer.unwrap(Effect.map(Postgres.TestDatabase, ({ url }) => Database.layer(settings(url, more))))

const onDatabaseOf = (client: PgClient.PgClient) => {
  const { url } = client.config
  if (url === undefined) return Effect.die(new Error("the test's client has no URL"))
  return Effect.asVoid(Migrations.migrate).pipe(Effect.provide(Database.layer(settings(url)), { local: true }))
}

/** An empty database with tables, of its own for each use. */
export const layer = clientLayer().pipe(
  Layer.provideMerge(Postgres.layerFrom({ name: "muster", prepare: Effect.flatMap(PgClient.PgClient, onDatabaseOf) }))
)
