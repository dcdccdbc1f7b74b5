/**
 * Effect's sockets over the simulated network: above them everything is real, RPC with its framing, pings and retries
 * included.
 */
import { Effect, Queue } from "effect"
import type { Scope } from "effect"
import * as NetAddress from "effect/net/NetAddress"
import { RpcSerialization } from "effect/rpc"
import * as Socket from "effect/socket/Socket"
import { SocketServer } from "effect/socket/SocketServer"
import type { Host } from "./Host.ts"
import { maxFrameSize } from "@muster/domain/Rpc/Serialization"
import type { Endpoint, Network } from "./Network.ts"

type Frame = Uint8Array | string

const readError = (reason: string) =>
  new Socket.SocketError({ reason: new Socket.SocketReadError({ cause: new Error(reason) }) })

/** What arrives at an end, as a socket's reader gives it. */
const readerOf = (endpoint: Endpoint): Socket.Reader => {
  let frames: Array<Frame> = []
  let failure: Socket.SocketError | undefined
  let resumePull: (() => void) | undefined
  const wake = () => {
    const resume = resumePull
    resumePull = undefined
    resume?.()
  }
  // Only `write` below sends, and it sends frames.
  endpoint.onMessage = (message) => {
    frames.push(message as Frame)
    wake()
  }
  endpoint.onClose = (reason) => {
    failure = readError(reason)
    wake()
  }
  const take = (): Effect.Effect<readonly [Frame, ...Array<Frame>], Socket.SocketError> | undefined => {
    const [first, ...rest] = frames
    if (first !== undefined) {
      frames = []
      return Effect.succeed([first, ...rest])
    }
    return failure === undefined ? undefined : Effect.fail(failure)
  }
  return {
    pull: Effect.suspend(
      () =>
        take() ??
        Effect.callback<readonly [Frame, ...Array<Frame>], Socket.SocketError>((resume) => {
          resumePull = () => {
            const taken = take()
            if (taken !== undefined) resume(taken)
          }
          return Effect.sync(() => {
            resumePull = undefined
          })
        })
    ),
    upgrade: Socket.SocketUpgradeError.unsupported
  }
}

const closing = (endpoint: Endpoint): Effect.Effect<void, never, Scope.Scope> =>
  Effect.addFinalizer(() => Effect.sync(() => endpoint.close()))

const writerTo = (to: { readonly send: (frame: Frame) => void; readonly close: () => void }): Socket.Writer => ({
  write: (chunk) => Effect.sync(() => (Socket.isCloseEvent(chunk) ? to.close() : to.send(chunk))),
  writeAll: (chunks) =>
    Effect.sync(() => {
      for (const chunk of chunks) to.send(chunk)
    })
})

/** A socket to a port of a machine; each reading opens a connection. Timeouts in milliseconds. */
export const client = (
  network: Network,
  host: Host,
  to: { readonly name: string; readonly port: string; readonly openTimeout: number }
): Socket.Socket => {
  let endpoint: Endpoint | undefined
  // Written before the first reading began. What is written before a connection is open waits in its endpoint.
  let early: Array<Frame> = []
  const open = Effect.gen(function* () {
    const mine = network.connect(host, to.name, to.port, to.openTimeout)
    endpoint = mine
    for (const frame of early) mine.send(frame)
    early = []
    yield* closing(mine)
    yield* Effect.callback<void, Socket.SocketError>((resume) => {
      mine.onOpen = () => resume(Effect.void)
      mine.onClose = (reason) => {
        const kind = reason === "timeout" ? "Timeout" : "Unknown"
        const cause = new Error(reason)
        resume(Effect.fail(new Socket.SocketError({ reason: new Socket.SocketOpenError({ kind, cause }) })))
      }
    })
    return readerOf(mine)
  })
  const writer = writerTo({
    send: (frame) => {
      if (endpoint === undefined) early.push(frame)
      else endpoint.send(frame)
    },
    close: () => endpoint?.close()
  })
  return Socket.make({ reader: open, writer: Effect.succeed(writer) })
}

/** A server on a port of this process. */
export const server = (network: Network, host: Host, port: string): SocketServer["Service"] =>
  SocketServer.of({
    address: NetAddress.unixPathAddress(`/${host.name}/${port}`),
    run: (handler) =>
      Effect.gen(function* () {
        const accepted = yield* Queue.unbounded<Socket.Socket>()
        const stop = network.listen(host, port, (endpoint) => {
          const reader = readerOf(endpoint)
          Queue.offerUnsafe(
            accepted,
            Socket.make({ reader: Effect.as(closing(endpoint), reader), writer: Effect.succeed(writerTo(endpoint)) })
          )
        })
        yield* Effect.addFinalizer(() => Effect.sync(stop))
        return yield* Queue.take(accepted).pipe(
          Effect.flatMap((socket) => Effect.forkScoped(handler(socket))),
          Effect.forever
        )
      }).pipe(Effect.scoped)
  })

/** As on real sockets. */
export const serialization = RpcSerialization.makeNdjson({ maxBufferSize: maxFrameSize })
