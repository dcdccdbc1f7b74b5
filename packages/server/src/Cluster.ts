/**
 * The cluster that the actors live in: which coordinator has which shard, kept by advisory locks in Postgres.
 *
 * Messages are not stored (see `domain/Entities/SuiteEntity.ts`), so an idle cluster asks the database for nothing but
 * its locks.
 *
 * What comes over the cluster's port is believed: it is how one coordinator tells another what a caller with a good token
 * wants. So only coordinators of the same database can connect (`ClusterKey.ts`), on whatever address it listens.
 */
import { createServer } from "node:net"
import { NodeSocket, NodeSocketServer } from "@effect/platform-node"
import type { PgClient } from "@effect/sql-pg"
import { Effect, Layer, Option } from "effect"
import * as MessageStorage from "effect/cluster/MessageStorage"
import * as RunnerAddress from "effect/cluster/RunnerAddress"
import * as RunnerHealth from "effect/cluster/RunnerHealth"
import * as Runners from "effect/cluster/Runners"
import type { Sharding } from "effect/cluster/Sharding"
import * as ShardingConfig from "effect/cluster/ShardingConfig"
import * as SocketRunner from "effect/cluster/SocketRunner"
import { RpcClient, RpcSerialization } from "effect/rpc"
import { Socket } from "effect/socket/Socket"
import type { SocketServerError } from "effect/socket/SocketServer"
import type { SqlClient } from "effect/sql/SqlClient"
import * as EndedSockets from "@muster/domain/Rpc/EndedSockets"
import * as Serialization from "@muster/domain/Rpc/Serialization"
import * as ClusterKey from "./ClusterKey.ts"
import * as PgRunnerStorage from "./PgRunnerStorage.ts"
import * as Tenure from "./Tenure.ts"

/**
 * How fast the shards of a dead coordinator are taken over. One that dies is gone as soon as its connection to Postgres
 * breaks, and the others look every `refreshAssignmentsInterval`: work goes on within a second. One that freezes
 * is gone when it has not been heard of for `shardLockExpiration`: work goes on after 2 to 4 s. One whose thread is busy for
 * longer than that loses its shards too, which costs time and nothing else.
 */
export const timings = {
  shardLockRefreshInterval: "1 second",
  shardLockExpiration: "2500 millis",
  refreshAssignmentsInterval: "500 millis",
  runnerHealthCheckInterval: "1 second",
  sendRetryInterval: "50 millis",
  // A coordinator whose session in Postgres broke has lost its shards and takes them again when its actors have ended. These
  // have requests that wait for minutes; whoever sent one sends it again.
  entityTerminationTimeout: "1 second"
} as const

/**
 * Parts that the actors are divided into; each coordinator has some, and no more coordinators than parts are of use. Each
 * is a lock in Postgres that is looked at every second and released by itself when a coordinator stops. All coordinators
 * must agree.
 */
export const shardsPerGroup = 100

/** Actors in memory at most; what is more waits. */
const maxResidentEntities = 50_000

/** A port that nobody listens on now. */
export const freePort = (host: string) =>
  Effect.callback<number>((resume) => {
    const server = createServer()
    server.once("error", (error) => resume(Effect.die(error)))
    server.listen(0, host, () => {
      const address = server.address()
      const port = address !== null && typeof address === "object" ? address.port : 0
      server.close(() => resume(Effect.succeed(port)))
    })
  })

/**
 * What one coordinator asks another is asked again elsewhere when the connection breaks. One that is frozen, or whose
 * machine is gone, does not close its connections, so silence breaks them too.
 */
export const liveness = { pingInterval: "1 second", pingTimeout: "2500 millis" } as const

/** Milliseconds. */
const openTimeout = 1_000

const clientProtocol = (
  key: ClusterKey.ClusterKey
): Layer.Layer<Runners.RpcClientProtocol, never, RpcSerialization.RpcSerialization> =>
  Layer.effect(
    Runners.RpcClientProtocol,
    Effect.gen(function* () {
      const serialization = yield* RpcSerialization.RpcSerialization
      return {
        codecFor: serialization.codecFor,
        make: Effect.fnUntraced(function* ({ host, port }: RunnerAddress.RunnerAddress) {
          const socket = yield* NodeSocket.makeTls({ ...ClusterKey.toConnect(key), host, port, openTimeout })
          return yield* RpcClient.makeProtocolSocket(liveness).pipe(
            Effect.provideService(Socket, socket),
            Effect.provideService(RpcSerialization.RpcSerialization, serialization)
          )
        }, Effect.orDie)
      }
    })
  )

const socketServer = (key: ClusterKey.ClusterKey, host: string, port: number) =>
  EndedSockets.layer(
    NodeSocketServer.layerTls({ ...ClusterKey.toListen(key), host, port }),
    Effect.serviceOption(NodeSocket.NetSocket)
  )

export const layer = (options: {
  readonly host: string
  readonly port: number
}): Layer.Layer<Sharding | Tenure.Tenure, SocketServerError, PgClient.PgClient | SqlClient> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const port = options.port === 0 ? yield* freePort(options.host) : options.port
      const key = yield* Effect.orDie(ClusterKey.load)
      const shardingConfig = ShardingConfig.layer({
        ...timings,
        shardsPerGroup,
        maxResidentEntities,
        runnerAddress: Option.some(RunnerAddress.make(options.host, port)),
        simulateRemoteSerialization: false
      })
      const health = RunnerHealth.layerPing.pipe(Layer.provide(Runners.layerRpc))
      return SocketRunner.layer.pipe(
        Layer.provide([socketServer(key, options.host, port), health]),
        Layer.provide(clientProtocol(key)),
        Layer.provide([MessageStorage.layerNoop, Layer.orDie(PgRunnerStorage.layer)]),
        Layer.provideMerge(Tenure.layer),
        // Lines of JSON, as on the other sockets and for the same reason.
        Layer.provide([shardingConfig, Serialization.layer])
      )
    })
  )
