/**
 * One output stream of a command: from the bytes that come to a log file and to the tail that goes into the result.
 *
 * Why the log files are not themselves the standard output of commands: only what passes through here can be limited. A
 * program that writes 10 GB into a file has filled the disk before anybody looks, and cutting the file afterwards loses
 * bytes uncounted.
 */
import { closeSync, mkdirSync, openSync, writeSync } from "node:fs"
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

/** Of a stream into which nothing was written. */
export const nothing: Kept = { text: "", bytes: 0, isCut: false, problem: undefined }

const codeOf = (error: unknown): string =>
  Predicate.hasProperty(error, "code") && Predicate.isString(error.code) ? error.code : String(error)

export class Output {
  private readonly keep: Keep
  private readonly tail: Tail
  private file: number | undefined
  private written = 0
  private problem: string | undefined

  constructor(keep: Keep) {
    this.keep = keep
    this.tail = new Tail(keep.tail)
  }

  /** Takes a copy of what it keeps. */
  push(bytes: Uint8Array): void {
    this.tail.push(bytes)
    const { file, limit } = this.keep
    if (this.problem !== undefined || this.written >= limit) return
    const left = limit - this.written
    try {
      this.file ??= create(file)
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

  /** When nothing more comes. */
  end(): Kept {
    if (this.file !== undefined) closeSync(this.file)
    this.file = undefined
    const { problem, tail } = this
    return { text: tail.text(), bytes: tail.total, isCut: tail.isCut, problem }
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
