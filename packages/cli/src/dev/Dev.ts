/**
 * Muster on one machine: Postgres, a coordinator and a manager with its workers, each a process of its own, each started
 * again when it ends. They go down together, in the order in which nothing is lost.
 */
import { Effect, Option, Redacted, Schema, Stream } from "effect"
import type { Scope } from "effect"
import { readFile } from "node:fs/promises"
import * as Path from "node:path"
import * as Profile from "@muster/client/Profile"
import { ManagerId } from "@muster/domain/Manager/Id"
import * as Failure from "../Failure.ts"
import { nodeFlags } from "@muster/server/NodeFlags"
import * as Programs from "../Programs.ts"
import * as Child from "./Child.ts"
import * as DataDirectory from "./DataDirectory.ts"
import * as DevState from "./DevState.ts"
import * as Port from "./Port.ts"
import * as ProcessIdentity from "./ProcessIdentity.ts"
import * as Supervisor from "./Supervisor.ts"

export interface Options {
  readonly dataDir: string
  readonly host: string
  readonly port: number
  readonly workers: number
  /** Module with handlers for the workers. */
  readonly handlers: string | undefined
  /** A Postgres of the user's; without it one is brought along. */
  readonly databaseUrl: string | undefined
  /** The file to start `muster` with; by default the one that this process was started with. */
  readonly entry?: string | undefined
  /** A line for people: what ended, what was started again. */
  readonly say: (line: string) => Effect.Effect<void>
}

const workersPatience = "5 seconds"
const coordinatorGrace = 10_000
const managerGrace = 30_000
/** How long running tasks may go on when everything is stopped, unless the environment says. */
const shutdownLimit = "10s"

/** Variables of ours would reach children that have settings of their own. What tunes a process may pass. */
const inherited = (): NodeJS.ProcessEnv => {
  const own = new Set(["MUSTER_URL", "MUSTER_TOKEN", "MUSTER_DATA_DIR", "MUSTER_OUTPUT", "MUSTER_DATABASE_URL"])
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !own.has(name) && !name.startsWith("MUSTER_TLS_"))
  )
}

/** Everything that the parts share. */
interface Installation {
  readonly options: Options
  readonly directory: DataDirectory.DataDirectory
  readonly tokens: { readonly admin: string; readonly enrolment: string }
  readonly url: string
  readonly port: number
  readonly databaseUrl: string
  readonly processes: Processes
  /** What was imported here: then nothing runs that could change it. */
  readonly imported: DevState.Imported | undefined
}

/** The list of processes, written down whenever it changes. */
interface Processes {
  readonly started: (role: DevState.Role) => (pid: number) => Effect.Effect<void>
  readonly ended: (pid: number) => Effect.Effect<void>
  readonly ready: Effect.Effect<void>
}

const makeProcesses = (url: string, dataDir: string, imported: DevState.Imported | undefined): Processes => {
  let processes: ReadonlyArray<DevState.DevProcess> = []
  let isReady = false
  const save = Effect.suspend(() =>
    DevState.write({
      url,
      dataDir,
      supervisor: ProcessIdentity.of(process.pid),
      ready: isReady,
      processes,
      ...(imported === undefined ? {} : { imported })
    })
  )
  return {
    started: (role) => (pid) =>
      Effect.suspend(() => {
        processes = [...processes, { role, pid }]
        return save
      }),
    ended: (pid) =>
      Effect.suspend(() => {
        processes = processes.filter((process) => process.pid !== pid)
        return save
      }),
    ready: Effect.suspend(() => {
      isReady = true
      return save
    })
  }
}

/** Starts Postgres and answers with its address, which stays the same for as long as the scope is open. */
const startPostgres = Effect.fn("Dev.startPostgres")(function* (
  { say }: Options,
  directory: DataDirectory.DataDirectory,
  processes: Processes
) {
  const EmbeddedPostgres = yield* Effect.promise(() => import("@muster/server/EmbeddedPostgres"))
  let address: { readonly port: number; readonly url: string } | undefined
  yield* Supervisor.keep({
    name: "postgres",
    say,
    onStarted: processes.started("postgres"),
    onEnded: processes.ended,
    start: Effect.gen(function* () {
      // The coordinator knows the port of the first start.
      const { exit, pid, port, url } = yield* EmbeddedPostgres.start({
        dataDir: directory.postgres,
        port: address?.port
      })
      address = { port, url: Redacted.value(url) }
      return { pid, ended: Effect.map(exit, Child.describeExit) }
    })
  })
  if (address === undefined) return yield* Effect.die(new Error("Postgres was started without an address"))
  return address.url
})

const isReady = (url: string) =>
  Effect.tryPromise(async (signal) => {
    const response = await fetch(`${url}/readyz`, { signal })
    await response.arrayBuffer()
    if (!response.ok) throw new Error(`/readyz answers ${response.status}`)
  })

const startCoordinator = ({
  databaseUrl,
  directory,
  imported,
  options,
  port,
  processes,
  tokens,
  url
}: Installation) => {
  const log = `${directory.logs}/coordinator.log`
  return Supervisor.keep({
    name: "coordinator",
    say: options.say,
    onStarted: processes.started("coordinator"),
    onEnded: processes.ended,
    start: Effect.gen(function* () {
      const child = yield* Child.start({
        command: Programs.muster(["server", "start"], options.entry, nodeFlags),
        log,
        grace: coordinatorGrace,
        env: {
          ...inherited(),
          MUSTER_DATABASE_URL: databaseUrl,
          MUSTER_HOST: options.host,
          MUSTER_PORT: String(port),
          MUSTER_CLUSTER_PORT: "0",
          MUSTER_ADMIN_TOKEN: tokens.admin,
          MUSTER_ENROLMENT_TOKEN: tokens.enrolment,
          ...(imported === undefined ? {} : { MUSTER_READ_ONLY: "true" })
        }
      })
      yield* Child.untilReady("coordinator", child, isReady(url), log)
      return { pid: child.pid, ended: Effect.map(child.exit, Child.describeExit) }
    })
  })
}

const startManager = ({ directory, options, processes, tokens, url }: Installation) => {
  const log = `${directory.logs}/manager.log`
  return Supervisor.keep({
    name: "manager",
    say: options.say,
    onStarted: processes.started("manager"),
    onEnded: processes.ended,
    start: Effect.gen(function* () {
      const child = yield* Child.start({
        command: Programs.muster(["manager", "start"], options.entry),
        log,
        grace: managerGrace,
        env: {
          MUSTER_SHUTDOWN_LIMIT: shutdownLimit,
          ...inherited(),
          MUSTER_URL: url,
          MUSTER_TOKEN: tokens.enrolment,
          MUSTER_MANAGER_DIR: directory.manager,
          MUSTER_MANAGER_WORKERS: String(options.workers),
          ...(options.handlers === undefined ? {} : { MUSTER_HANDLERS: options.handlers })
        }
      })
      const workers = listWorkers(directory.root, url, tokens.admin).pipe(
        Effect.filterOrFail(
          (found) => found.length >= options.workers,
          () => "too few"
        )
      )
      yield* Child.untilReady("manager", child, Effect.asVoid(workers), log)
      return { pid: child.pid, ended: Effect.map(child.exit, Child.describeExit) }
    })
  })
}

/** The id of the manager of this directory, once it has one. */
const managerId = (dataDir: string) =>
  Effect.tryPromise(async () => {
    const text = await readFile(Path.join(dataDir, "manager", "manager-id"), "utf8")
    return Schema.decodeUnknownSync(ManagerId)(text.trim())
  })

/** The workers of this directory's manager, as the coordinator knows them. */
export const listWorkers = Effect.fn("Dev.listWorkers")(function* (dataDir: string, url: string, token: string) {
  const { MusterClient } = yield* Effect.promise(() => import("@muster/client/MusterClient"))
  const id = yield* managerId(dataDir)
  return yield* Effect.scoped(
    Effect.gen(function* () {
      const client = yield* MusterClient.make({ url, token, connectTimeout: 0, repeatFor: 0 })
      const workers = yield* Stream.runCollect(client.listWorkers({ managerId: id }))
      return workers
        .filter(({ pid, state }) => state === "running" && ProcessIdentity.isAlive({ pid, startTime: null }))
        .map(({ pid }): DevState.DevProcess => ({ role: "worker", pid }))
    })
  )
})

/** What there is to know of a running `muster dev`: workers are asked for, since they come and go by themselves. */
export const info = Effect.fn("Dev.info")(function* (state: DevState.DevState) {
  const { token } = yield* Profile.read(state.dataDir)
  const workers =
    state.imported === undefined
      ? yield* listWorkers(state.dataDir, state.url, token ?? "").pipe(
          Effect.timeout(workersPatience),
          // A coordinator that is just being started again knows none.
          Effect.orElseSucceed((): ReadonlyArray<DevState.DevProcess> => [])
        )
      : []
  const found: DevState.Info = {
    url: state.url,
    dataDir: state.dataDir,
    pid: state.supervisor.pid,
    processes: [...state.processes, ...workers],
    ...(state.imported === undefined ? {} : { imported: state.imported })
  }
  return found
})

const alreadyRunning = (directory: string) =>
  Failure.failed(
    `another \`muster dev\` is just starting in ${directory}`,
    "`muster dev status` shows when it is ready, `muster dev stop` stops it"
  )

/** Starts everything, which then runs until the scope closes. Answers when all of it is ready. */
export const start = Effect.fn("Dev.start")(function* (
  options: Options
): Effect.fn.Return<DevState.Info, Failure.CommandFailed | Profile.ProfileUnusable, Scope.Scope> {
  const directory = yield* DataDirectory.prepare(options.dataDir)
  const MachineLock = yield* Effect.promise(() => import("@muster/manager/MachineLock"))
  yield* MachineLock.acquire(directory.lock).pipe(
    Effect.mapError((error) =>
      error._tag === "DirectoryInUse" ? alreadyRunning(directory.root) : Failure.failed(error.message)
    )
  )
  const port = yield* Port.choose(options.host, options.port)
  const tokens = yield* DataDirectory.tokens(directory)
  const url = `http://${options.host.includes(":") ? `[${options.host}]` : options.host}:${port}`
  const imported = yield* DataDirectory.imported(directory)
  const processes = makeProcesses(url, directory.root, imported)
  const databaseUrl =
    (imported === undefined ? options.databaseUrl : undefined) ??
    (yield* Effect.mapError(startPostgres(options, directory, processes), (error) => Failure.failed(error.message)))
  const installation: Installation = { options, directory, tokens, url, port, databaseUrl, processes, imported }
  yield* Profile.write(directory.root, { url, token: tokens.admin, databaseUrl })
  yield* startCoordinator(installation)
  // No machine may work on what belongs to another cluster.
  if (imported === undefined) yield* startManager(installation)
  yield* processes.ready
  const state = yield* DevState.read(directory.root)
  if (Option.isNone(state)) return yield* Effect.die(new Error("the state that was just written is not there"))
  return yield* info(state.value)
})
