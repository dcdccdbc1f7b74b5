/** The running server process: started, watched until it answers, stopped and waited for. */
import { PgConnection } from "@effect/sql-pg"
import { Deferred, Effect, Redacted, Schedule } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import * as FileSystem from "node:fs/promises"
import type { Binaries } from "./Binaries.ts"
import { superuser } from "./Cluster.ts"
import { diagnose } from "./Diagnosis.ts"
import { attempt, PostgresStartError } from "./Errors.ts"
import { type Home, socketPath } from "./Home.ts"
import { host } from "./Port.ts"
import * as Run from "./Run.ts"
import { type Settings, toArguments } from "./Settings.ts"

/** How the server process ended. */
export interface PostgresExit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface Postmaster {
  readonly pid: number
  readonly port: number
  /** The superuser's connection to the database `postgres`, with the password in it. */
  readonly url: Redacted.Redacted<string>
  /** The file of the unix socket, if there is one. */
  readonly socketPath: string | undefined
  /** Waits for the end of the process, whoever caused it. */
  readonly exit: Effect.Effect<PostgresExit>
}

export interface Options {
  readonly home: Home
  readonly binaries: Binaries
  readonly password: string
  readonly port: number
  readonly settings: Settings
}

/** Recovery after a crash replays at most `max_wal_size`; a slow disk needs a minute for that. */
const readyTimeout = "2 minutes"
const readyPollInterval = "20 millis"
const connectTimeout = "5 seconds"

/** Patience with each way of stopping, in order; after the last one only the kernel can be waited for. */
const stopSteps = [
  { signal: "SIGINT", patience: "10 seconds" },
  { signal: "SIGQUIT", patience: "5 seconds" },
  { signal: "SIGKILL", patience: "5 seconds" }
] as const

const maxLogBytes = 10 * 1024 * 1024

/** Keeps one older log, so that it can neither grow without bound nor lose what happened last. */
const openLog = async ({ log }: Home): Promise<FileSystem.FileHandle> => {
  const size = await FileSystem.stat(log).then(
    (found) => found.size,
    () => 0
  )
  if (size > maxLogBytes) await FileSystem.rename(log, `${log}.1`)
  return FileSystem.open(log, "a+", 0o600)
}

const describeExit = ({ code, signal }: PostgresExit) => (signal === null ? `exit code ${code}` : `signal ${signal}`)

/** One process with its exit as a value. Its output goes to the log from `logStart` on. */
interface Started {
  readonly child: ChildProcess
  readonly exit: Deferred.Deferred<PostgresExit>
  readonly logStart: number
}

const spawnPostgres = Effect.fnUntraced(function* ({ binaries, home, port, settings }: Options) {
  const exit = Deferred.makeUnsafe<PostgresExit>()
  const child = yield* attempt(home.requested, async () => {
    const [program, args] = await Run.endingWithParent(home, binaries.postgres, [
      "-D",
      home.data,
      ...toArguments({
        ...settings,
        listen_addresses: host,
        port: String(port),
        unix_socket_directories: home.sockets ?? ""
      })
    ])
    const log = await openLog(home)
    try {
      const logStart = (await log.stat()).size
      // Its own process group: Ctrl-C in a terminal must end Muster first and Postgres last.
      const started = spawn(program, args, { ...Run.options(home), detached: true, stdio: ["ignore", log.fd, log.fd] })
      started.once("exit", (code, signal) => Deferred.doneUnsafe(exit, Effect.succeed({ code, signal })))
      await new Promise((resolve, reject) => started.once("spawn", resolve).once("error", reject))
      return { child: started, logStart }
    } finally {
      await log.close()
    }
  })
  return { ...child, exit } satisfies Started
})

const stop = ({ child, exit }: Started): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (const { patience, signal } of stopSteps) {
      child.kill(signal)
      const ended = yield* Deferred.await(exit).pipe(Effect.timeoutOption(patience))
      if (ended._tag === "Some") return
    }
    yield* Effect.logWarning(`Postgres (process ${child.pid}) did not end after SIGKILL`)
  })

const failure = (home: Home, started: Started, exit: PostgresExit) =>
  attempt(home.requested, async () => {
    const log = await FileSystem.readFile(home.log)
    return diagnose(log.subarray(started.logStart).toString("utf8"), describeExit(exit))
  }).pipe(
    Effect.flatMap(({ detail, reason }) =>
      Effect.fail(new PostgresStartError({ reason, directory: home.requested, detail }))
    )
  )

/** Ready means: the superuser gets a connection with the password of this cluster. */
const awaitReady = (url: Redacted.Redacted<string>) =>
  Effect.scoped(PgConnection.make({ url, connectTimeout })).pipe(Effect.retry(Schedule.spaced(readyPollInterval)))

/** Starts one server process, which ends with the scope, and waits until it accepts connections or gives up. */
export const start = Effect.fn("EmbeddedPostgres.Postmaster.start")(function* (options: Options) {
  const { home, password, port } = options
  const url = Redacted.make(`postgres://${superuser}:${password}@${host}:${port}/postgres`)
  const started = yield* Effect.acquireRelease(spawnPostgres(options), stop)
  const exit = Deferred.await(started.exit)
  yield* awaitReady(url).pipe(
    Effect.raceFirst(Effect.flatMap(exit, (ended) => failure(home, started, ended))),
    Effect.timeoutOrElse({
      duration: readyTimeout,
      orElse: () =>
        Effect.fail(
          new PostgresStartError({
            reason: "TimedOut",
            directory: home.requested,
            detail: `it did not accept connections within ${readyTimeout} (log: ${home.log}).`
          })
        )
    })
  )
  return {
    pid: started.child.pid ?? 0,
    port,
    url,
    socketPath: home.sockets === undefined ? undefined : socketPath(home.sockets, port),
    exit
  } satisfies Postmaster
})
