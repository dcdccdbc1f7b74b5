/**
 * One WebSocket to one coordinator. It lives as long as its scope; when it breaks, every call on it fails.
 */
import { NodeWS } from "@effect/platform-node"
import { Effect, Layer, Redacted, Schedule } from "effect"
import { Headers } from "effect/http"
import { RpcClient, RpcMiddleware } from "effect/rpc"
import type { RpcClientError } from "effect/rpc"
import * as Socket from "effect/socket/Socket"
import { ManagersOnly } from "@muster/domain/Rpc/Authentication"
import { ManagerRpcs } from "@muster/domain/Rpc/ManagerRpcs"
import * as Serialization from "@muster/domain/Rpc/Serialization"

export type Client = RpcClient.FromGroup<typeof ManagerRpcs, RpcClientError.RpcClientError>

/** A frozen coordinator does not accept. Where there are others there is no reason to wait for it long. */
const openTimeout = { alone: "10 seconds", ofSeveral: "3 seconds" } as const

/**
 * A frozen coordinator keeps its sockets open; its silence gives it away after 2 to 3 s, long before the session's next
 * heartbeat.
 */
const liveness = { pingInterval: "1 second", pingTimeout: "2500 millis" } as const

const withToken = (token: Redacted.Redacted) =>
  RpcMiddleware.layerClient(ManagersOnly, ({ next, request }) =>
    next({ ...request, headers: Headers.set(request.headers, "authorization", `Bearer ${Redacted.value(token)}`) })
  )

/** By `ws` and not by Node's own, which takes half as long again for each message and cannot hold back who sends too much. */
const webSocket = (url: string, isAlone: boolean) =>
  Layer.effect(
    Socket.Socket,
    Socket.makeWebSocket(url, { openTimeout: isAlone ? openTimeout.alone : openTimeout.ofSeveral })
  ).pipe(Layer.provide(NodeWS.layerWebSocketConstructor))

/** Opens a connection to `url`. Whether it works shows at the first call. `isAlone`: there is no other coordinator. */
export const open = Effect.fnUntraced(function* (url: string, token: Redacted.Redacted, isAlone = true) {
  const protocol = RpcClient.layerProtocolSocket({
    // The session has its own rules for when and where to try again.
    retryPolicy: Schedule.recurs(0),
    ...liveness
  }).pipe(Layer.provide([Serialization.layer, webSocket(url, isAlone)]))
  const context = yield* Layer.build(Layer.merge(protocol, withToken(token)))
  return (yield* Effect.provideContext(RpcClient.make(ManagerRpcs, { disableTracing: true }), context)) satisfies Client
})
