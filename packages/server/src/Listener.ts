/**
 * The port for clients and managers: over TLS where there is a certificate, and in the clear only where nobody else can
 * listen, or where the operator has said that it shall be so.
 */
import { createServer } from "node:http"
import type { Server } from "node:http"
import { NodeHttpServer } from "@effect/platform-node"
import { Data, Effect, Layer } from "effect"
import { isLoopback } from "@muster/domain/Loopback"
import type { Sockets } from "./Http/Sockets.ts"
import * as Connections from "./Limits/Connections.ts"
import { LimitCounters } from "./Limits/Counters.ts"
import { Limits } from "./Limits/Limits.ts"
import * as SocketLimits from "./Limits/Sockets.ts"
import type { ServerConfig } from "./ServerConfig.ts"
import * as Tls from "./Tls.ts"

/** The address can be reached from other machines, and there is no certificate. */
export class CleartextRefused extends Data.TaggedError("CleartextRefused")<{ readonly host: string }> {
  override get message() {
    return (
      `MUSTER_HOST is ${JSON.stringify(this.host)}, which other machines can reach, and there is no certificate: tokens ` +
      `would cross the network in the clear; name a certificate (${Tls.variables.certFile}, ${Tls.variables.keyFile}), ` +
      "listen on 127.0.0.1, or accept it with MUSTER_ALLOW_CLEARTEXT=true"
    )
  }
}

export type Failure = CleartextRefused | Tls.TlsUnusable

/** How long HTTP requests that are being answered may take when the coordinator stops. */
const gracefulShutdownTimeout = "1 second"

type Where = Pick<ServerConfig, "allowCleartext" | "host" | "port" | "tls">

/** As people write it. */
export const address = ({ host, port, tls }: Pick<Where, "host" | "port" | "tls">): string =>
  `${Tls.isWanted(tls) ? "https" : "http"}://${host.includes(":") ? `[${host}]` : host}:${port}`

/** Whether the coordinator may listen as its settings say. */
export const check = Effect.fnUntraced(function* ({
  allowCleartext,
  host,
  tls
}: Where): Effect.fn.Return<void, Failure> {
  if (Tls.isWanted(tls)) return yield* Tls.check(tls)
  if (!isLoopback(host) && !allowCleartext) return yield* new CleartextRefused({ host })
})

export const layer = (where: Where, sockets: Sockets) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const { host, port, tls } = where
      const limits = yield* Limits
      const counters = yield* LimitCounters
      const isTls = Tls.isWanted(tls)
      yield* check(where)
      const options = Connections.serverOptions(limits)
      const server: Server = isTls ? yield* Tls.makeServer(tls, options) : createServer(options)
      if (!isTls && !isLoopback(host)) {
        yield* Effect.logWarning(`listening on ${host} without TLS: tokens and tasks can be read on the network`)
      }
      sockets.follow(server)
      return NodeHttpServer.layer(() => Connections.guard(server, limits, counters, isTls), {
        host,
        port,
        gracefulShutdownTimeout,
        websocket: SocketLimits.options(limits, counters)
      })
    })
  )
