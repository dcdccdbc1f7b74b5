/**
 * A whole Muster of real processes: Postgres, coordinators, managers with their workers.
 */
import { get } from "node:https"
import { createServer } from "node:net"
import { fileURLToPath } from "node:url"
import { join } from "node:path"
import { NodeServices } from "@effect/platform-node"
import { Context, Effect, Exit, Layer, Redacted, Scope } from "effect"
import { MusterClient } from "@muster/client/MusterClient"
import type { Options } from "@muster/client/MusterClient"
import * as EmbeddedPostgres from "@muster/server/EmbeddedPostgres"
import { nodeFlags } from "@muster/server/NodeFlags"
import * as Process from "./Process.ts"
import * as Wait from "./Wait.ts"

const source = (path: string) => fileURLToPath(new URL(`../../../packages/${path}`, import.meta.url))

const adminToken = "mst_admin_for-tests-only-0123456789"
const enrolmentToken = "mst_enrolment_for-tests-only-01234"

export interface Coordinator extends Process.Process {
  readonly url: string
  readonly port: number
}

export interface Manager extends Process.Process {
  readonly name: string
  readonly directory: string
}

/** How the programs are started. */
export interface Programs {
  /** Arguments of Node for a coordinator. */
  readonly coordinator: ReadonlyArray<string>
  /** Arguments of Node for a manager. */
  readonly manager: ReadonlyArray<string>
  /** What a manager starts a worker with, where it does not know by itself. */
  readonly worker?: ReadonlyArray<string>
}

/** Whether durations are those of tests, or those that ship. */
export type Times = "quick" | "shipped"

/** From TypeScript, so that a test needs no build. */
export const sources = {
  coordinator: [...nodeFlags, source("server/src/main.ts")],
  manager: [source("manager/src/main.ts")],
  worker: [process.execPath, source("worker/src/main.ts")]
} satisfies Programs

/** The database server; it can be killed and started again on the same data and port. */
export interface Postgres {
  readonly url: string
  readonly directory: string
  readonly port: number
  readonly pid: () => number
  readonly kill: Effect.Effect<void>
  /** In order: running statements are broken off, what is committed is on the disk. */
  readonly stop: Effect.Effect<void>
  /** Starts it, after it was ended if it runs. */
  readonly restart: Effect.Effect<void>
}

export interface System {
  /** Holds the data and the logs of all. */
  readonly home: string
  readonly postgres: Postgres
  /** Started and ready to answer, unless `waits` is false. `port`: that of one that has gone, to take its place. */
  readonly coordinator: (options?: {
    readonly port?: number
    readonly name?: string
    readonly waits?: boolean
    /** Whether its environment makes it serve over TLS. */
    readonly secure?: boolean
    readonly env?: Readonly<Record<string, string>>
  }) => Effect.Effect<Coordinator, never, Scope.Scope>
  readonly manager: (options: {
    readonly urls: ReadonlyArray<string>
    readonly name?: string
    readonly workers?: number
    readonly tags?: ReadonlyArray<string>
    /** That of one that has gone, to take its place. */
    readonly directory?: string
    readonly env?: Readonly<Record<string, string>>
    /** How it is started, if not like all else. */
    readonly programs?: Programs
  }) => Effect.Effect<Manager, never, Scope.Scope>
  readonly client: (
    url: string | ReadonlyArray<string>,
    options?: Partial<Options>
  ) => Effect.Effect<MusterClient["Service"], never, Scope.Scope>
  readonly adminToken: string
  readonly enrolmentToken: string
}

export const freePort = Effect.callback<number>((resume) => {
  const server = createServer()
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    const port = address !== null && typeof address === "object" ? address.port : 0
    server.close(() => resume(Effect.succeed(port)))
  })
})

/** Whether a coordinator says that it is ready; certificates are not this question's business. */
const isReady = (url: string) =>
  url.startsWith("https:")
    ? Effect.callback<boolean>((resume) => {
        get(`${url}/readyz`, { rejectUnauthorized: false, agent: false }, (response) => {
          response.resume()
          resume(Effect.succeed(response.statusCode === 200))
        }).on("error", () => resume(Effect.succeed(false)))
      })
    : Effect.promise(() =>
        fetch(`${url}/readyz`).then(
          (response) => response.status === 200,
          () => false
        )
      )

/** Times that let tests see within seconds what takes minutes in life. */
const quick = {
  MUSTER_MANAGER_DISCONNECT_GRACE: "1500ms",
  MUSTER_MANAGER_TAKEOVER_GRACE: "10s",
  MUSTER_HEARTBEAT_INTERVAL: "1s"
}

const quickManager = { MUSTER_RECONNECT_MIN: "200ms" }

const startPostgres = (directory: string) =>
  Effect.gen(function* () {
    const outer = yield* Scope.Scope
    const launch = Effect.gen(function* () {
      const scope = yield* Scope.fork(outer)
      const running = yield* EmbeddedPostgres.start({ dataDir: directory }).pipe(
        Scope.provide(scope),
        Effect.provide(NodeServices.layer),
        Effect.orDie
      )
      return { scope, running }
    })
    let current = yield* launch
    return {
      url: Redacted.value(current.running.url),
      directory: current.running.directory,
      port: current.running.port,
      pid: () => current.running.pid,
      kill: Effect.gen(function* () {
        process.kill(current.running.pid, "SIGKILL")
        yield* current.running.exit
      }),
      stop: Effect.suspend(() => Scope.close(current.scope, Exit.void)),
      restart: Effect.gen(function* () {
        yield* Scope.close(current.scope, Exit.void)
        current = yield* launch
      })
    } satisfies Postgres
  })

export interface Place {
  /** Where everything of it stands; else in a directory that is gone afterwards. */
  readonly home?: string
  readonly times?: Times
}

export const makeWith = Effect.fnUntraced(function* (
  programs: Programs,
  { home: chosen, times = "quick" }: Place = {}
): Effect.fn.Return<System, never, Scope.Scope> {
  const home = chosen ?? (yield* Process.directory("e2e"))
  const postgres = yield* startPostgres(join(home, "data"))
  let started = 0

  return {
    home,
    postgres,
    adminToken,
    enrolmentToken,
    coordinator: Effect.fnUntraced(function* (options = {}) {
      const { waits = true } = options
      const port = options.port ?? (yield* freePort)
      const url = `${options.secure === true ? "https" : "http"}://127.0.0.1:${port}`
      const running = yield* Process.start({
        name: options.name ?? `coordinator-${started++}`,
        args: programs.coordinator,
        logs: home,
        env: {
          MUSTER_DATABASE_URL: postgres.url,
          MUSTER_PORT: String(port),
          MUSTER_ADMIN_TOKEN: adminToken,
          MUSTER_ENROLMENT_TOKEN: enrolmentToken,
          ...(times === "quick" ? quick : {}),
          ...options.env
        }
      })
      if (waits) yield* Wait.until(`${url} is ready`, isReady(url), (ready) => ready)
      return { ...running, url, port }
    }),
    manager: Effect.fnUntraced(function* (options) {
      const name = options.name ?? `manager-${started++}`
      const directory = options.directory ?? join(home, name)
      const { manager, worker } = options.programs ?? programs
      const running = yield* Process.start({
        name,
        args: manager,
        logs: home,
        env: {
          MUSTER_URL: options.urls.join(","),
          MUSTER_TOKEN: enrolmentToken,
          MUSTER_MANAGER_NAME: name,
          MUSTER_MANAGER_DIR: directory,
          MUSTER_MANAGER_WORKERS: String(options.workers ?? 2),
          MUSTER_MANAGER_TAGS: (options.tags ?? []).join(","),
          ...(worker === undefined ? {} : { MUSTER_WORKER_COMMAND: JSON.stringify(worker) }),
          ...(times === "quick" ? quickManager : {}),
          ...options.env
        }
      })
      return { ...running, name, directory }
    }),
    client: (url, options) =>
      Effect.map(
        Effect.orDie(Layer.build(MusterClient.layer({ url, token: Redacted.make(adminToken), ...options }))),
        (context) => Context.get(context, MusterClient)
      )
  }
})

export const make: Effect.Effect<System, never, Scope.Scope> = makeWith(sources)
