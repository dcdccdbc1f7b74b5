/**
 * The RPC client over a real WebSocket to the test's server.
 */
import { NodeSocket } from "@effect/platform-node"
import { Effect, Layer, Redacted } from "effect"
import { Headers } from "effect/http"
import { RpcClient, RpcMiddleware } from "effect/rpc"
import { AdminOnly } from "@muster/domain/Rpc/Authentication"
import { ClientRpcs } from "@muster/domain/Rpc/ClientRpcs"
import * as Serialization from "@muster/domain/Rpc/Serialization"
import { TestServer } from "../Http/TestServer.ts"

/** A client with the admin's token, or with another one; connected for as long as the scope lasts. */
export const make = Effect.fnUntraced(function* (secret?: Redacted.Redacted) {
  const { admin, url } = yield* TestServer
  const token = Redacted.value(secret ?? admin)
  const authorization = RpcMiddleware.layerClient(AdminOnly, ({ next, request }) =>
    next({ ...request, headers: Headers.set(request.headers, "authorization", `Bearer ${token}`) })
  )
  const protocol = RpcClient.layerProtocolSocket().pipe(
    Layer.provide([NodeSocket.layerWebSocket(`${url.replace("http:", "ws:")}/rpc`), Serialization.layer])
  )
  const context = yield* Layer.build(Layer.merge(authorization, protocol))
  return yield* Effect.provideContext(RpcClient.make(ClientRpcs), context)
})
