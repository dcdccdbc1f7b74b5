/**
 * Limits of connections, set on Node's own server: before a request is parsed there is nothing else to hold on to.
 */
import type { IncomingMessage, Server, ServerOptions, ServerResponse } from "node:http"
import type { Socket } from "node:net"
import type { Duplex } from "node:stream"
import type { Counters } from "./Counters.ts"
import type { Limits } from "./Limits.ts"

/** How often Node looks for requests that take too long to arrive. Milliseconds. */
const mostInterval = 1_000

/** What can be said only when the server is made. */
export const serverOptions = ({ headTimeout, idleTimeout, requestTimeout }: Limits): ServerOptions => ({
  headersTimeout: Math.min(headTimeout, requestTimeout),
  requestTimeout,
  keepAliveTimeout: Math.min(idleTimeout, 60_000),
  connectionsCheckingInterval: Math.min(mostInterval, headTimeout)
})

/** An answer without a request, so that who reads it knows why. Over TLS nobody could read it. */
const answer = (reason: string): string => {
  const body = JSON.stringify({
    error: { code: "TooManyConnections", message: reason, details: {}, request_id: "" }
  })
  return [
    "HTTP/1.1 503 Service Unavailable",
    "content-type: application/json",
    `content-length: ${Buffer.byteLength(body)}`,
    "retry-after: 1",
    "connection: close",
    "",
    body
  ].join("\r\n")
}

/** So long a refused connection has time to read why. Milliseconds. */
const farewell = 1_000

const turnAway = (socket: Socket, reason: string, isReadable: boolean): void => {
  socket.on("error", () => {})
  if (!isReadable) return void socket.destroy()
  socket.end(answer(reason))
  setTimeout(() => socket.destroy(), farewell).unref()
}

const starting = JSON.stringify({
  error: {
    code: "Unavailable",
    message: "the coordinator is starting or stopping; try again",
    details: {},
    request_id: ""
  }
})

/**
 * Answers what comes while nobody else does. The port is open a moment before the routes are there, and a request of that
 * moment would otherwise never be answered: Node forgets it.
 */
const answerWhenAlone = (server: Server): void => {
  // The routes take upgrades from the same moment on.
  const isAlone = () => server.listenerCount("request") === 1
  server.on("request", (_request: IncomingMessage, response: ServerResponse) => {
    if (!isAlone()) return
    response
      .writeHead(503, { "content-type": "application/json", "retry-after": "1", connection: "close" })
      .end(starting)
  })
  server.on("upgrade", (_request: IncomingMessage, socket: Duplex) => {
    if (!isAlone()) return
    socket.on("error", () => {})
    socket.end("HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\n\r\n")
  })
}

/** Has a server keep to the limits. `isTls`: what is written to a new connection cannot be read. */
export const guard = <S extends Server>(server: S, limits: Limits, counters: Counters, isTls = false): S => {
  const perAddress = new Map<string, number>()
  server.timeout = limits.idleTimeout
  answerWhenAlone(server)
  // First, before Node makes anything of the connection.
  server.prependListener("connection", (socket: Socket) => {
    const address = socket.remoteAddress ?? ""
    const ofAddress = perAddress.get(address) ?? 0
    if (counters.connections >= limits.connections) {
      counters.refuse("connections")
      return turnAway(
        socket,
        `there are ${counters.connections} connections; at most ${limits.connections} are allowed`,
        !isTls
      )
    }
    if (ofAddress >= limits.connectionsPerAddress) {
      counters.refuse("connections_per_address")
      return turnAway(
        socket,
        `there are ${ofAddress} connections from ${address}; at most ${limits.connectionsPerAddress} are allowed`,
        !isTls
      )
    }
    counters.connections++
    perAddress.set(address, ofAddress + 1)
    socket.once("close", () => {
      counters.connections--
      const left = (perAddress.get(address) ?? 1) - 1
      if (left > 0) perAddress.set(address, left)
      else perAddress.delete(address)
    })
  })
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    if (error.code === "ERR_HTTP_REQUEST_TIMEOUT") counters.refuse("slow_request")
    // What TLS or the network complains of leaves nobody to answer.
    const isHttp = /^(HPE|ERR_HTTP)_/.test(error.code ?? "")
    if (!isHttp || socket.destroyed || !socket.writable) return socket.destroy()
    const status =
      error.code === "ERR_HTTP_REQUEST_TIMEOUT"
        ? "408 Request Timeout"
        : error.code === "HPE_HEADER_OVERFLOW"
          ? "431 Request Header Fields Too Large"
          : "400 Bad Request"
    socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\n\r\n`)
  })
  return server
}
