/**
 * A Muster whose database server tells what it is asked: Postgres with `pg_stat_statements`, and a connection to look.
 */
import { PgClient } from "@effect/sql-pg"
import { Context, Effect, Layer, Redacted } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import * as System from "../test/e2e/support/System.ts"

/** Times as in life, where the tests have shorter ones. */
export const inLife = {
  MUSTER_MANAGER_DISCONNECT_GRACE: "10s",
  MUSTER_MANAGER_TAKEOVER_GRACE: "30s",
  MUSTER_HEARTBEAT_INTERVAL: "10s"
}

const connection = (url: string) =>
  Effect.map(Effect.orDie(Layer.build(PgClient.layer({ url: Redacted.make(url), maxConnections: 1 }))), (context) =>
    Context.get(context, SqlClient)
  )

export const make = Effect.gen(function* () {
  const system = yield* System.make
  const { postgres } = system
  yield* Effect.scoped(
    Effect.gen(function* () {
      const sql = yield* connection(postgres.url)
      yield* sql.unsafe("alter system set shared_preload_libraries = 'pg_stat_statements'")
    })
  )
  yield* postgres.kill
  yield* postgres.restart
  const sql = yield* connection(postgres.url)
  yield* sql.unsafe("create extension if not exists pg_stat_statements")
  return { system, sql }
})
