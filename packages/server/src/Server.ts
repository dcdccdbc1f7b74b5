/**
 * A coordinator: where all of its layers meet.
 */
// First, so that every schema below is compiled to code when it is first used: a third of the work of a hot coordinator.
import "effect/schema/SchemaJITCompiler/enable"
import type { PgClient } from "@effect/sql-pg"
import { DateTime, Effect, Layer, Option } from "effect"
import { HttpRouter } from "effect/http"
import type { ServeError } from "effect/http/HttpServerError"
import { RpcServer } from "effect/rpc"
import type { SocketServerError } from "effect/socket/SocketServer"
import type { SqlClient } from "effect/sql/SqlClient"
import { ClientRpcs } from "@muster/domain/Rpc/ClientRpcs"
import type { InvalidInput, Unavailable } from "@muster/domain/Errors"
import * as Serialization from "@muster/domain/Rpc/Serialization"
import * as Authentication from "./Auth/Authentication.ts"
import * as Tokens from "./Auth/Tokens.ts"
import * as Cluster from "./Cluster.ts"
import * as Database from "./Database.ts"
import * as Doctor from "./Doctor.ts"
import { OwnSettings } from "./Doctor/OwnSettings.ts"
import * as CoordinatorEntityLive from "./Entities/CoordinatorEntityLive.ts"
import * as DoctorEntityLive from "./Entities/DoctorEntityLive.ts"
import * as Housekeeping from "./Entities/Housekeeping.ts"
import * as Listener from "./Listener.ts"
import * as ManagerCertificates from "./ManagerCertificates.ts"
import * as Heartbeats from "./Heartbeats.ts"
import { HttpRoutes } from "./Http/HttpRoutes.ts"
import * as Readiness from "./Http/Readiness.ts"
import { Counters, LimitCounters } from "./Limits/Counters.ts"
import { Limits } from "./Limits/Limits.ts"
import * as ReadinessPartsLive from "./Http/ReadinessPartsLive.ts"
import * as Sockets from "./Http/Sockets.ts"
import * as ManagerEntityLive from "./Entities/ManagerEntityLive.ts"
import * as SuiteEntityLive from "./Entities/SuiteEntityLive.ts"
import * as WorkerEntityLive from "./Entities/WorkerEntityLive.ts"
import type { EventStore } from "./EventStore.ts"
import * as MeteredEventStore from "./MeteredEventStore.ts"
import * as Metrics from "./Metrics.ts"
import * as ManagersLive from "./ManagersLive.ts"
import * as Migrations from "./Migrations.ts"
import * as PgEventStore from "./PgEventStore.ts"
import * as ClusterQueries from "./ReadModels/ClusterQueries.ts"
import * as EventQueries from "./ReadModels/EventQueries.ts"
import * as ManagerQueries from "./ReadModels/ManagerQueries.ts"
import * as Settlements from "./ReadModels/Settlements.ts"
import * as SuiteBundles from "./ReadModels/SuiteBundles.ts"
import * as SuiteQueries from "./ReadModels/SuiteQueries.ts"
import * as SuiteStreams from "./ReadModels/SuiteStreams.ts"
import * as TaskExplanations from "./ReadModels/TaskExplanations.ts"
import * as TaskLogs from "./ReadModels/TaskLogs.ts"
import * as TaskQueries from "./ReadModels/TaskQueries.ts"
import * as WorkerQueries from "./ReadModels/WorkerQueries.ts"
import * as ReadOnly from "./ReadOnly.ts"
import * as ClientRpcsLive from "./Rpc/ClientRpcsLive.ts"
import * as Lies from "./Rpc/Lies.ts"
import * as ManagerRpcsLive from "./Rpc/ManagerRpcsLive.ts"
import * as ResidentSuites from "./ResidentSuites.ts"
import { ServerInfo } from "./Rpc/ServerInfo.ts"
import { ManagerRpcs } from "./Rpc/UncheckedManagerRpcs.ts"
import { settingsOf } from "./ServerConfig.ts"
import type { ServerConfig } from "./ServerConfig.ts"
import * as SessionName from "./SessionName.ts"
import * as Subscriptions from "./Subscriptions.ts"
import * as SuitesLive from "./SuitesLive.ts"
import { Timings } from "./Timings.ts"
import { version } from "@muster/domain/Version"

/** Why a coordinator may not start. Each says in one line what is wrong. */
export type StartFailure =
  | Database.Failure
  | Migrations.Failure
  | SocketServerError
  | ServeError
  | Listener.Failure
  | InvalidInput
  | Unavailable

/** What managers connect to. Traces of each call would cost more than the calls. */
const ManagerSocket = RpcServer.layer(ManagerRpcs, { disableTracing: true }).pipe(
  Layer.provide(
    Layer.effect(
      RpcServer.Protocol,
      Effect.gen(function* () {
        const { admit } = yield* ManagerCertificates.ManagerCertificates
        const { httpEffect, protocol } = yield* RpcServer.makeProtocolWithHttpEffectWebsocket
        const router = yield* HttpRouter.HttpRouter
        yield* router.add("GET", "/ws/managers", admit(httpEffect))
        return protocol
      })
    )
  ),
  Layer.provide([ManagerRpcsLive.layer.pipe(Layer.provide(Lies.layer)), Authentication.layerManagersOnly])
)

/** What client programs connect to. */
const ClientSocket = RpcServer.layerHttp({
  group: ClientRpcs,
  path: "/rpc",
  protocol: "websocket",
  disableTracing: true
}).pipe(Layer.provide([ClientRpcsLive.layer, Authentication.layerAdminOnly]))

/** What answers questions: rows, and streams that follow them. */
const Queries = Layer.mergeAll(
  SuiteStreams.layer,
  SuiteBundles.layer,
  TaskExplanations.layer,
  TaskLogs.layer,
  WorkerQueries.layer,
  ManagerQueries.layer
).pipe(Layer.provideMerge(Layer.mergeAll(SuiteQueries.layer, TaskQueries.layer, Settlements.layer, EventQueries.layer)))

/** The actors, and what keeps time for them. */
const Actors = Layer.mergeAll(
  SuiteEntityLive.layer,
  ManagerEntityLive.layer,
  WorkerEntityLive.layer,
  CoordinatorEntityLive.layer,
  DoctorEntityLive.layer,
  Housekeeping.layer
)

/** The tokens that the operator has chosen, if any. */
const seedTokens = (config: ServerConfig) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const tokens = yield* Tokens.Tokens
      if (Option.isSome(config.adminToken)) {
        yield* tokens.seed({ name: Tokens.firstAdmin, role: "admin", secret: config.adminToken.value })
      }
      if (Option.isSome(config.enrolmentToken)) {
        yield* tokens.seed({ name: "enrolment", role: "enrolment", secret: config.enrolmentToken.value })
      }
    })
  )

/** What this coordinator says of itself, to those who ask it and to those who look at its locks. */
const self = ({ clusterHost, clusterPort, host, port, tls }: ServerConfig) =>
  Layer.unwrap(
    Effect.map(DateTime.now, (now) => {
      const reachable = everywhere.has(host) ? clusterHost : host
      const url = port === 0 ? "" : Listener.address({ host: reachable, port, tls })
      return Layer.mergeAll(
        Layer.succeed(ServerInfo, {
          version,
          coordinator: `${clusterHost}:${clusterPort}`,
          startedAt: DateTime.formatIso(now)
        }),
        Layer.succeed(SessionName.Self, { version, url, startedAt: DateTime.toEpochMillis(now) })
      )
    })
  )

/** Addresses to listen on that nobody can connect to. */
const everywhere: ReadonlySet<string> = new Set(["0.0.0.0", "::"])

/** The database with its structure up to date. */
const store = (
  config: ServerConfig
): Layer.Layer<EventStore | PgClient.PgClient | SqlClient, Database.Failure | Migrations.Failure> =>
  PgEventStore.layer.pipe(
    Layer.provideMerge(Layer.effectDiscard(Migrations.migrate)),
    Layer.provideMerge(Database.layer(config.database))
  )

/** What all parts of a coordinator keep to, and count together. */
const settings = (config: ServerConfig) =>
  Layer.mergeAll(
    Layer.succeed(OwnSettings, settingsOf(config)),
    Layer.succeed(Limits, config.limits),
    Layer.sync(LimitCounters, () => new Counters())
  )

/** No actors, and so nothing that could happen. */
const readOnly = (config: ServerConfig, sockets: Sockets.Sockets): Layer.Layer<never, StartFailure> =>
  HttpRouter.serve(Layer.mergeAll(HttpRoutes, ClientSocket), { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provide(Listener.layer(config, sockets)),
    Layer.provide([Readiness.layer, Queries, Doctor.layerReadOnly(config.database.maxConnections)]),
    Layer.provide(ReadOnly.layer),
    Layer.provide(seedTokens(config)),
    Layer.provide(Tokens.layer),
    Layer.provideMerge(MeteredEventStore.layer),
    Layer.provideMerge(Metrics.layer),
    Layer.provide(store(config)),
    Layer.provide([Serialization.layer, Layer.succeed(Timings, config.timings), self(config), settings(config)])
  )

const complete = (config: ServerConfig, sockets: Sockets.Sockets): Layer.Layer<never, StartFailure> =>
  HttpRouter.serve(Layer.mergeAll(HttpRoutes, ManagerSocket, ClientSocket), {
    disableLogger: true,
    disableListenLog: true
  }).pipe(
    Layer.provide(ManagerCertificates.layer(config.tls.managerCaFile !== undefined)),
    Layer.provide(Listener.layer(config, sockets)),
    Layer.provide([Readiness.layer, Queries, ClusterQueries.layer, Doctor.layer(config.database.maxConnections)]),
    Layer.provide(ReadinessPartsLive.layer),
    Layer.provide([SuitesLive.layer, ManagersLive.layer]),
    Layer.provide(Actors),
    Layer.provide([Heartbeats.layer, ResidentSuites.layer]),
    Layer.provide(Cluster.layer({ host: config.clusterHost, port: config.clusterPort })),
    Layer.provide(seedTokens(config)),
    Layer.provide([Tokens.layer, Subscriptions.layer]),
    Layer.provide(MeteredEventStore.layer),
    Layer.provideMerge(Metrics.layer),
    Layer.provide(store(config)),
    Layer.provide([Serialization.layer, Layer.succeed(Timings, config.timings), self(config), settings(config)])
  )

const assemble = (config: ServerConfig): Layer.Layer<never, StartFailure> => {
  const sockets = Sockets.make()
  const serving = config.readOnly ? readOnly(config, sockets) : complete(config, sockets)
  return Sockets.layerGoodbye(sockets).pipe(Layer.provide(serving))
}

export const layer = (given: ServerConfig): Layer.Layer<never, StartFailure> =>
  Layer.unwrap(
    Effect.gen(function* () {
      // First, since what is wrong with these will not be mended by waiting for the database.
      yield* Listener.check(given)
      const { clusterHost, clusterPort } = given
      return assemble({ ...given, clusterPort: clusterPort === 0 ? yield* Cluster.freePort(clusterHost) : clusterPort })
    })
  )

/** Runs a coordinator until it is interrupted. */
export const run = (config: ServerConfig): Effect.Effect<never, StartFailure> => Layer.launch(layer(config))
