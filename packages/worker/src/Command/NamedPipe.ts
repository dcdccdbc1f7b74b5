/**
 * A named pipe that one program after the other writes into, as `NodeLauncher` uses it.
 *
 * Why *named* pipes: Node's own pipes for children are sockets, which a program cannot open by the name `/dev/stdout`. Made
 * once and opened by each program, they need no system call to make; and when the last process that has one open ends,
 * reading gives the end. So each program's output is known to be complete or to be held open by something that outlives it.
 */
import { spawnSync } from "node:child_process"
import { closeSync, constants, openSync, readSync } from "node:fs"
import { Socket } from "node:net"
import { Predicate } from "effect"

const chunkSize = 64 * 1024

/** All pipes of a worker are read into the same memory: what is kept is copied. */
const chunk = Buffer.allocUnsafeSlow(chunkSize)

/**
 * What a pipe can hold of a program that has ended (Linux's upper limit for ordinary users). Whoever writes more than that
 * into it is another process, which must not keep the worker reading.
 */
const pipeCapacity = 1024 * 1024

const readFlags = constants.O_RDONLY | constants.O_NONBLOCK

const isNothingThere = (error: unknown): boolean => Predicate.hasProperty(error, "code") && error.code === "EAGAIN"

export class NamedPipe {
  readonly path: string
  private readonly pipe: number
  private readonly onBytes: (bytes: Uint8Array) => void
  private socket: Socket | undefined

  /** Makes the pipe. `onBytes` gets memory that is used again after the call. */
  constructor(path: string, onBytes: (bytes: Uint8Array) => void) {
    const made = spawnSync("mkfifo", [path], { stdio: ["ignore", "ignore", "pipe"], encoding: "utf8" })
    if (made.status !== 0) {
      throw new Error(`the named pipe ${path} cannot be made: ${made.error?.message ?? made.stderr.trim()}`)
    }
    this.path = path
    this.pipe = openSync(path, readFlags)
    this.onBytes = onBytes
  }

  /**
   * Reads what comes as it comes, until `rest`. A program of a few milliseconds does without: what it wrote waits in the
   * pipe, and setting this up takes longer than to read it at the end.
   */
  follow(): void {
    // An opening of its own, so that the end of it does not close the one that stays.
    const socket = new Socket({
      fd: openSync(this.path, readFlags),
      readable: true,
      writable: false,
      onread: {
        buffer: chunk,
        callback: (length, buffer) => {
          this.onBytes(buffer.subarray(0, length))
          return true
        }
      }
    })
    // The pipe cannot fail; a program's end of it is not ours to worry about.
    socket.on("error", () => {})
    this.socket = socket
  }

  rest(): void {
    this.socket?.destroy()
    this.socket = undefined
  }

  /** Takes what is in the pipe. Tells whether somebody still has it open for writing. */
  drain(): "ended" | "held" {
    for (let total = 0; total < pipeCapacity;) {
      let length: number
      try {
        length = readSync(this.pipe, chunk)
      } catch (error) {
        if (isNothingThere(error)) return "held"
        throw error
      }
      if (length === 0) return "ended"
      this.onBytes(chunk.subarray(0, length))
      total += length
    }
    return "held"
  }

  close(): void {
    this.rest()
    closeSync(this.pipe)
  }
}
