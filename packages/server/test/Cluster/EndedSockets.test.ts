import { NodeSocket, NodeSocketServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { connect } from "node:net"
import { Context, Deferred, Effect, Layer, Option } from "effect"
import { SocketServer } from "effect/socket"
import type { Socket } from "effect/socket/Socket"
import * as EndedSockets from "@muster/domain/Rpc/EndedSockets"

const loopback = NodeSocketServer.layer({ host: "127.0.0.1", port: 0 })
const connection = Effect.serviceOption(NodeSocket.NetSocket)

/** A server whose only connection is reset by its peer; answers with what then becomes of a write to it. */
const writeAfterReset = (
  layer: Layer.Layer<SocketServer.SocketServer, SocketServer.SocketServerError>,
  write: (socket: Socket, reset: Effect.Effect<void>) => Effect.Effect<unknown, unknown>
) =>
  Effect.gen(function* () {
    const server = Context.get(yield* Layer.build(layer), SocketServer.SocketServer)
    const done = yield* Deferred.make<string>()
    yield* server
      .run((socket) =>
        Effect.gen(function* () {
          const below = Option.getOrThrow(yield* connection)
          const closed = Effect.callback<void>((resume) => void below.once("close", () => resume(Effect.void)))
          const outcome = yield* write(socket, closed).pipe(
            Effect.exit,
            Effect.timeoutOption("2 seconds"),
            Effect.map(Option.match({ onNone: () => "waits", onSome: ({ _tag }) => _tag }))
          )
          yield* Deferred.succeed(done, outcome)
        })
      )
      .pipe(Effect.forkScoped)
    const { address } = server
    if (address._tag === "UnixPathAddress") return yield* Effect.die("it listens on a port")
    const peer = connect(address.port, "127.0.0.1")
    peer.on("error", () => undefined)
    peer.once("connect", () => peer.resetAndDestroy())
    return yield* Deferred.await(done)
  })

/** Reads as a server does, hears of the end, and answers what was asked before it. */
const answer = (socket: Socket, reset: Effect.Effect<void>) =>
  Effect.scoped(
    Effect.gen(function* () {
      yield* socket.reader
      const writer = yield* socket.writer
      yield* reset
      yield* writer.write("an answer")
    })
  )

/** As `answer`, when the socket has been given up. */
const answerLater = (socket: Socket) =>
  Effect.gen(function* () {
    const writer = yield* Effect.scoped(Effect.andThen(socket.reader, socket.writer))
    yield* writer.writeAll(["an answer"])
  })

describe("a socket that has ended", () => {
  it.live("refuses an answer to a peer that is gone", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* writeAfterReset(EndedSockets.layer(loopback, connection), answer), "Failure")
      assert.strictEqual(yield* writeAfterReset(EndedSockets.layer(loopback, connection), answerLater), "Failure")
    })
  )

  // When this fails the platform does it by itself, and `EndedSockets` may go.
  it.live("would otherwise keep who answers for ever", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* writeAfterReset(loopback, answer), "waits")
    })
  )
})
