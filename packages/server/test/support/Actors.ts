/**
 * All actors in one process on a database of its own: a cluster of one coordinator, without its sockets for clients and
 * managers. Tests speak to it as RPC handlers do.
 */
import { Effect, Layer } from "effect"
import * as TestRunner from "effect/cluster/TestRunner"
import { SqlClient } from "effect/sql/SqlClient"
import { SuiteEntity } from "@muster/domain/Entities/SuiteEntity"
import { Epoch, ManagerId } from "@muster/domain/Manager/Id"
import type { LeaseReply } from "@muster/domain/Rpc/ManagerRpcs"
import { SuiteId } from "@muster/domain/Suite/Id"
import type { AttemptResult } from "@muster/domain/Task/Attempt"
import type { TaskSpec } from "@muster/domain/Task/Spec"
import * as Cluster from "../../src/Cluster.ts"
import * as CoordinatorEntityLive from "../../src/Entities/CoordinatorEntityLive.ts"
import * as Housekeeping from "../../src/Entities/Housekeeping.ts"
import * as ManagerEntityLive from "../../src/Entities/ManagerEntityLive.ts"
import * as SuiteEntityLive from "../../src/Entities/SuiteEntityLive.ts"
import * as WorkerEntityLive from "../../src/Entities/WorkerEntityLive.ts"
import * as Heartbeats from "../../src/Heartbeats.ts"
import * as ManagersLive from "../../src/ManagersLive.ts"
import * as Metrics from "../../src/Metrics.ts"
import * as PgEventStore from "../../src/PgEventStore.ts"
import * as ResidentSuites from "../../src/ResidentSuites.ts"
import { Suites } from "../../src/Suites.ts"
import * as SuitesLive from "../../src/SuitesLive.ts"
import * as Tenure from "../../src/Tenure.ts"
import * as Timings from "../../src/Timings.ts"
import * as Muster from "./Muster.ts"

/** The actors of one coordinator. */
const actors = (timings: Partial<Timings.Shape>) =>
  Layer.mergeAll(SuitesLive.layer, ManagersLive.layer).pipe(
    Layer.provideMerge(
      Layer.mergeAll(
        SuiteEntityLive.layer,
        ManagerEntityLive.layer,
        WorkerEntityLive.layer,
        CoordinatorEntityLive.layer,
        Housekeeping.layer
      )
    ),
    Layer.provideMerge(Layer.merge(Heartbeats.layer, ResidentSuites.layer)),
    Layer.provide(Layer.succeed(Timings.Timings, { ...Timings.defaults, ...timings }))
  )

const store = Layer.mergeAll(Metrics.layer, PgEventStore.layer)

/** A database of its own without actors. */
export const storeLayer = store.pipe(Layer.provideMerge(Muster.layer))

/** A coordinator's actors on a database of their own. */
export const layer = (timings: Partial<Timings.Shape> = {}) =>
  actors(timings).pipe(
    Layer.provideMerge(Cluster.layer({ host: "127.0.0.1", port: 0 })),
    Layer.provideMerge(store),
    Layer.provideMerge(Muster.layer)
  )

/**
 * The actors of a coordinator that believes that it owns everything, whoever else there is, for as long as the effect
 * runs. At its end they go as those of a coordinator do that is stopped.
 */
export const alone = <A, E, R>(use: Effect.Effect<A, E, R>) =>
  Effect.provide(
    use,
    actors({}).pipe(Layer.provideMerge([TestRunner.layer, Tenure.layerAlone]), Layer.provideMerge(store)),
    { local: true }
  )

export const suiteId = (number: number) => SuiteId.make(`s${String(number).padStart(15, "0")}`)
export const managerId = (number: number) => ManagerId.make(`m${String(number).padStart(15, "0")}`)
export const epoch = (number: number) => Epoch.make(number)

let commands = 0

/** A command that nobody has asked before. */
export const fresh = () => ({ commandId: `command-${commands++}`, actor: "test" })

export const command = (name: string): TaskSpec => ({ program: "/bin/echo", args: [name] })

/** Which tasks a lease gave: index, number of the attempt, and the name given to `command`. */
export const leased = (reply: LeaseReply) =>
  reply.leases.map(({ attempt, index, spec }) => [index, attempt, "args" in spec ? spec.args?.[0] : undefined] as const)

export const ended = (index: number, attempt = 1, outcome: AttemptResult["outcome"] = "succeeded"): AttemptResult => ({
  index,
  attempt,
  outcome,
  finishedAt: Date.now()
})

/** A suite, and a manager's session that works on it without being assigned: what suites themselves allow. */
export const session = (suite: SuiteId, manager = managerId(1), sessionEpoch = epoch(1)) => {
  const asked = { suiteId: suite, actor: `manager:${manager}`, managerId: manager, epoch: sessionEpoch }
  return {
    lease: (max: number, wait = 0, commandId = fresh().commandId) =>
      Effect.flatMap(Suites, (suites) => suites.lease({ ...asked, commandId, max, wait })),
    report: (
      what: {
        readonly started?: ReadonlyArray<readonly [number, number, number]>
        readonly ended?: ReadonlyArray<AttemptResult>
        readonly returned?: ReadonlyArray<readonly [number, number]>
      },
      commandId = fresh().commandId
    ) =>
      Effect.flatMap(Suites, (suites) =>
        suites.report({ ...asked, commandId, started: [], ended: [], returned: [], ...what })
      )
  }
}

/** What a manager's actor says to a suite when a session is over. */
export const reclaim = Effect.fnUntraced(function* (suite: SuiteId, manager = managerId(1), sessionEpoch = epoch(1)) {
  const suiteOf = yield* SuiteEntity.client
  yield* suiteOf(suite).Reclaim({ managerId: manager, epoch: sessionEpoch })
})

export interface Stored {
  readonly version: number
  readonly type: string
  readonly transaction: string
}

/** A stream's events with the transactions that brought them. */
export const stored = Effect.fnUntraced(function* (stream: string) {
  const sql = yield* SqlClient
  return yield* sql<Stored>`
    select version, type, transaction_id::text as transaction from events where stream = ${stream} order by version`
})

export const types = (events: ReadonlyArray<Stored>) => events.map(({ type }) => type)
