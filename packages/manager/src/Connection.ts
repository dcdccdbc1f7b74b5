/**
 * One WebSocket to one coordinator. It lives as long as its scope; when it breaks, every call on it fails.
 */
import { NodeWS } from "@effect/platform-node"
import { Context, Effect, Layer, Option, Redacted, Schedule, Schema } from "effect"
import type { Scope } from "effect"
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

/** What this manager shows, and whom it believes. PEM. */
export interface Tls {
  /** Authorities whose word is taken for coordinators' certificates; the system's when absent. */
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
}

/** What a coordinator answers in place of opening the WebSocket. */
export interface Refusal {
  readonly status: number
  readonly reason: string
}

/** Characters that are read of such an answer. */
const longestAnswer = 4_096

const decodeProblem = Schema.decodeUnknownOption(
  Schema.fromJsonString(Schema.Struct({ error: Schema.Struct({ message: Schema.String }) }))
)

/**
 * By `ws` and not by Node's own, which takes half as long again for each message and cannot hold back who sends too much.
 * Certificates are always checked, also where the environment tells Node not to.
 */
const webSocket = (url: string, isAlone: boolean, tls: Tls, onRefused: (refusal: Refusal) => void) =>
  Layer.effect(
    Socket.Socket,
    Socket.makeWebSocket(url, { openTimeout: isAlone ? openTimeout.alone : openTimeout.ofSeveral })
  ).pipe(
    Layer.provide(
      Layer.succeed(Socket.WebSocketConstructor)((to) => {
        const socket = new NodeWS.WebSocket(to, { ...tls, rejectUnauthorized: true })
        socket.once("unexpected-response", (_request, response) => {
          const status = response.statusCode ?? 0
          let body = ""
          response.setEncoding("utf8")
          response.on("data", (part: string) => {
            if (body.length < longestAnswer) body += part
          })
          response.once("close", () => {
            const problem = Option.getOrUndefined(decodeProblem(body))
            onRefused({ status, reason: problem?.error.message ?? `it answers ${status}` })
            socket.terminate()
          })
        })
        return socket
      })
    )
  )

export interface Options {
  /** There is no other coordinator to go to (default true). */
  readonly isAlone?: boolean
  readonly tls?: Tls
  /** Told why before the calls on this connection fail, where the coordinator said. */
  readonly onRefused?: (refusal: Refusal) => void
}

/** Speaks with a coordinator over a socket of its own. Whether it works shows at the first call. */
export const over = Effect.fnUntraced(function* (socket: Layer.Layer<Socket.Socket>, token: Redacted.Redacted) {
  const protocol = RpcClient.layerProtocolSocket({
    // The session has its own rules for when and where to try again.
    retryPolicy: Schedule.recurs(0),
    ...liveness
  }).pipe(Layer.provide([Serialization.layer, socket]))
  const context = yield* Layer.build(Layer.merge(protocol, withToken(token)))
  return (yield* Effect.provideContext(RpcClient.make(ManagerRpcs, { disableTracing: true }), context)) satisfies Client
})

/** Opens a connection to `url`. */
export const open = (url: string, token: Redacted.Redacted, options: Options = {}) =>
  over(webSocket(url, options.isAlone ?? true, options.tls ?? {}, options.onRefused ?? (() => undefined)), token)

/** How connections are opened: by WebSocket, unless somebody puts another way in its place. */
export const Open = Context.Reference<
  (url: string, token: Redacted.Redacted, options?: Options) => Effect.Effect<Client, never, Scope.Scope>
>("@muster/manager/Connection/Open", { defaultValue: () => open })
