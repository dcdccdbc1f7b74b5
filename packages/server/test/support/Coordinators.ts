/**
 * Coordinators as processes of their own on the test's database, and the sockets by which clients and managers reach them.
 */
import { NodeSocket } from "@effect/platform-node"
import { Deferred, Effect, Layer, Redacted, Schedule } from "effect"
import type { Scope } from "effect"
import { Headers } from "effect/http"
import { RpcClient, RpcMiddleware } from "effect/rpc"
import { spawn } from "node:child_process"
import { createServer } from "node:net"
import { fileURLToPath } from "node:url"
import { AdminOnly, ManagersOnly } from "@muster/domain/Rpc/Authentication"
import { ClientRpcs } from "@muster/domain/Rpc/ClientRpcs"
import { ManagerRpcs } from "@muster/domain/Rpc/ManagerRpcs"
import * as Serialization from "@muster/domain/Rpc/Serialization"
import { eventually } from "./Eventually.ts"
import * as Postgres from "./Postgres.ts"

const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url))

export const adminToken = "mst_admin_for-tests-only-0123456789"
export const enrolmentToken = "mst_enrolment_for-tests-only-01234"

const freePort = Effect.callback<number>((resume) => {
  const server = createServer()
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    const port = address !== null && typeof address === "object" ? address.port : 0
    server.close(() => resume(Effect.succeed(port)))
  })
})

const isReady = (port: number) =>
  Effect.promise(() =>
    fetch(`http://127.0.0.1:${port}/readyz`).then(
      ({ status }) => status === 200,
      () => false
    )
  )

/** A connection that fails when the coordinator goes, and says so to whoever calls. */
const protocol = (url: string) =>
  RpcClient.layerProtocolSocket({ retryPolicy: Schedule.recurs(0), pingInterval: "1 hour" }).pipe(
    Layer.provide(Serialization.layer),
    Layer.provide(NodeSocket.layerWebSocket(url))
  )

const authorization = (token: string) => `Bearer ${token}`

const asAdmin = RpcMiddleware.layerClient(AdminOnly, ({ next, request }) =>
  next({ ...request, headers: Headers.set(request.headers, "authorization", authorization(adminToken)) })
)
const asManager = RpcMiddleware.layerClient(ManagersOnly, ({ next, request }) =>
  next({ ...request, headers: Headers.set(request.headers, "authorization", authorization(enrolmentToken)) })
)

const connectClient = Effect.fnUntraced(function* (port: number) {
  const context = yield* Layer.build(Layer.merge(protocol(`ws://127.0.0.1:${port}/rpc`), asAdmin))
  return yield* Effect.provideContext(RpcClient.make(ClientRpcs, { disableTracing: true }), context)
})

const connectManager = Effect.fnUntraced(function* (port: number) {
  const context = yield* Layer.build(Layer.merge(protocol(`ws://127.0.0.1:${port}/ws/managers`), asManager))
  return yield* Effect.provideContext(RpcClient.make(ManagerRpcs, { disableTracing: true }), context)
})

export interface Coordinator {
  readonly port: number
  readonly pid: number
  readonly client: Effect.Success<ReturnType<typeof connectClient>>
  readonly manager: Effect.Success<ReturnType<typeof connectManager>>
  readonly signal: (signal: NodeJS.Signals) => Effect.Effect<void>
  readonly exited: Effect.Effect<void>
  /** What it has written to its standard output and error. */
  readonly output: () => string
}

/** A coordinator that is ready to answer. Killed when the scope closes. */
export const start = Effect.fnUntraced(function* (
  env: Readonly<Record<string, string>> = {}
): Effect.fn.Return<Coordinator, never, Scope.Scope | Postgres.TestDatabase> {
  const { url } = yield* Postgres.TestDatabase
  const port = yield* freePort
  const exited = yield* Deferred.make<void>()
  let output = ""
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const started = spawn(process.execPath, [main], {
        env: {
          PATH: process.env["PATH"] ?? "",
          MUSTER_DATABASE_URL: Redacted.value(url),
          MUSTER_PORT: String(port),
          MUSTER_ADMIN_TOKEN: adminToken,
          MUSTER_ENROLMENT_TOKEN: enrolmentToken,
          ...env
        },
        stdio: ["ignore", "pipe", "pipe"]
      })
      started.once("exit", () => Deferred.doneUnsafe(exited, Effect.void))
      for (const stream of [started.stdout, started.stderr]) {
        stream.on("data", (chunk: Buffer) => {
          output += chunk.toString()
        })
      }
      return started
    }),
    (started) =>
      Effect.andThen(
        Effect.sync(() => started.kill("SIGKILL")),
        Deferred.await(exited)
      )
  )
  yield* eventually(
    Effect.suspend(() =>
      child.exitCode === null ? isReady(port) : Effect.die(new Error(`the coordinator ended: ${output}`))
    ),
    (ready) => ready
  )
  return {
    port,
    pid: child.pid ?? 0,
    client: yield* connectClient(port),
    manager: yield* connectManager(port),
    signal: (signal) => Effect.sync(() => void child.kill(signal)),
    exited: Deferred.await(exited),
    output: () => output
  }
})
