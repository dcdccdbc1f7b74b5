/**
 * The end of a stream of bytes, in bounded memory.
 */
import * as Text from "@muster/domain/Text"

const nothing = Buffer.alloc(0)

/** Bytes to begin with: most output is a line or two. */
const smallest = 256

export class Tail {
  /** Bytes that went through in all. */
  total = 0
  private readonly limit: number
  /** Holds up to twice the limit, so that bytes are moved to its front only once in a while. */
  private buffer: Buffer = nothing
  private used = 0

  constructor(limit: number) {
    this.limit = limit
  }

  /** Takes a copy of what it keeps: `chunk` may be reused. */
  push(chunk: Uint8Array): void {
    this.total += chunk.length
    if (this.limit === 0) return
    const kept = chunk.length > this.limit ? chunk.subarray(chunk.length - this.limit) : chunk
    if (this.used + kept.length > this.buffer.length) this.makeRoom(kept.length)
    this.buffer.set(kept, this.used)
    this.used += kept.length
  }

  private makeRoom(length: number): void {
    const keep = Math.min(this.used, this.limit - length)
    const largest = this.limit * 2
    if (this.buffer.length === largest) {
      this.buffer.copyWithin(0, this.used - keep, this.used)
    } else {
      const grown = Buffer.allocUnsafe(Math.min(largest, Math.max((keep + length) * 2, smallest)))
      grown.set(this.buffer.subarray(this.used - keep, this.used))
      this.buffer = grown
    }
    this.used = keep
  }

  /** Whether there was more than it kept. */
  get isCut(): boolean {
    return this.total > this.limit
  }

  /** The kept bytes as text. A character that the cut went through is left out; what is not UTF-8 becomes U+FFFD. */
  text(): string {
    const end = Math.min(this.limit, this.used)
    const bytes = this.buffer.subarray(this.used - end, this.used)
    return Text.toCarriable(bytes.toString("utf8", this.isCut ? boundary(bytes) : 0))
  }
}

/** A UTF-8 character has at most three bytes after its first. */
const maxContinuation = 3

/** Place of the first byte that can start a character. Bytes that are no UTF-8 at all are not skipped. */
const boundary = (bytes: Uint8Array): number => {
  for (let place = 0; place <= maxContinuation; place++) {
    const byte = bytes[place]
    if (byte === undefined || (byte & 0xc0) !== 0x80) return place
  }
  return 0
}
