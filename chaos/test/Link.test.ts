import { connect, createServer } from "node:net"
import type { AddressInfo, Socket } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Wait from "../../test/e2e/support/Wait.ts"
import * as Link from "../Link.ts"

/** A server that gives back what it gets. */
const echo = Effect.acquireRelease(
  Effect.callback<{ readonly port: number; readonly close: () => void }>((resume) => {
    const sockets = new Set<Socket>()
    const server = createServer((socket) => {
      sockets.add(socket)
      socket.on("error", () => undefined)
      socket.pipe(socket)
    })
    server.listen(0, "127.0.0.1", () =>
      resume(
        Effect.succeed({
          port: (server.address() as AddressInfo).port, // it listens on a port, not on a pipe
          close: () => {
            server.close()
            for (const socket of sockets) socket.destroy()
          }
        })
      )
    )
  }),
  ({ close }) => Effect.sync(close)
)

const client = (port: number) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const socket = connect(port, "127.0.0.1")
      const seen = { text: "", closed: false }
      socket.setEncoding("utf8")
      socket.on("data", (text: string) => void (seen.text += text))
      socket.on("error", () => undefined)
      socket.on("close", () => void (seen.closed = true))
      return { socket, seen }
    }),
    ({ socket }) => Effect.sync(() => socket.destroy())
  )

type Seen = Effect.Success<ReturnType<typeof client>>["seen"]

const until = (seen: Seen, isSo: (seen: Seen) => boolean) =>
  Wait.until(
    "the client sees it",
    Effect.sync(() => ({ ...seen })),
    isSo,
    5_000
  )

describe("a link", () => {
  it.live("lets everything through", () =>
    Effect.gen(function* () {
      const { port } = yield* echo
      const link = yield* Link.make(() => port)
      const { seen, socket } = yield* client(link.port)
      const text = "x".repeat(3_000_000)
      socket.write(text)
      yield* until(seen, (now) => now.text === text)
      assert.strictEqual(link.farPorts().size, 1)
    })
  )

  it.live("keeps what is sent while it is cut, connections too, and lets it through when it is mended", () =>
    Effect.gen(function* () {
      const { port } = yield* echo
      const link = yield* Link.make(() => port)
      const before = yield* client(link.port)
      before.socket.write("a")
      yield* until(before.seen, ({ text }) => text === "a")
      link.cut()
      const during = yield* client(link.port)
      before.socket.write("b")
      during.socket.write("c")
      const direct = yield* client(port)
      direct.socket.write("d")
      yield* until(direct.seen, ({ text }) => text === "d")
      assert.deepStrictEqual(
        [before.seen, during.seen],
        [
          { text: "a", closed: false },
          { text: "", closed: false }
        ]
      )
      link.mend()
      yield* until(before.seen, ({ text }) => text === "ab")
      yield* until(during.seen, ({ text }) => text === "c")
    })
  )

  it.live("breaks connections and refuses new ones when it is reset", () =>
    Effect.gen(function* () {
      const { port } = yield* echo
      const link = yield* Link.make(() => port)
      const before = yield* client(link.port)
      before.socket.write("a")
      yield* until(before.seen, ({ text }) => text === "a")
      link.reset()
      yield* until(before.seen, ({ closed }) => closed)
      const during = yield* client(link.port)
      yield* until(during.seen, ({ closed }) => closed)
      link.mend()
      const after = yield* client(link.port)
      after.socket.write("b")
      yield* until(after.seen, ({ text }) => text === "b")
    })
  )

  it.live("takes longer, both ways and in order", () =>
    Effect.gen(function* () {
      const { port } = yield* echo
      const link = yield* Link.make(() => port)
      link.delay(60)
      const { seen, socket } = yield* client(link.port)
      const began = performance.now()
      for (const text of ["a", "b", "c"]) socket.write(text)
      yield* until(seen, ({ text }) => text === "abc")
      assert.isAtLeast(performance.now() - began, 119)
    })
  )
})
