/**
 * Bundles as files. They are read twice: whole and checked before anything is done with them, so that nothing is left half
 * done because of a file that is damaged or cut off.
 */
import { createHash } from "node:crypto"
import { createReadStream, createWriteStream } from "node:fs"
import { rename, rm } from "node:fs/promises"
import { finished, pipeline } from "node:stream/promises"
import { StringDecoder } from "node:string_decoder"
import { createGunzip, createGzip } from "node:zlib"
import { Data, Effect, Stream } from "effect"
import * as Bundle from "@muster/domain/Bundle"
import type { Recorded } from "@muster/domain/Recorded"

/** The file cannot be used as a bundle. Nothing was done with it. */
export class BundleUnusable extends Data.TaggedError("BundleUnusable")<{
  readonly path: string
  /** Follows the path in a sentence. */
  readonly reason: string
}> {
  override get message() {
    return `${this.path} ${this.reason}`
  }
}

/** Where a bundle is written to. */
export interface Writer {
  readonly event: (event: Recorded) => Promise<void>
  /** Ends it with its checksum, and gives it its name. */
  readonly end: () => Promise<void>
  /** Leaves nothing behind. */
  readonly abandon: () => Promise<void>
}

/** Begins to write. Until its end the file has another name, so nobody takes a part for the whole. */
export const write = async (path: string, header: Bundle.Header): Promise<Writer> => {
  const partial = `${path}.part`
  const gzip = createGzip()
  const file = createWriteStream(partial)
  const done = pipeline(gzip, file)
  // Heard of by whoever writes next.
  done.catch(() => undefined)
  const hash = createHash("sha256")
  let events = 0
  const put = async (text: string): Promise<void> => {
    // A disk that is slower than the sender holds it back.
    if (!gzip.write(text)) await Promise.race([new Promise((resolve) => gzip.once("drain", resolve)), done])
  }
  const line = (text: string) => {
    hash.update(`${text}\n`)
    return put(`${text}\n`)
  }
  await line(Bundle.headerLine(header))
  return {
    event: (event) => {
      events++
      return line(Bundle.eventLine(event))
    },
    end: async () => {
      await put(`${Bundle.endLine(events, hash.digest("hex"))}\n`)
      gzip.end()
      await done
      await rename(partial, path)
    },
    abandon: async () => {
      gzip.destroy()
      await finished(file).catch(() => undefined)
      await rm(partial, { force: true })
    }
  }
}

const codeOf = (error: unknown): string =>
  typeof error === "object" && error !== null && "code" in error ? String(error.code) : ""

const reasonOf = (error: unknown): string => {
  switch (codeOf(error)) {
    case "ENOENT":
      return "does not exist"
    case "Z_BUF_ERROR":
      return "is cut off: its end is missing"
    case "Z_DATA_ERROR":
      return "is damaged or is not a bundle of Muster: it cannot be decompressed"
    default:
      return `cannot be read: ${error instanceof Error ? error.message : String(error)}`
  }
}

/** The lines of a gzipped file. What goes wrong while it is read is thrown when it has been read so far. */
async function* linesOf(path: string): AsyncGenerator<string> {
  const gunzip = createGunzip({ chunkSize: 1024 ** 2 })
  // What goes wrong with the file destroys the other end too, which is the one that is looked at.
  pipeline(createReadStream(path), gunzip).catch(() => undefined)
  const decoder = new StringDecoder("utf8")
  let rest = ""
  for await (const chunk of gunzip) {
    // A stream without an encoding gives buffers.
    const lines = (rest + decoder.write(chunk as Buffer)).split("\n")
    rest = lines.pop() ?? ""
    yield* lines
  }
  rest += decoder.end()
  if (rest !== "") yield rest
}

/** Reads all of it and makes sure that it is whole: its header, if so. */
const verifyPromise = async (path: string): Promise<Bundle.Header> => {
  const broken = (reason: string) => new BundleUnusable({ path, reason })
  const hash = createHash("sha256")
  const versions = new Map<string, number>()
  let header: Bundle.Header | undefined
  let events = 0
  let end: Bundle.End | undefined
  for await (const line of linesOf(path)) {
    if (end !== undefined) throw broken("is damaged: something comes after its end")
    if (header === undefined) {
      const found = Bundle.parseHeader(line)
      if (Bundle.isProblem(found)) throw broken(found.reason)
      header = found
    } else if ((end = Bundle.parseEnd(line)) === undefined) {
      const event = Bundle.parseEvent(line)
      if (event === undefined) throw broken(`is damaged: line ${events + 2} is not an event`)
      if (event.version !== (versions.get(event.stream) ?? 0) + 1) {
        throw broken(`is damaged: event ${event.version} of ${event.stream} is out of place`)
      }
      versions.set(event.stream, event.version)
      events++
    }
    if (end === undefined) hash.update(`${line}\n`)
  }
  if (header === undefined) throw broken("is empty")
  if (end === undefined) throw broken("is cut off: its end is missing")
  const isWhole =
    end.events === events &&
    header.events === events &&
    header.streams.length === versions.size &&
    header.streams.every(([stream, count]) => versions.get(stream) === count)
  if (!isWhole || end.sha256 !== hash.digest("hex"))
    throw broken("is damaged: its checksum is not that of what it holds")
  return header
}

const toUnusable = (path: string) => (error: unknown) =>
  error instanceof BundleUnusable ? error : new BundleUnusable({ path, reason: reasonOf(error) })

export const verify = (path: string): Effect.Effect<Bundle.Header, BundleUnusable> =>
  Effect.tryPromise({ try: () => verifyPromise(path), catch: toUnusable(path) })

async function* eventsOf(path: string): AsyncGenerator<Recorded> {
  let isFirst = true
  for await (const line of linesOf(path)) {
    if (!isFirst) {
      const event = Bundle.parseEvent(line)
      if (event !== undefined) yield event
    }
    isFirst = false
  }
}

/** The events of a bundle that was verified, in order. */
export const events = (path: string): Stream.Stream<Recorded, BundleUnusable> =>
  Stream.fromAsyncIterable({ [Symbol.asyncIterator]: () => eventsOf(path) }, toUnusable(path))
