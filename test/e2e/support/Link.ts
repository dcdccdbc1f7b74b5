/**
 * A link to a coordinator that can be cut without a word, as a network is: connections stay open and nothing passes.
 */
import { connect, createServer } from "node:net"
import type { AddressInfo, Socket } from "node:net"
import { Effect } from "effect"

export const make = Effect.fnUntraced(function* (port: number) {
  let isCut = false
  const sockets = new Set<Socket>()
  const pass = (from: Socket, to: Socket) => {
    sockets.add(from)
    from.on("error", () => undefined)
    from.on("close", () => {
      sockets.delete(from)
      to.destroy()
    })
    from.on("data", (chunk) => {
      if (!isCut) to.write(chunk)
    })
  }
  const server = createServer((near) => {
    const far = connect({ host: "127.0.0.1", port })
    pass(near, far)
    pass(far, near)
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
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, // it listens on a port, not on a pipe
    cut: Effect.sync(() => {
      isCut = true
    }),
    /** What was under way is lost: whoever speaks on connects anew. */
    heal: Effect.sync(() => {
      isCut = false
      for (const socket of sockets) socket.destroy()
    })
  }
})
