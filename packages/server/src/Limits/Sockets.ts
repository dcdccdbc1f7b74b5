/**
 * Limits of WebSockets: how large a message may be, how much may wait for a client that does not read, and how long a dead
 * one is believed in.
 */
import { NodeWS } from "@effect/platform-node"
import type { Counters } from "./Counters.ts"
import type { Limits } from "./Limits.ts"

/** "Policy violation", as RFC 6455 numbers it. */
const policyViolation = 1_008

/** So long a client has time to read why. Milliseconds. */
const farewell = 1_000

/** Of close frames: at most 123 bytes. */
const mostReason = 123

type Send = (...args: ReadonlyArray<unknown>) => void

/** Has one WebSocket keep to the limits. */
const limit = (socket: NodeWS.WebSocket, limits: Limits, counters: Counters): NodeWS.WebSocket => {
  let isAlive = true
  let isGivenUp = false
  const heard = () => {
    isAlive = true
  }

  /** A peer that is gone without a word answers no ping. */
  const beat = () => {
    if (socket.readyState !== NodeWS.WebSocket.OPEN) return
    if (!isAlive) {
      counters.refuse("dead")
      return socket.terminate()
    }
    isAlive = false
    socket.ping()
  }
  const beating = setInterval(beat, limits.pongTimeout).unref()

  const giveUp = () => {
    isGivenUp = true
    counters.refuse("slow_reader")
    const reason = `${socket.bufferedAmount} bytes wait to be read; at most ${limits.unread} may`
    // It stands behind all that was not read.
    socket.close(policyViolation, reason.slice(0, mostReason))
    setTimeout(() => socket.terminate(), farewell).unref()
  }

  const send = socket.send.bind(socket) as Send // one of several forms, passed on as it came
  const limited: Send = (...args) => {
    if (isGivenUp) {
      const callback = args.at(-1)
      if (typeof callback === "function") callback(new Error("the connection was closed: too much was not read"))
      return
    }
    send(...args)
    if (socket.bufferedAmount > limits.unread) giveUp()
  }
  socket.send = limited as NodeWS.WebSocket["send"] // the same forms

  socket.on("pong", heard)
  socket.on("message", heard)
  socket.on("error", (error: Error & { readonly code?: string }) => {
    if (error.code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH") counters.refuse("message")
  })
  socket.on("close", () => clearInterval(beating))
  return socket
}

/** The `ws` server's options. It makes its sockets by this constructor, which is the one place to get hold of them. */
export const options = (
  limits: Limits,
  counters: Counters
): { readonly maxPayload: number; readonly WebSocket: typeof NodeWS.WebSocket } => {
  const construct = function (...args: ReadonlyArray<unknown>) {
    return limit(Reflect.construct(NodeWS.WebSocket, args) as NodeWS.WebSocket, limits, counters) // what it constructs
  }
  // Called with `new`, a function that returns an object is a constructor of it.
  return { maxPayload: limits.message, WebSocket: construct as unknown as typeof NodeWS.WebSocket }
}
