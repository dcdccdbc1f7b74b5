/**
 * Sockets of a server that refuse what is written to them after their end.
 *
 * Left alone, such a write waits for ever and cannot be interrupted: Node answers a write to a socket that is gone with
 * "wait until there is room", and nothing tells that there will be none. Each answer to a peer that died then keeps a fiber,
 * and the server does not end while there is one.
 */
import { Effect, Layer, Option } from "effect"
import { SocketServer } from "effect/socket"
import * as Socket from "effect/socket/Socket"

const ended = new Socket.SocketError({
  reason: new Socket.SocketWriteError({ cause: new Error("the connection has ended") })
})

/** `isGone` asks the connection below. */
export const refusing = (socket: Socket.Socket, isGone: () => boolean): Socket.Socket => {
  let isClosed = false
  const unlessOver = (write: Effect.Effect<void, Socket.SocketError>) =>
    Effect.suspend(() => (isClosed || isGone() ? Effect.fail(ended) : write))
  return Socket.make({
    // Closed before the socket is taken apart: after that nothing is left to ask.
    reader: Effect.tap(socket.reader, () =>
      Effect.addFinalizer(() =>
        Effect.sync(() => {
          isClosed = true
        })
      )
    ),
    writer: Effect.map(socket.writer, ({ write, writeAll }) => ({
      write: (chunk) => unlessOver(write(chunk)),
      writeAll: (chunks) => unlessOver(writeAll(chunks))
    }))
  })
}

/** What is below the socket that is being handled, where there is something. */
type Connection = Effect.Effect<Option.Option<{ readonly destroyed: boolean }>>

/** As the given server, with such sockets. */
export const layer = <E, R>(
  server: Layer.Layer<SocketServer.SocketServer, E, R>,
  connection: Connection
): Layer.Layer<SocketServer.SocketServer, E, R> =>
  Layer.effect(
    SocketServer.SocketServer,
    Effect.map(SocketServer.SocketServer, ({ address, run }) =>
      SocketServer.SocketServer.of({
        address,
        run: (handler) =>
          run((socket) =>
            Effect.flatMap(connection, (below) =>
              handler(refusing(socket, () => Option.isSome(below) && below.value.destroyed))
            )
          )
      })
    )
  ).pipe(Layer.provide(server))
