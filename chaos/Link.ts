/**
 * A network link between two processes, that can be cut, delayed and broken: a TCP proxy. Unlike a proxy that drops what
 * it is given, a cut keeps everything and lets it through afterwards, as TCP does over a network that was gone for a while.
 */
import { connect, createServer } from "node:net"
import type { AddressInfo, Socket } from "node:net"
import { Effect } from "effect"
import type { Scope } from "effect"

export interface Link {
  /** Where it listens on loopback. */
  readonly port: number
  /** Nothing gets through any more, in either direction, and nobody is told. */
  readonly cut: () => void
  /** All connections break, and new ones are refused. */
  readonly reset: () => void
  /** Everything takes this much longer, one way. Milliseconds. */
  readonly delay: (millis: number) => void
  /** As it was in the beginning. */
  readonly mend: () => void
  /** Ports on this machine that its connections to the far end come from. */
  readonly farPorts: () => ReadonlySet<number>
}

/** More than this on its way in one direction, and the sender has to wait. Bytes. */
const windowSize = 1024 ** 2

/** One direction of one connection: what arrives leaves in order, when its time has come. */
class Direction {
  private readonly from: Socket
  private readonly to: Socket
  private readonly queue: Array<{ readonly at: number; readonly chunk: Buffer | undefined }> = []
  private held = 0
  private timer: NodeJS.Timeout | undefined
  private readonly state: State

  constructor(from: Socket, to: Socket, state: State) {
    this.from = from
    this.to = to
    this.state = state
    from.on("data", (chunk: Buffer) => this.push(chunk))
    // The end of a connection travels as data do.
    from.on("close", () => this.push(undefined))
  }

  pump(): void {
    clearTimeout(this.timer)
    this.timer = undefined
    if (this.state.isCut) return
    for (let first = this.queue[0]; first !== undefined; first = this.queue[0]) {
      const wait = first.at - performance.now()
      if (wait > 0) {
        this.timer = setTimeout(() => this.pump(), wait)
        return
      }
      this.queue.shift()
      if (first.chunk === undefined) {
        this.to.destroySoon()
        return
      }
      this.held -= first.chunk.length
      this.to.write(first.chunk)
    }
    if (this.from.isPaused()) this.from.resume()
  }

  stop(): void {
    clearTimeout(this.timer)
    this.queue.length = 0
  }

  private push(chunk: Buffer | undefined): void {
    this.queue.push({ at: performance.now() + this.state.delay, chunk })
    this.held += chunk?.length ?? 0
    if (this.held > windowSize) this.from.pause()
    if (this.timer === undefined) this.pump()
  }
}

interface State {
  isCut: boolean
  isRefusing: boolean
  delay: number
}

/** Listens until the scope closes. The far end may move: it is asked for with each connection. */
export const make = (farPort: () => number): Effect.Effect<Link, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<Link & { readonly close: () => Promise<void> }>((resume) => {
        const state: State = { isCut: false, isRefusing: false, delay: 0 }
        const sockets = new Set<Socket>()
        const fars = new Set<Socket>()
        const directions = new Set<Direction>()
        /** Connections that came during a cut: the first packet has yet to arrive. */
        let arriving: Array<() => void> = []

        const track = (socket: Socket) => {
          sockets.add(socket)
          socket.on("error", () => undefined)
          socket.once("close", () => sockets.delete(socket))
        }
        const open = (near: Socket) => {
          if (near.destroyed) return
          const far = connect({ host: "127.0.0.1", port: farPort(), noDelay: true })
          fars.add(far)
          track(far)
          far.once("close", () => fars.delete(far))
          const both = [new Direction(near, far, state), new Direction(far, near, state)]
          for (const direction of both) directions.add(direction)
          let ends = 2
          for (const socket of [near, far]) {
            socket.once("close", () => {
              if (--ends > 0) return
              for (const direction of both) {
                direction.stop()
                directions.delete(direction)
              }
            })
          }
        }

        const server = createServer({ noDelay: true }, (near) => {
          track(near)
          if (state.isRefusing) return void near.resetAndDestroy()
          if (state.isCut) arriving.push(() => open(near))
          else open(near)
        })
        const pumpAll = () => {
          for (const direction of directions) direction.pump()
        }
        const breakAll = () => {
          for (const socket of sockets) socket.resetAndDestroy()
        }
        server.listen(0, "127.0.0.1", () =>
          resume(
            Effect.succeed({
              port: (server.address() as AddressInfo).port, // it listens on a port, not on a pipe
              cut: () => {
                state.isCut = true
              },
              reset: () => {
                state.isRefusing = true
                breakAll()
              },
              delay: (millis: number) => {
                state.delay = millis
              },
              mend: () => {
                state.isCut = false
                state.isRefusing = false
                state.delay = 0
                for (const arrive of arriving.splice(0)) arrive()
                pumpAll()
              },
              farPorts: () => new Set([...fars].flatMap(({ localPort }) => localPort ?? [])),
              close: () =>
                new Promise<void>((done) => {
                  arriving = []
                  server.close(() => done())
                  breakAll()
                })
            })
          )
        )
      }),
      ({ close }) => Effect.promise(close)
    ),
    (link): Link => link
  )
