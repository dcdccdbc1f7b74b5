/** The data directory: made once, checked at every start, freed of what a crash left behind. */
import { Effect } from "effect"
import { randomBytes, randomUUID } from "node:crypto"
import * as FileSystem from "node:fs/promises"
import * as Path from "node:path"
import type { Binaries } from "./Binaries.ts"
import { diagnose } from "./Diagnosis.ts"
import { attempt, PostgresStartError } from "./Errors.ts"
import type { Home } from "./Home.ts"
import { run } from "./Run.ts"

export const superuser = "postgres"

/** A new cluster with its first write-ahead log takes about 60 MB. */
const minFreeBytes = 150 * 1024 * 1024

/**
 * The superuser's password, made on first use. The file is written under another name and linked to its own, so that of
 * two processes both end with the password of the first, and none reads half of it.
 */
const readPassword = async ({ account, password, root }: Home): Promise<string> => {
  const temporary = Path.join(root, `.${randomUUID()}`)
  await FileSystem.writeFile(temporary, `${randomBytes(24).toString("base64url")}\n`, { mode: 0o600 })
  // initdb reads it, so it belongs to the account that runs initdb.
  if (account !== undefined) await FileSystem.chown(temporary, account.uid, account.gid)
  await FileSystem.link(temporary, password).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error
  })
  await FileSystem.rm(temporary)
  return (await FileSystem.readFile(password, "utf8")).trim()
}

const readVersion = ({ data }: Home): Promise<string | undefined> =>
  FileSystem.readFile(Path.join(data, "PG_VERSION"), "utf8").then(
    (text) => text.trim(),
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined
      throw error
    }
  )

const outputOf = (cause: unknown): string => {
  if (!(cause instanceof Error)) return String(cause)
  return "stderr" in cause && cause.stderr !== "" ? String(cause.stderr) : cause.message
}

/** Makes the cluster beside its place and renames it there when it is complete: a data directory is whole or absent. */
const initialise = Effect.fn("EmbeddedPostgres.Cluster.initialise")(function* (home: Home, binaries: Binaries) {
  const { account, data, password, requested, root } = home
  const disk = yield* attempt(requested, () => FileSystem.statfs(root))
  const freeBytes = disk.bavail * disk.bsize
  if (freeBytes < minFreeBytes) {
    const megabytes = (bytes: number) => `${Math.floor(bytes / 1024 / 1024)} MB`
    const detail = `${megabytes(freeBytes)} are free on its disk, ${megabytes(minFreeBytes)} are needed.`
    return yield* new PostgresStartError({ reason: "DiskFull", directory: requested, detail })
  }

  const temporary = Path.join(root, `.initialising-${randomUUID()}`)
  yield* attempt(requested, async () => {
    await FileSystem.mkdir(temporary, { mode: 0o700 })
    if (account !== undefined) await FileSystem.chown(temporary, account.uid, account.gid)
  })
  yield* Effect.tryPromise({
    try: (signal) =>
      run(
        home,
        binaries.initdb,
        [
          `--pgdata=${temporary}`,
          `--username=${superuser}`,
          `--pwfile=${password}`,
          "--auth=scram-sha-256",
          "--encoding=UTF8",
          "--locale=C"
        ],
        signal
      ),
    catch: (cause) => {
      const { detail, reason } = diagnose(outputOf(cause), "an error")
      return new PostgresStartError({ reason, directory: requested, detail: `initdb: ${detail}`, cause })
    }
  }).pipe(
    Effect.andThen(
      attempt(requested, () =>
        FileSystem.rename(temporary, data).catch((error: NodeJS.ErrnoException) => {
          // Another process was first; its cluster has the same password.
          if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error
        })
      )
    ),
    Effect.ensuring(Effect.promise(() => FileSystem.rm(temporary, { recursive: true, force: true })))
  )
})

/** Makes sure that there is a cluster these binaries can run, and answers with the superuser's password. */
export const ensure = Effect.fn("EmbeddedPostgres.Cluster.ensure")(function* (home: Home, binaries: Binaries) {
  const password = yield* attempt(home.requested, () => readPassword(home))
  const version = yield* attempt(home.requested, () => readVersion(home))
  if (version === undefined) yield* initialise(home, binaries)
  else if (version !== binaries.majorVersion) {
    return yield* new PostgresStartError({
      reason: "WrongVersion",
      directory: home.requested,
      detail: `its data was made by Postgres ${version}, this is Postgres ${binaries.majorVersion}.`
    })
  }
  return password
})

/** Whether any process works in `directory`. Every process of Postgres does so in its data directory. */
const hasProcessIn = async (directory: string): Promise<boolean> => {
  const ids = (await FileSystem.readdir("/proc")).filter((name) => /^\d+$/.test(name))
  const directories = await Promise.all(ids.map((id) => FileSystem.readlink(`/proc/${id}/cwd`).catch(() => undefined)))
  return directories.includes(directory)
}

/**
 * Removes the lock file of a Postgres that was killed, if none of its processes is left. Postgres does that itself when
 * the recorded process id is free, but not when a container has no process to reap the dead, so that the dead keep their
 * id, or when after a restart the id belongs to another process of the same user.
 *
 * To be called only after Postgres has refused: a server that loses its lock file stops, so it must not be removed under
 * one that is just starting. Reading it again at the end leaves that to chance for some microseconds only.
 */
export const removeStaleLock = ({ data, requested }: Home): Effect.Effect<void, PostgresStartError> =>
  attempt(requested, async () => {
    if (process.platform !== "linux") return
    const lock = Path.join(data, "postmaster.pid")
    const read = () => FileSystem.readFile(lock, "utf8").catch(() => undefined)
    const before = await read()
    if (before === undefined || (await hasProcessIn(data)) || (await read()) !== before) return
    await FileSystem.rm(lock, { force: true })
  })
