/**
 * What every figure is taken on: real processes of Muster, one Postgres server with `fsync`, and the peers beside them in
 * the same server.
 */
import { availableParallelism } from "node:os"
import { fileURLToPath } from "node:url"
import { Effect, Exit, Schema, Scope } from "effect"
import type { MusterClient } from "@muster/client/MusterClient"
import * as System from "../test/e2e/support/System.ts"
import * as Wait from "../test/e2e/support/Wait.ts"
import * as Cost from "./Cost.ts"
import * as Database from "./Database.ts"
import type { Settings } from "./Figure.ts"
import type { NotInstalled } from "./NotInstalled.ts"
import * as Peer from "./peers/Peer.ts"
import * as Programs from "./Programs.ts"
import * as Watched from "./Watched.ts"
import * as Work from "./Work.ts"

/** How much is measured: for a record, to try it, or for CI. */
export const Form = Schema.Literals(["full", "quick", "short"])
export type Form = typeof Form.Type

/** `plain`: workers as they are for commands. `handlers`: workers that loaded the bench's handlers. */
export type ManagerKind = "plain" | "handlers"

export interface Muster {
  readonly system: System.System
  readonly client: MusterClient["Service"]
  readonly database: Database.Database
  readonly coordinator: System.Coordinator
  readonly manager: System.Manager
  /** Runs this with what it costs. */
  readonly costing: (
    tasks: number
  ) => <A, E, R>(work: Effect.Effect<A, E, R>) => Effect.Effect<readonly [A, Cost.Cost], E, R>
  /** What is the same for all figures that are taken on it. */
  readonly settings: Settings
}

export interface ManagerOptions {
  readonly kind: ManagerKind
  readonly workers?: number
  /** What its workers are started with, if it is not what users run. */
  readonly workerCommand?: ReadonlyArray<string>
}

export interface Bench {
  readonly form: Form
  /** Processors, and so workers. */
  readonly cores: number
  readonly size: (sizes: Readonly<Record<Form, number>>) => number
  /** The Muster that most figures share, with a manager of this kind and only that one. Warm. */
  readonly muster: (kind: ManagerKind) => Effect.Effect<Muster, unknown>
  /** A Muster with a Postgres server of its own, so that nothing taken before counts. */
  readonly ownMuster: (options: ManagerOptions) => Effect.Effect<Muster, unknown, Scope.Scope>
  /** Coordinators without a real manager, and a database that tells what it is asked. */
  readonly watched: (coordinators: number) => Effect.Effect<Watched.Watched, unknown, Scope.Scope>
  /** A peer in the Postgres server of the shared Muster. */
  readonly peer: (name: Peer.Name) => Effect.Effect<Peer.Peer, NotInstalled>
}

const handlers = fileURLToPath(new URL("handlers.ts", import.meta.url))

const environment = ({ kind }: ManagerOptions): Record<string, string> => ({
  // Figures that replace a coordinator measure that, not a manager's patience.
  MUSTER_RECONNECT_MAX: "100ms",
  MUSTER_RECONNECT_MIN: "100ms",
  ...(kind === "handlers" ? { MUSTER_HANDLERS: handlers } : {})
})

const connected = (client: MusterClient["Service"], name: string) =>
  Wait.until("the manager is connected", Work.managers(client), (managers) =>
    managers.some((manager) => manager.name === name && manager.state !== "offline")
  )

const startManager = Effect.fnUntraced(function* (
  system: System.System,
  coordinator: System.Coordinator,
  client: MusterClient["Service"],
  options: ManagerOptions,
  cores: number
) {
  const manager = yield* system.manager({
    urls: [coordinator.url],
    workers: options.workers ?? cores,
    env: environment(options),
    ...(options.workerCommand === undefined ? {} : { programs: Programs.managerOf(options.workerCommand) })
  })
  yield* connected(client, manager.name)
  return manager
})

const assemble = (parts: Pick<Muster, "system" | "client" | "database" | "coordinator" | "manager">): Muster => ({
  ...parts,
  costing: (tasks) => (work) =>
    Effect.map(
      Cost.during(parts.database, {
        coordinators: [parts.coordinator.pid],
        managers: [parts.manager.pid],
        postgres: parts.system.postgres.pid()
      })(work),
      ([result, spent]) => [result, Cost.perThousand(spent, tasks)] as const
    ),
  settings: {
    processors: availableParallelism(),
    node: process.version,
    postgres: parts.database.version,
    fsync: true,
    programs: "bundled",
    processes: "one coordinator, one manager, its workers"
  }
})

const start = Effect.fnUntraced(function* () {
  const system = yield* System.makeWith(Programs.bundled)
  const coordinator = yield* system.coordinator()
  const client = yield* system.client(coordinator.url)
  const database = yield* Database.connect(system.postgres.url)
  return { system, coordinator, client, database }
})

export const make = Effect.fnUntraced(function* (form: Form) {
  yield* Programs.build
  const scope = yield* Scope.Scope
  const cores = availableParallelism()
  const size = (sizes: Readonly<Record<Form, number>>) => sizes[form]

  const shared = yield* Effect.cached(Scope.provide(start(), scope))
  let current: { readonly kind: ManagerKind; readonly muster: Muster; readonly scope: Scope.Closeable } | undefined

  const muster = Effect.fnUntraced(function* (kind: ManagerKind) {
    if (current?.kind === kind) return current.muster
    if (current !== undefined) yield* Scope.close(current.scope, Exit.void)
    current = undefined
    const own = yield* Scope.fork(scope)
    const parts = yield* shared
    const manager = yield* Scope.provide(
      startManager(parts.system, parts.coordinator, parts.client, { kind }, cores),
      own
    )
    const made = assemble({ ...parts, manager })
    // Warm: connections, prepared statements, compiled code.
    yield* Work.drain(parts.client, Work.noop, size({ full: 20_000, quick: 2_000, short: 10_000 }))
    yield* Work.drain(parts.client, Work.command, size({ full: 500, quick: 50, short: 100 }))
    current = { kind, muster: made, scope: own }
    return made
  })

  const peers = new Map<Peer.Name, Peer.Peer>()
  const peer = Effect.fnUntraced(function* (name: Peer.Name) {
    const running = peers.get(name)
    if (running !== undefined) return running
    const { database } = yield* shared
    const started = yield* Scope.provide(Peer.start(name, yield* database.other("peers")), scope)
    peers.set(name, started)
    return started
  })

  return {
    form,
    cores,
    size,
    muster,
    peer,
    watched: Watched.make,
    ownMuster: Effect.fnUntraced(function* (options) {
      const parts = yield* start()
      const manager = yield* startManager(parts.system, parts.coordinator, parts.client, options, cores)
      return assemble({ ...parts, manager })
    })
  } satisfies Bench
})
