/**
 * Sessions of the doctor's own, beside the pool of whoever runs it: nothing of theirs can be left behind in a pool, and they
 * need none of its connections.
 */
import { PgClient } from "@effect/sql-pg"
import type { Layer } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"

/** As `pg_stat_activity` shows them. */
export const applicationName = "muster doctor"

type Session = Layer.Layer<PgClient.PgClient | SqlClient, SqlError>

/** Asks the server for all that a coordinator's sessions ask for. */
export const likeOurs = ({ config }: PgClient.PgClient): Session =>
  PgClient.layer({ ...config, applicationName, maxConnections: 1 })

/** Asks for nothing: sees what the server, the role and the database say by themselves. */
export const plain = ({ config }: PgClient.PgClient): Session => {
  const { startupParameters: _, ...rest } = config
  return PgClient.layer({ ...rest, applicationName, maxConnections: 1 })
}
