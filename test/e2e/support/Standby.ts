/**
 * A streaming standby of a running Postgres, made as an operator does: a base backup, and the address of the primary. The
 * backup is taken through SQL, because the binaries that come with Muster have no pg_basebackup.
 */
import { execFileSync } from "node:child_process"
import { appendFileSync, chownSync, cpSync, mkdirSync, rmSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { NodeServices } from "@effect/platform-node"
import { PgConnection } from "@effect/sql-pg"
import { Effect, Redacted } from "effect"
import * as EmbeddedPostgres from "@muster/server/EmbeddedPostgres"
import * as Wait from "./Wait.ts"

/** The first value of a query's first row. */
export const value = (connection: PgConnection.PgConnection, text: string) =>
  Effect.map(Effect.orDie(connection.queryValues(text)), ([row]) => row?.[0])

/** Makes `directory` a standby of the server that lives in `primary.directory`, and starts it. It follows commit by commit. */
export const make = Effect.fnUntraced(function* (
  primary: { readonly url: string; readonly directory: string },
  directory: string
) {
  const connection = yield* Effect.orDie(PgConnection.make({ url: Redacted.make(primary.url) }))
  const from = join(primary.directory, "data")
  const to = join(directory, "data")
  const owner = statSync(from)
  const own = (path: string, text: string, write: (path: string, text: string) => void) => {
    write(path, text)
    chownSync(path, owner.uid, owner.gid)
  }
  yield* value(connection, "select pg_backup_start('standby', true)")
  mkdirSync(directory)
  // With owners and modes. Files that change meanwhile are made whole by the log from the start of the backup on.
  execFileSync("cp", ["-a", from, to])
  const [row] = yield* Effect.orDie(connection.queryValues("select labelfile from pg_backup_stop(false)"))
  own(join(to, "backup_label"), String(row?.[0]), writeFileSync)
  own(join(to, "standby.signal"), "", writeFileSync)
  rmSync(join(to, "postmaster.pid"))
  const { hostname, password, port, username } = new URL(primary.url)
  const source = `host=${hostname} port=${port} user=${username} password=${decodeURIComponent(password)}`
  own(join(to, "postgresql.auto.conf"), `primary_conninfo = '${source} application_name=standby'\n`, appendFileSync)
  cpSync(join(primary.directory, "superuser-password"), join(directory, "superuser-password"))

  const standby = yield* EmbeddedPostgres.start({ dataDir: directory }).pipe(
    Effect.provide(NodeServices.layer),
    Effect.orDie
  )
  // From here on a commit is answered when the standby has it too.
  yield* value(connection, "alter system set synchronous_standby_names = 'standby'")
  yield* value(connection, "select pg_reload_conf()")
  yield* Wait.until(
    "the standby is synchronous",
    value(connection, "select sync_state from pg_stat_replication"),
    (state) => state === "sync"
  )
  const url = Redacted.value(standby.url)
  return {
    url,
    promote: Effect.gen(function* () {
      const there = yield* Effect.orDie(PgConnection.make({ url: Redacted.make(url) }))
      yield* value(there, "select pg_promote()")
    }).pipe(Effect.scoped)
  }
})
