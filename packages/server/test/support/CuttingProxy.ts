import { Effect } from "effect"
import { connect, createServer } from "node:net"
import type { AddressInfo, Socket } from "node:net"

/**
 * A proxy in front of a server that can lose an answer: the server has done its work, but who asked never hears of it.
 */
export const make = Effect.fnUntraced(function* (target: { readonly host: string; readonly port: number }) {
  let cutsNextAnswer = false
  const sockets = new Set<Socket>()
  const server = createServer((near) => {
    const far = connect(target)
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on("error", () => undefined)
      socket.on("close", () => {
        sockets.delete(socket)
        near.destroy()
        far.destroy()
      })
    }
    near.on("data", (chunk) => far.write(chunk))
    far.on("data", (chunk) => {
      if (cutsNextAnswer) {
        cutsNextAnswer = false
        near.destroy()
      } else near.write(chunk)
    })
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => {
      server.listen(0, "127.0.0.1", () => resume(Effect.void))
    }),
    () =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        for (const socket of sockets) socket.destroy()
      })
  )
  return {
    port: (server.address() as AddressInfo).port, // it listens on a port, not on a pipe
    /** Breaks the connection when the server next says anything. */
    cutNextAnswer: Effect.sync(() => {
      cutsNextAnswer = true
    })
  }
})
