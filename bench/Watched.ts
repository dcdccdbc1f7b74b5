/**
 * Coordinators with times as in life, simulated managers, and a database that tells what it is asked: Postgres with
 * `pg_stat_statements`.
 */
import { availableParallelism } from "node:os"
import { Effect } from "effect"
import type { Scope } from "effect"
import type { MusterClient } from "@muster/client/MusterClient"
import * as System from "../test/e2e/support/System.ts"
import * as Activity from "./Activity.ts"
import * as Cost from "./Cost.ts"
import * as Database from "./Database.ts"
import type { Settings } from "./Figure.ts"
import * as Programs from "./Programs.ts"
import * as SimulatedManager from "./SimulatedManager.ts"

export interface Watched {
  readonly database: Database.Database
  readonly client: MusterClient["Service"]
  /** Simulated managers, spread over the coordinators in turns. */
  readonly connect: (place: number) => Effect.Effect<SimulatedManager.SimulatedManager, never, Scope.Scope>
  /** Runs this with what it costs. */
  readonly costing: <A, E, R>(work: Effect.Effect<A, E, R>) => Effect.Effect<readonly [A, Cost.Spent], E, R>
  /** Does nothing for so many seconds, and tells what was done all the same. */
  readonly rest: (seconds: number) => Effect.Effect<{
    readonly spent: Cost.Spent
    readonly activity: Activity.Activity
  }>
  /** What is the same for all figures that are taken on it. */
  readonly settings: Settings
}

/** Workers of each simulated manager. */
export const workers = 4

/** The defaults, where the tests have shorter times. */
const inLife = {
  MUSTER_MANAGER_DISCONNECT_GRACE: "10s",
  MUSTER_MANAGER_TAKEOVER_GRACE: "30s",
  MUSTER_HEARTBEAT_INTERVAL: "10s"
}

/** What it loads is loaded when it starts. */
const loadStatistics = Effect.fnUntraced(function* ({ postgres }: System.System) {
  const alter = Effect.flatMap(Database.connect(postgres.url), ({ rows }) =>
    rows("alter system set shared_preload_libraries = 'pg_stat_statements'")
  )
  yield* Effect.scoped(alter)
  yield* postgres.kill
  yield* postgres.restart
})

export const make = Effect.fnUntraced(function* (count: number): Effect.fn.Return<Watched, never, Scope.Scope> {
  const system = yield* System.makeWith(Programs.bundled)
  yield* loadStatistics(system)
  const database = yield* Database.connect(system.postgres.url)
  yield* database.rows("create extension if not exists pg_stat_statements")
  const first = yield* system.coordinator({ env: inLife })
  const others = yield* Effect.forEach(Array.from({ length: count - 1 }), () => system.coordinator({ env: inLife }))
  const coordinators = [first, ...others]
  const costing = Cost.during(database, {
    coordinators: coordinators.map(({ pid }) => pid),
    managers: [],
    postgres: system.postgres.pid()
  })
  return {
    database,
    client: yield* system.client(first.url),
    connect: (place) =>
      SimulatedManager.connect({
        url: (coordinators[place % coordinators.length] ?? first).url,
        token: system.enrolmentToken,
        name: `simulated-${place}`,
        workers
      }),
    costing,
    rest: (seconds) =>
      Effect.map(Activity.during(database)(costing(Effect.sleep(seconds * 1_000))), ([[, spent], activity]) => ({
        spent,
        activity
      })),
    settings: {
      processors: availableParallelism(),
      node: process.version,
      postgres: database.version,
      fsync: true,
      programs: "bundled",
      coordinators: count,
      heartbeat: "10 s"
    }
  }
})
