/**
 * A real Postgres that Muster brings along, for machines where none is set up: initialised on first use, reachable from
 * this machine only, gone when the scope closes or this process dies. Its data stays in the data directory.
 */
import { Effect, Exit, Schedule, Scope } from "effect"
import * as Binaries from "./EmbeddedPostgres/Binaries.ts"
import * as Cluster from "./EmbeddedPostgres/Cluster.ts"
import * as Home from "./EmbeddedPostgres/Home.ts"
import * as Port from "./EmbeddedPostgres/Port.ts"
import * as Postmaster from "./EmbeddedPostgres/Postmaster.ts"
import * as Settings from "./EmbeddedPostgres/Settings.ts"

export { PostgresStartError } from "./EmbeddedPostgres/Errors.ts"
export type { PostgresExit } from "./EmbeddedPostgres/Postmaster.ts"

export interface Options {
  /** Holds the data, the superuser's password, the port and the log. Made if it is missing. */
  readonly dataDir: string
  /** Without it the port of the last start is used again if it is free, else any free one. */
  readonly port?: number | undefined
  /** Added to and overriding the defaults of Settings.ts. */
  readonly settings?: Settings.Settings | undefined
}

export interface EmbeddedPostgres extends Postmaster.Postmaster {
  /** Where the cluster really is: as root this can differ from the directory that was asked for. */
  readonly directory: string
}

/** How long a killed predecessor may take to go away: its last processes notice its death and write what they hold. */
const predecessorPatience = "15 seconds"
const retryInterval = "200 millis"

/** Between finding a free port and listening on it, somebody else may take it. */
const portAttempts = 5

/** Starts Postgres on `dataDir`. It accepts connections when this succeeds, and has ended when the scope is closed. */
export const start = Effect.fn("EmbeddedPostgres.start")(function* (options: Options) {
  const home = yield* Home.prepare(options.dataDir)
  const binaries = yield* Binaries.find(home.requested, home.account)
  const password = yield* Cluster.ensure(home, binaries)
  const settings = { ...Settings.defaults, ...options.settings }

  const startOnce = Effect.gen(function* () {
    const port = yield* Port.choose(home, options.port)
    return yield* Postmaster.start({ home, binaries, password, port, settings })
  })
  // Each try has a scope of its own, so that a process that failed is gone before the next is started.
  const outer = yield* Scope.Scope
  const startInOwnScope = Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const scope = yield* Scope.fork(outer)
      return yield* restore(Scope.provide(startOnce, scope)).pipe(
        Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause)))
      )
    })
  )
  const running = yield* startInOwnScope.pipe(
    Effect.retry({ times: portAttempts, while: (error) => error.reason === "PortInUse" && options.port === undefined }),
    Effect.tapErrorTag("PostgresStartError", (error) =>
      error.reason === "DirectoryInUse" ? Cluster.removeStaleLock(home) : Effect.void
    ),
    Effect.retry({
      schedule: Schedule.spaced(retryInterval).pipe(Schedule.upTo({ duration: predecessorPatience })),
      while: (error) => error.reason === "DirectoryInUse"
    })
  )
  yield* Port.remember(home, running.port)
  return { ...running, directory: home.root } satisfies EmbeddedPostgres
})
