import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { createHash } from "node:crypto"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gunzipSync, gzipSync } from "node:zlib"
import * as Bundle from "@muster/domain/Bundle"
import type { Recorded } from "@muster/domain/Recorded"
import * as BundleFile from "../src/BundleFile.ts"

const directory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "muster-bundle-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

const event = (stream: string, version: number, position: number): Recorded => ({
  position,
  stream,
  version,
  type: "SuitePaused",
  data: { at: position, text: 'ä€😀 \u2028 \u0000 "' },
  metadata: { actor: "admin", commandId: `c${position}`, schemaVersion: 1 },
  recordedAt: 1_700_000_000_000 + position
})

const log = [event("suite-a", 1, 3), event("manager-b", 1, 5), event("suite-a", 2, 8)]

const header: Bundle.Header = {
  bundle: "muster",
  format: Bundle.format,
  version: "0.1.0",
  source: "here",
  at: 1,
  suite: null,
  events: 3,
  streams: [
    ["suite-a", 2],
    ["manager-b", 1]
  ]
}

const written = (more: Partial<Bundle.Header> = {}, events = log) =>
  Effect.gen(function* () {
    const path = join(yield* directory, "bundle.jsonl.gz")
    yield* Effect.promise(async () => {
      const writer = await BundleFile.write(path, { ...header, ...more })
      for (const one of events) await writer.event(one)
      assert.isFalse(existsSync(path), "it has its name only when it is whole")
      await writer.end()
    })
    return path
  })

const linesOf = (path: string) => gunzipSync(readFileSync(path)).toString().trimEnd().split("\n")

const rewritten = (path: string, change: (lines: ReadonlyArray<string>) => ReadonlyArray<string>) =>
  writeFileSync(path, gzipSync(`${change(linesOf(path)).join("\n")}\n`))

/** Lines with the right end. */
const closed = (lines: ReadonlyArray<string>): ReadonlyArray<string> => {
  const hash = createHash("sha256")
  for (const line of lines) hash.update(`${line}\n`)
  return [...lines, Bundle.endLine(lines.length - 1, hash.digest("hex"))]
}

const reason = (path: string) => Effect.map(Effect.flip(BundleFile.verify(path)), (error) => error.reason)

describe("a bundle file", () => {
  it.effect("gives back its header and its events", () =>
    Effect.gen(function* () {
      const path = yield* written()
      assert.deepStrictEqual(yield* BundleFile.verify(path), header)
      assert.deepStrictEqual(yield* Stream.runCollect(BundleFile.events(path)), log)
      assert.deepStrictEqual(linesOf(path), closed([Bundle.headerLine(header), ...log.map(Bundle.eventLine)]))
    })
  )

  it.effect("is refused when any byte of it is another one, or any number are missing", () =>
    Effect.gen(function* () {
      const path = yield* written()
      const whole = readFileSync(path)
      for (let place = 0; place < whole.length; place++) {
        const damaged = Buffer.from(whole)
        damaged[place] = (damaged[place] ?? 0) ^ 0x41
        writeFileSync(path, damaged)
        // The header of gzip has a time and an operating system, which say nothing of what is in it.
        const result = yield* Effect.exit(BundleFile.verify(path))
        if (place >= 10) assert.strictEqual(result._tag, "Failure", `byte ${place}`)
        writeFileSync(path, whole.subarray(0, place))
        assert.match(yield* reason(path), /is cut off|is damaged|is empty/, `${place} bytes`)
      }
    })
  )

  it.effect("says in one line what is wrong", () =>
    Effect.gen(function* () {
      const path = yield* written()
      const whole = readFileSync(path)
      const wrong = (change: (lines: ReadonlyArray<string>) => ReadonlyArray<string>) =>
        Effect.suspend(() => {
          writeFileSync(path, whole)
          rewritten(path, change)
          return reason(path)
        })
      assert.strictEqual(yield* reason(`${path}.none`), "does not exist")
      assert.strictEqual(yield* wrong((lines) => lines.slice(0, -1)), "is cut off: its end is missing")
      assert.strictEqual(yield* wrong((lines) => [...lines, "{}"]), "is damaged: something comes after its end")
      assert.strictEqual(
        yield* wrong(([first = "", , ...rest]) => closed([first, ...rest.slice(0, -1)])),
        "is damaged: event 2 of suite-a is out of place"
      )
      assert.strictEqual(
        yield* wrong((lines) => lines.map((line, place) => (place === 2 ? line.replace("admin", "nobody") : line))),
        "is damaged: its checksum is not that of what it holds"
      )
      assert.strictEqual(
        yield* wrong((lines) => lines.map((line, place) => (place === 2 ? "?" : line))),
        "is damaged: line 3 is not an event"
      )
      assert.strictEqual(yield* wrong(() => ["hello"]), "is not a bundle of Muster")
      writeFileSync(path, "hello")
      assert.match(yield* reason(path), /^is damaged or is not a bundle of Muster/)
      const newer = yield* written({ format: Bundle.format + 1, version: "9.0.0" })
      assert.strictEqual(
        yield* reason(newer),
        `was written by Muster 9.0.0 in format ${Bundle.format + 1}, which is newer than this one reads (${Bundle.format})`
      )
      const promised = yield* written({ events: 4 })
      assert.match(yield* reason(promised), /^is damaged: its checksum/)
    })
  )

  it.effect("leaves nothing behind when it is not ended", () =>
    Effect.gen(function* () {
      const path = join(yield* directory, "bundle.jsonl.gz")
      yield* Effect.promise(async () => {
        const writer = await BundleFile.write(path, header)
        await writer.event(event("suite-a", 1, 1))
        await writer.abandon()
      })
      assert.isFalse(existsSync(path) || existsSync(`${path}.part`))
    })
  )
})
