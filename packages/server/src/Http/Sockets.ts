/**
 * The WebSockets of a coordinator's HTTP server, so that it can say goodbye to them. They would stay open for as long as
 * clients and managers like, and one whose other side has stopped answering would hold up the end for longer.
 */
import type { Server } from "node:http"
import type { Duplex } from "node:stream"
import { Effect, Layer } from "effect"

/** A whole WebSocket message: close, with the code 1012 for a service that restarts (RFC 6455, 5.5.1; IANA registry). */
const goodbye = Uint8Array.of(0x88, 0x02, 1012 >> 8, 1012 & 0xff)

/** A socket that could not be written to its end by then is cut. Milliseconds. */
const patience = 200

export interface Sockets {
  /** From now on the WebSockets of this server are known. */
  readonly follow: (server: Server) => void
  /** Ends all WebSockets: whoever has one goes to another coordinator, and asks there for what is not answered yet. */
  readonly end: Effect.Effect<void>
}

export const make = (): Sockets => {
  const open = new Set<Duplex>()
  return {
    follow: (server) => {
      server.on("upgrade", (_request, socket) => {
        open.add(socket)
        socket.once("close", () => open.delete(socket))
      })
    },
    end: Effect.sync(() => {
      for (const socket of open) {
        // Each message is written as a whole, so this one stands between two of them.
        socket.end(goodbye, () => socket.destroy())
        setTimeout(() => socket.destroy(), patience).unref()
      }
    })
  }
}

/** Says goodbye when it closes: to be built after the server, so that it closes before. */
export const layerGoodbye = (sockets: Sockets): Layer.Layer<never> =>
  Layer.effectDiscard(Effect.addFinalizer(() => sockets.end))
