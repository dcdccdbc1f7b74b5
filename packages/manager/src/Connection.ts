/**
 * One WebSocket to one coordinator. It lives as long as its scope; when it breaks, every call on it fails.
 */
import { NodeWS } from "@effect/platform-node"
import { Effect, Layer, Option, Redacted, Schedule, Schema } from "effect"
import { Headers } from "effect/http"
import { RpcClient, RpcMiddleware } from "effect/rpc"
import type { RpcClientError } from "effect/rpc"
import * as Socket from "effect/socket/Socket"
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
const webSocket = (url: string, tls: Tls, onRefused: (refusal: Refusal) => void) =>
  Layer.effect(Socket.Socket, Socket.makeWebSocket(url, { openTimeout })).pipe(
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
  readonly tls?: Tls
  /** Told why before the calls on this connection fail, where the coordinator said. */
  readonly onRefused?: (refusal: Refusal) => void
}

/** Opens a connection to `url`. Whether it works shows at the first call. */
export const open = Effect.fnUntraced(function* (url: string, token: Redacted.Redacted, options: Options = {}) {
  const protocol = RpcClient.layerProtocolSocket({
    // The session has its own rules for when and where to try again.
    retryPolicy: Schedule.recurs(0),
    pingInterval: noPings
  }).pipe(
    Layer.provide([Serialization.layer, webSocket(url, options.tls ?? {}, options.onRefused ?? (() => undefined))])
  )
  const context = yield* Layer.build(Layer.merge(protocol, withToken(token)))
  return (yield* Effect.provideContext(RpcClient.make(ManagerRpcs, { disableTracing: true }), context)) satisfies Client
})
