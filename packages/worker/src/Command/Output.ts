/**
 * One output stream of the running command: from a named pipe to a log file and to the tail that goes into the result.
 *
 * Why pipes and not the log files themselves as standard output: only what passes through here can be limited. A program
 * that writes 10 GB into a file has filled the disk before anybody looks, and cutting the file afterwards loses bytes
 * uncounted. And files were not even faster (processor time per command, one worker at a time): 1,130 µs with pipes
 * and 1,120 with files for `/bin/true`, 1,590 and 1,650 for `sha256sum` of a small file.
 *
 * Why *named* pipes, made once and opened by each command: they need no system call to make, and when the last process
 * that has one open ends, reading gives the end. So each command's output is known to be complete or to be held open by
 * something that outlives it. (Node's own pipes for children are sockets, which `/dev/stdout` cannot open.)
 */
import { closeSync, constants, mkdirSync, openSync, readSync, writeSync } from "node:fs"
import { Socket } from "node:net"
import { dirname } from "node:path"
import { Predicate } from "effect"
import { Tail } from "./Tail.ts"

/** What to keep of one command's stream. */
export interface Keep {
  /** Where the whole text goes. Nothing is created before the first byte comes. */
  readonly file: string
  /** Bytes that the file may have. */
  readonly limit: number
  /** Bytes of the end that go into the result. */
  readonly tail: number
}

/** What came of one command's stream. */
export interface Kept {
  readonly text: string
  /** Bytes in all, of which the text may have only the last. */
  readonly bytes: number
  readonly isCut: boolean
  /** Why the file does not hold what it should, in a few words. */
  readonly problem: string | undefined
}

const chunkSize = 64 * 1024

/** Both streams and all commands of a worker read into the same memory: what is kept is copied. */
const chunk = Buffer.allocUnsafeSlow(chunkSize)

/**
 * What a pipe can hold of a command that has ended (Linux's upper limit for ordinary users). Whoever writes more than that
 * into it is another process, which must not keep the worker reading.
 */
const pipeCapacity = 1024 * 1024

const readFlags = constants.O_RDONLY | constants.O_NONBLOCK

const codeOf = (error: unknown): string =>
  Predicate.hasProperty(error, "code") && Predicate.isString(error.code) ? error.code : String(error)

export class Output {
  /** The named pipe that commands write into. */
  readonly path: string
  private readonly pipe: number
  private socket: Socket | undefined
  private keep: Keep | undefined
  private tail = new Tail(0)
  private file: number | undefined
  private written = 0
  private problem: string | undefined

  /** Opens an existing named pipe. */
  constructor(path: string) {
    this.path = path
    this.pipe = openSync(path, readFlags)
  }

  /** Before a command starts. */
  begin(keep: Keep): void {
    this.keep = keep
    this.tail = new Tail(keep.tail)
    this.file = undefined
    this.written = 0
    this.problem = undefined
  }

  /**
   * Reads what comes as it comes. A command of a few milliseconds does without: what it wrote waits in the pipe, and
   * setting this up takes longer than to read it at the end.
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
          this.push(buffer.subarray(0, length))
          return true
        }
      }
    })
    // The pipe cannot fail; a program's end of it is not ours to worry about.
    socket.on("error", () => {})
    this.socket = socket
  }

  /** Takes what is in the pipe. Tells whether somebody still has it open for writing. */
  drain(): "ended" | "held" {
    for (let total = 0; total < pipeCapacity;) {
      let length: number
      try {
        length = readSync(this.pipe, chunk)
      } catch (error) {
        if (codeOf(error) !== "EAGAIN") throw error
        return "held"
      }
      if (length === 0) return "ended"
      this.push(chunk.subarray(0, length))
      total += length
    }
    return "held"
  }

  /** When nothing more comes of this command. */
  end(): Kept {
    this.socket?.destroy()
    this.socket = undefined
    if (this.file !== undefined) closeSync(this.file)
    this.file = undefined
    const { problem, tail } = this
    return { text: tail.text(), bytes: tail.total, isCut: tail.isCut, problem }
  }

  /** When no further command will use it. */
  close(): void {
    this.socket?.destroy()
    closeSync(this.pipe)
  }

  private push(bytes: Uint8Array): void {
    this.tail.push(bytes)
    const { keep } = this
    if (keep === undefined || this.problem !== undefined || this.written >= keep.limit) return
    const left = keep.limit - this.written
    try {
      this.file ??= create(keep.file)
      for (let rest = bytes.length > left ? bytes.subarray(0, left) : bytes; rest.length > 0;) {
        const length = writeSync(this.file, rest)
        this.written += length
        rest = rest.subarray(length)
      }
    } catch (error) {
      // A full disk must not fail the task: its tail and its outcome still get through.
      this.problem = `its log ends after ${this.written} bytes (${codeOf(error)})`
    }
  }
}

const create = (file: string): number => {
  try {
    return openSync(file, "w")
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error
    mkdirSync(dirname(file), { recursive: true })
    return openSync(file, "w")
  }
}
