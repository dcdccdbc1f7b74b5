/**
 * One WebSocket to one coordinator. It lives as long as its scope; when it breaks, every call on it fails.
 */
import { NodeSocket } from "@effect/platform-node"
import { Effect, Layer, Redacted, Schedule } from "effect"
import { Headers } from "effect/http"
import { RpcClient, RpcMiddleware } from "effect/rpc"
import type { RpcClientError } from "effect/rpc"
import { ManagersOnly } from "@muster/domain/Rpc/Authentication"
import { ManagerRpcs } from "@muster/domain/Rpc/ManagerRpcs"
import * as Serialization from "@muster/domain/Rpc/Serialization"

export type Client = RpcClient.FromGroup<typeof ManagerRpcs, RpcClientError.RpcClientError>

const openTimeout = "10 seconds"

/**
 * The transport could send pings of its own. The session's heartbeats say the same and more, so it is told to wait longer
 * than any session lasts.
 */
const noPings = "3650 days"

const withToken = (token: Redacted.Redacted) =>
  RpcMiddleware.layerClient(ManagersOnly, ({ next, request }) =>
    next({ ...request, headers: Headers.set(request.headers, "authorization", `Bearer ${Redacted.value(token)}`) })
  )

/** Opens a connection to `url`. Whether it works shows at the first call. */
export const open = Effect.fnUntraced(function* (url: string, token: Redacted.Redacted) {
  const protocol = RpcClient.layerProtocolSocket({
    // The session has its own rules for when and where to try again.
    retryPolicy: Schedule.recurs(0),
    pingInterval: noPings
  }).pipe(Layer.provide(Serialization.layer), Layer.provide(NodeSocket.layerWebSocket(url, { openTimeout })))
  const context = yield* Layer.build(Layer.merge(protocol, withToken(token)))
  return (yield* Effect.provideContext(RpcClient.make(ManagerRpcs, { disableTracing: true }), context)) satisfies Client
})
