/**
 * A whole coordinator in the test's process, on a database and ports of its own: routes, actors, read models. Tests see
 * its services too, so that they can play the manager.
 */
import { createServer } from "node:http"
import { NodeHttpServer } from "@effect/platform-node"
import { Context, Effect, Layer, Schedule } from "effect"
import type { Redacted } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { RpcServer } from "effect/rpc"
import { ClientRpcs } from "@muster/domain/Rpc/ClientRpcs"
import * as Serialization from "@muster/domain/Rpc/Serialization"
import * as Authentication from "../../src/Auth/Authentication.ts"
import * as Tokens from "../../src/Auth/Tokens.ts"
import * as Cluster from "../../src/Cluster.ts"
import * as Doctor from "../../src/Doctor.ts"
import * as CoordinatorEntityLive from "../../src/Entities/CoordinatorEntityLive.ts"
import * as DoctorEntityLive from "../../src/Entities/DoctorEntityLive.ts"
import * as ManagerEntityLive from "../../src/Entities/ManagerEntityLive.ts"
import * as SuiteEntityLive from "../../src/Entities/SuiteEntityLive.ts"
import * as WorkerEntityLive from "../../src/Entities/WorkerEntityLive.ts"
import * as Heartbeats from "../../src/Heartbeats.ts"
import { HttpRoutes } from "../../src/Http/HttpRoutes.ts"
import * as Readiness from "../../src/Http/Readiness.ts"
import * as ManagersLive from "../../src/ManagersLive.ts"
import * as Metrics from "../../src/Metrics.ts"
import * as PgEventStore from "../../src/PgEventStore.ts"
import * as ClusterQueries from "../../src/ReadModels/ClusterQueries.ts"
import * as EventQueries from "../../src/ReadModels/EventQueries.ts"
import * as ManagerQueries from "../../src/ReadModels/ManagerQueries.ts"
import * as Settlements from "../../src/ReadModels/Settlements.ts"
import * as SuiteBundles from "../../src/ReadModels/SuiteBundles.ts"
import * as SuiteQueries from "../../src/ReadModels/SuiteQueries.ts"
import * as SuiteStreams from "../../src/ReadModels/SuiteStreams.ts"
import * as TaskExplanations from "../../src/ReadModels/TaskExplanations.ts"
import * as TaskLogs from "../../src/ReadModels/TaskLogs.ts"
import * as TaskQueries from "../../src/ReadModels/TaskQueries.ts"
import * as WorkerQueries from "../../src/ReadModels/WorkerQueries.ts"
import * as ClientRpcsLive from "../../src/Rpc/ClientRpcsLive.ts"
import * as ResidentSuites from "../../src/ResidentSuites.ts"
import { ServerInfo } from "../../src/Rpc/ServerInfo.ts"
import { Suites } from "../../src/Suites.ts"
import * as SuitesLive from "../../src/SuitesLive.ts"
import * as Muster from "../support/Muster.ts"
import { newSuiteId } from "./TestIds.ts"

/** Where the server listens, and the secrets that open it. */
export class TestServer extends Context.Service<
  TestServer,
  { readonly url: string; readonly admin: Redacted.Redacted; readonly enrolment: Redacted.Redacted }
>()("@muster/server/test/Http/TestServer") {}

const Actors = Layer.mergeAll(
  SuiteEntityLive.layer,
  ManagerEntityLive.layer,
  WorkerEntityLive.layer,
  CoordinatorEntityLive.layer,
  DoctorEntityLive.layer
)

const Queries = Layer.mergeAll(
  SuiteStreams.layer,
  SuiteBundles.layer,
  TaskExplanations.layer,
  TaskLogs.layer,
  WorkerQueries.layer,
  ManagerQueries.layer,
  ClusterQueries.layer
).pipe(Layer.provideMerge(Layer.mergeAll(SuiteQueries.layer, TaskQueries.layer, Settlements.layer, EventQueries.layer)))

const ready = Effect.succeed({ ok: true, message: null })

const info = ServerInfo.of({ version: "0.0.0", coordinator: "test", startedAt: "2026-01-31T00:00:00.000Z" })

const Services = Layer.merge(Queries, Doctor.layer(10)).pipe(
  Layer.provideMerge(Layer.mergeAll(SuitesLive.layer, ManagersLive.layer)),
  Layer.provide(Actors),
  Layer.provide([Heartbeats.layer, ResidentSuites.layer]),
  Layer.provideMerge(Cluster.layer({ host: "127.0.0.1", port: 0 })),
  Layer.provideMerge(
    Layer.mergeAll(
      Tokens.layer,
      Metrics.layer,
      PgEventStore.layer,
      Readiness.layer.pipe(
        Layer.provide(Layer.succeed(Readiness.ReadinessParts, { cluster: ready, projections: ready }))
      ),
      Layer.succeed(ServerInfo, info)
    )
  ),
  Layer.provideMerge(Muster.layer),
  Layer.provideMerge(Serialization.layer)
)

const ClientSocket = RpcServer.layerHttp({
  group: ClientRpcs,
  path: "/rpc",
  protocol: "websocket",
  disableTracing: true
}).pipe(Layer.provide([ClientRpcsLive.layer, Authentication.layerAdminOnly]))

const Http = HttpRouter.serve(Layer.mergeAll(HttpRoutes, ClientSocket), {
  disableLogger: true,
  disableListenLog: true
}).pipe(Layer.provideMerge(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 })))

/** The cluster needs a moment until its shards have an owner; the first command waits for it. */
const untilActorsAnswer = Effect.gen(function* () {
  const suites = yield* Suites
  yield* suites
    .create({ suiteId: newSuiteId(), spec: { name: "the first" }, commandId: "first", actor: "test" })
    .pipe(Effect.retry(Schedule.spaced("50 millis").pipe(Schedule.upTo({ duration: "20 seconds" }))))
})

export const layer = Layer.effect(
  TestServer,
  Effect.gen(function* () {
    const server = yield* HttpServer.HttpServer
    const tokens = yield* Tokens.Tokens
    const admin = Tokens.makeSecret("admin")
    const enrolment = Tokens.makeSecret("enrolment")
    yield* tokens.seed({ name: Tokens.firstAdmin, role: "admin", secret: admin })
    yield* tokens.seed({ name: "enrolment", role: "enrolment", secret: enrolment })
    yield* untilActorsAnswer
    if (server.address._tag === "UnixPathAddress") return yield* Effect.die(new Error("the server listens on no port"))
    return TestServer.of({ url: `http://127.0.0.1:${server.address.port}`, admin, enrolment })
  })
).pipe(Layer.provideMerge(Http), Layer.provideMerge(Services))
