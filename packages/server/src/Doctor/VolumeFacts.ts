/**
 * Looks at file systems.
 */
import { statfs } from "node:fs/promises"
import { Effect, Predicate } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { Volume } from "@muster/domain/Doctor/Storage"

/** The file system of a directory; nothing when there is no such directory. `free`: for this user. */
export const at = (holds: string, path: string): Effect.Effect<ReadonlyArray<Volume>> =>
  Effect.promise(() =>
    statfs(path).then(
      ({ bavail, blocks, bsize, ffree, files }) => [
        {
          holds,
          path,
          bytes: { total: blocks * bsize, free: bavail * bsize },
          inodes: files === 0 ? null : { total: files, free: ffree }
        }
      ],
      () => []
    )
  )

/**
 * The database's own, when it is on this machine and tells where its data are (which takes `pg_read_all_settings`). The
 * directory must hold what a data directory holds: a container may call its own so.
 */
export const ofDatabase = (sql: SqlClient): Effect.Effect<ReadonlyArray<Volume>> =>
  sql
    .unsafe<{ readonly path: string | null }>(
      `select case when inet_server_addr() is null or host(inet_server_addr()) in ('127.0.0.1', '::1')
         then (select setting from pg_settings where name = 'data_directory') end as path`
    )
    .pipe(
      Effect.flatMap(([row]) => (Predicate.isNullish(row?.path) ? Effect.succeed([]) : at("the database", row.path))),
      Effect.orElseSucceed(() => [])
    )
