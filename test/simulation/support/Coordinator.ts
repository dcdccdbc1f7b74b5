/**
 * A simulated coordinator process: the real actors in the real cluster runtime with the real RPC servers. Simulated are the
 * sockets, the database and who may call.
 */
import { Effect, Layer, Option } from "effect"
import type { Fiber } from "effect"
import * as MessageStorage from "effect/cluster/MessageStorage"
import * as RunnerAddress from "effect/cluster/RunnerAddress"
import * as RunnerHealth from "effect/cluster/RunnerHealth"
import * as Runners from "effect/cluster/Runners"
import * as RunnerStorage from "effect/cluster/RunnerStorage"
import * as ShardingConfig from "effect/cluster/ShardingConfig"
import * as SocketRunner from "effect/cluster/SocketRunner"
import { RpcClient, RpcSerialization, RpcServer } from "effect/rpc"
import { Socket } from "effect/socket/Socket"
import { SocketServer } from "effect/socket/SocketServer"
import { CurrentActor, ManagersOnly } from "@muster/domain/Rpc/Authentication"
import type { SuiteId } from "@muster/domain/Suite/Id"
import * as Cluster from "@muster/server/Cluster"
import * as CoordinatorEntityLive from "@muster/server/Entities/CoordinatorEntityLive"
import * as Housekeeping from "@muster/server/Entities/Housekeeping"
import * as ManagerEntityLive from "@muster/server/Entities/ManagerEntityLive"
import * as SuiteEntityLive from "@muster/server/Entities/SuiteEntityLive"
import * as WorkerEntityLive from "@muster/server/Entities/WorkerEntityLive"
import { EventStore } from "@muster/server/EventStore"
import * as Heartbeats from "@muster/server/Heartbeats"
import { CoordinatorMetrics } from "@muster/server/Metrics"
import type { Histogram } from "@muster/server/Metrics/Histogram"
import * as Lies from "@muster/server/Rpc/Lies"
import * as ManagerRpcsLive from "@muster/server/Rpc/ManagerRpcsLive"
import { ManagerRpcs } from "@muster/server/Rpc/UncheckedManagerRpcs"
import { Suites } from "@muster/server/Suites"
import * as ResidentSuites from "@muster/server/ResidentSuites"
import * as SuitesLive from "@muster/server/SuitesLive"
import * as Tenure from "@muster/server/Tenure"
import type { Database } from "./Database.ts"
import type { Host } from "./Host.ts"
import type { Network } from "./Network.ts"
import * as Sockets from "./Sockets.ts"

/** Where coordinators talk to each other, and where managers call. */
const clusterPort = "cluster"
export const managersPort = "managers"

/** A real one has a hundred, each a lock that is looked at each second; the fewer, the faster is a run. */
const shardsPerGroup = 8

const openTimeout = 1_000

/** Measuring is not simulated. */
const metrics = Layer.sync(CoordinatorMetrics, () => {
  const histogram = (): Histogram => ({ observe: () => {}, observeMany: () => {} })
  return CoordinatorMetrics.of({
    suiteCommitted: () => {},
    queued: histogram(),
    lease: histogram(),
    append: histogram(),
    prefetched: () => {},
    projectionLag: () => {},
    lied: () => {},
    answered: () => {},
    render: Effect.succeed("")
  })
})

/** Everybody may. */
const everybody = Layer.succeed(
  ManagersOnly,
  ManagersOnly.of((effect) => Effect.provideService(effect, CurrentActor, { role: "enrolment", name: "simulated" }))
)

export interface Options {
  readonly host: Host
  readonly network: Network
  readonly database: Database
  /** Suites that have work left. */
  readonly unfinished: () => ReadonlyArray<SuiteId>
}

export interface Coordinator {
  readonly host: Host
  /** What users may ask, once it is up. */
  readonly suites: () => Suites["Service"] | undefined
  /** Ends it in good order. */
  readonly stop: () => void
}

const cluster = ({ database, host, network }: Options, tenure: Tenure.Tenure["Service"]) => {
  const config = ShardingConfig.layer({
    ...Cluster.timings,
    shardsPerGroup,
    runnerAddress: Option.some(RunnerAddress.make(host.name, 1)),
    simulateRemoteSerialization: false
  })
  const protocol = Layer.succeed(Runners.RpcClientProtocol, {
    codecFor: Sockets.serialization.codecFor,
    make: (address: RunnerAddress.RunnerAddress) =>
      RpcClient.makeProtocolSocket(Cluster.liveness).pipe(
        Effect.provideService(
          Socket,
          Sockets.client(network, host, { name: address.host, port: clusterPort, openTimeout })
        ),
        Effect.provideService(RpcSerialization.RpcSerialization, Sockets.serialization)
      )
  })
  const health = RunnerHealth.layerPing.pipe(Layer.provide(Runners.layerRpc))
  return SocketRunner.layer.pipe(
    Layer.provide([Layer.succeed(SocketServer, Sockets.server(network, host, clusterPort)), health]),
    Layer.provide(protocol),
    Layer.provide([
      MessageStorage.layerNoop,
      Layer.succeed(RunnerStorage.RunnerStorage, database.runnerStorage(host, tenure))
    ]),
    Layer.provide(config)
  )
}

export const start = (options: Options): Coordinator => {
  const { database, host, network, unfinished } = options
  let suites: Suites["Service"] | undefined
  const tenure = Tenure.make()
  const managers = RpcServer.layer(ManagerRpcs, { disableTracing: true }).pipe(
    // Not the one of the cluster's own port.
    Layer.provide(Layer.fresh(RpcServer.layerProtocolSocketServer)),
    Layer.provide(Layer.succeed(SocketServer, Sockets.server(network, host, managersPort))),
    Layer.provide([ManagerRpcsLive.layer.pipe(Layer.provide(Lies.layer)), everybody])
  )
  const exposed = Layer.effectDiscard(
    Effect.map(Suites, (service) => {
      suites = service
    })
  )
  const actors = Layer.mergeAll(
    SuiteEntityLive.layer,
    ManagerEntityLive.layer,
    WorkerEntityLive.layer,
    CoordinatorEntityLive.layer,
    Housekeeping.layerWith
  )
  const layer = Layer.mergeAll(managers, exposed).pipe(
    Layer.provide(SuitesLive.layer),
    Layer.provide(actors),
    Layer.provide([Heartbeats.layer, ResidentSuites.layer]),
    Layer.provide(cluster(options, tenure)),
    Layer.provide(Layer.succeed(Tenure.Tenure, tenure)),
    Layer.provide(Layer.succeed(EventStore, database.eventStore(host))),
    Layer.provide(metrics),
    Layer.provide(Layer.succeed(Housekeeping.Unfinished, { suites: Effect.sync(unfinished) })),
    Layer.provide(Layer.succeed(RpcSerialization.RpcSerialization, Sockets.serialization))
  )
  let fiber: Fiber.Fiber<never, unknown> | undefined
  host.post(() => {
    fiber = host.fork(Layer.launch(layer))
    // However it ended, the process ends with it.
    fiber.addObserver(() => host.kill())
  })
  return {
    host,
    suites: () => suites,
    stop: () => host.post(() => fiber?.interruptUnsafe())
  }
}
