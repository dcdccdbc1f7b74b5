import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as FileSystem from "node:fs/promises"
import * as Path from "node:path"
import * as LogFile from "@muster/domain/LogFile"
import * as LogReader from "@muster/manager/LogReader"
import * as LogRetention from "@muster/manager/LogRetention"
import { otherSuite, suite } from "./support/Fixtures.ts"
import { temporaryDirectory } from "./support/ManagerProcess.ts"

const request = { suiteId: suite, index: 1_234, attempt: 2, stream: "stdout" as const, offset: 0, limit: 1_000 }
const text = "0123456789"
const running = () => true
const over = () => false

const write = (logs: string, content: string) =>
  Effect.promise(async () => {
    const path = Path.join(logs, LogFile.path(suite, request.index, request.attempt, request.stream))
    await FileSystem.mkdir(Path.dirname(path), { recursive: true })
    await FileSystem.writeFile(path, content)
  })

const asText = (chunk: { readonly data: Uint8Array }) => Buffer.from(chunk.data).toString()

describe("logs", () => {
  it.effect("are read in parts, while the task runs and afterwards", () =>
    Effect.gen(function* () {
      const logs = yield* temporaryDirectory
      yield* write(logs, text)
      const first = yield* LogReader.read(logs, { ...request, limit: 4 }, running)
      const rest = yield* LogReader.read(logs, { ...request, offset: 4 }, over)
      const behind = yield* LogReader.read(logs, { ...request, offset: 99 }, over)
      assert.deepStrictEqual([asText(first), first.size, first.ended], ["0123", 10, false])
      assert.deepStrictEqual([asText(rest), rest.size, rest.ended], ["456789", 10, true])
      assert.deepStrictEqual([asText(behind), behind.missing], ["", false])
    })
  )

  it.effect("of a silent task are empty, and at their end when the task is", () =>
    Effect.gen(function* () {
      const logs = yield* temporaryDirectory
      yield* LogReader.keep(logs, suite)
      const early = yield* LogReader.read(logs, request, running)
      const late = yield* LogReader.read(logs, request, over)
      assert.deepStrictEqual([early.data.length, early.ended, early.missing], [0, false, false])
      assert.deepStrictEqual([late.data.length, late.ended, late.missing], [0, true, false])
    })
  )

  it.effect("that are not here any more are missing", () =>
    Effect.gen(function* () {
      const logs = yield* temporaryDirectory
      const chunk = yield* LogReader.read(logs, request, over)
      assert.deepStrictEqual([chunk.ended, chunk.missing], [true, true])
    })
  )

  it.effect("of suites that rest for long are removed, and no others", () =>
    Effect.gen(function* () {
      const logs = yield* temporaryDirectory
      yield* LogReader.keep(logs, suite)
      yield* write(logs, text)
      yield* LogReader.keep(logs, otherSuite)
      const old = new Date(Date.now() - 10_000)
      yield* Effect.promise(() => FileSystem.utimes(Path.join(logs, suite), old, old))
      const kept = yield* LogRetention.runOnce(logs, suite, Date.now(), 5_000)
      const removed = yield* LogRetention.runOnce(logs, null, Date.now(), 5_000)
      assert.deepStrictEqual(
        [kept, removed],
        [
          { found: 2, removed: 0 },
          { found: 2, removed: 1 }
        ]
      )
      assert.deepStrictEqual(yield* Effect.promise(() => FileSystem.readdir(logs)), [otherSuite])
    })
  )

  const AnyLogs = Schema.Array(Schema.Struct({ suiteId: Schema.String, usedAt: Schema.Int }))

  it.prop("go only when they are older than they are kept", [AnyLogs, Schema.Int], ([all, now]) => {
    const gone = LogRetention.expired(all, "in use", now, 1_000)
    for (const one of all) assert.strictEqual(gone.includes(one), one.suiteId !== "in use" && now - one.usedAt > 1_000)
  })
})
