/**
 * The cluster that the actors live in: which coordinator has which shard, kept by advisory locks in Postgres.
 *
 * Messages are not stored (see `domain/Entities/SuiteEntity.ts`), so an idle cluster asks the database for nothing but
 * its locks.
 */
import { createServer } from "node:net"
import { NodeClusterSocket } from "@effect/platform-node"
import { Effect, Layer, Option } from "effect"
import * as MessageStorage from "effect/cluster/MessageStorage"
import * as RunnerAddress from "effect/cluster/RunnerAddress"
import { Sharding } from "effect/cluster/Sharding"
import * as ShardingConfig from "effect/cluster/ShardingConfig"
import * as SqlRunnerStorage from "effect/cluster/SqlRunnerStorage"
import type { SocketServerError } from "effect/socket/SocketServer"
import type { SqlClient } from "effect/sql/SqlClient"
import { maxFrameSize } from "@muster/domain/Rpc/Serialization"

/**
 * How fast the shards of a dead coordinator are taken over: it must miss its locks for `shardLockExpiration`, which is
 * cut short when its connection to Postgres breaks. The defaults of the cluster take over half a minute.
 */
const timings = {
  shardLockRefreshInterval: "1 second",
  shardLockExpiration: "4 seconds",
  refreshAssignmentsInterval: "500 millis",
  runnerHealthCheckInterval: "1 second",
  sendRetryInterval: "50 millis"
} as const

/** Actors in memory at most; what is more waits. */
const maxResidentEntities = 50_000

/** A port that nobody listens on now. */
const freePort = (host: string) =>
  Effect.callback<number>((resume) => {
    const server = createServer()
    server.once("error", (error) => resume(Effect.die(error)))
    server.listen(0, host, () => {
      const address = server.address()
      const port = address !== null && typeof address === "object" ? address.port : 0
      server.close(() => resume(Effect.succeed(port)))
    })
  })

export const layer = (options: {
  readonly host: string
  readonly port: number
}): Layer.Layer<Sharding, SocketServerError, SqlClient> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const port = options.port === 0 ? yield* freePort(options.host) : options.port
      const shardingConfig = {
        ...timings,
        maxResidentEntities,
        runnerAddress: Option.some(RunnerAddress.make(options.host, port)),
        simulateRemoteSerialization: false
      }
      return NodeClusterSocket.layer<false, "byo">({
        storage: "byo",
        // As on the other sockets, and for the same reason.
        serialization: "ndjson",
        serializationMaxBufferSize: maxFrameSize,
        shardingConfig
      }).pipe(
        // What could be read from the environment is given here, so it cannot be wrong.
        Layer.catchTag("ConfigError", (error) => Layer.effect(Sharding, Effect.die(error))),
        Layer.provide([
          MessageStorage.layerNoop,
          Layer.orDie(SqlRunnerStorage.layer).pipe(Layer.provide(ShardingConfig.layer(shardingConfig)))
        ])
      )
    })
  )
