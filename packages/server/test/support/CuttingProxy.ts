import { Effect } from "effect"
import { connect, createServer } from "node:net"
import type { AddressInfo, Socket } from "node:net"

/**
 * A proxy in front of a server that can be down, that can vanish without a word, and that can lose an answer: the server
 * has done its work, but who asked never hears of it.
 */
export const make = Effect.fnUntraced(function* (target: { readonly host: string; readonly port: number }) {
  let cutsNextAnswer = false
  let isDown = false
  let refused = 0
  let isSilent = false
  const sockets = new Set<Socket>()
  const server = createServer((near) => {
    if (isDown) {
      refused++
      near.destroy()
      return
    }
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
    near.on("data", (chunk) => {
      if (!isSilent) far.write(chunk)
    })
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
    /** Lets nothing through any more, and says nothing about it. */
    fallSilent: Effect.sync(() => {
      isSilent = true
    }),
    /** Closes every new connection at once, as a server does that is not ready. */
    setDown: (down: boolean) =>
      Effect.sync(() => {
        isDown = down
      }),
    /** Connections that came while it was down. */
    refused: Effect.sync(() => refused),
    /** Breaks the connection when the server next says anything. */
    cutNextAnswer: Effect.sync(() => {
      cutsNextAnswer = true
    })
  }
})
