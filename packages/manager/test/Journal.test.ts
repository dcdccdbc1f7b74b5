import { assert, describe, it } from "@effect/vitest"
import { Effect, Scope } from "effect"
import { spawnSync } from "node:child_process"
import * as FileSystem from "node:fs/promises"
import * as Path from "node:path"
import type { SuiteId } from "@muster/domain/Suite/Id"
import { DirectoryError } from "@muster/manager/Directory"
import * as Journal from "@muster/manager/Journal"
import * as JournalFiles from "@muster/manager/JournalFiles"
import * as JournalRecord from "@muster/manager/JournalRecord"
import type { Report } from "@muster/manager/JournalRecord"
import { epoch, range, succeeded, suite } from "./support/Fixtures.ts"
import { temporaryDirectory } from "./support/ManagerProcess.ts"

const report = (number: number, suiteId: SuiteId = suite): Report => ({
  commandId: `command-${number}`,
  suiteId,
  epoch: epoch(1),
  ended: [{ ...succeeded(number), stdout: "größer\n", output: { list: [1, null, "x"] } }]
})

const limit = 1024 * 1024

/** What a process that dies now would leave: the files as they are, read by a journal of their own. */
const successor = (directory: string) =>
  Effect.scoped(Effect.map(Journal.make({ directory, limit }), (journal) => journal.earlier))

/** A copy of the files, so that a journal that is still in use is not disturbed. */
const snapshot = Effect.fnUntraced(function* (directory: string) {
  const copy = yield* temporaryDirectory
  yield* Effect.promise(() => FileSystem.cp(directory, copy, { recursive: true }))
  return copy
})

const files = (directory: string) => Effect.promise(() => FileSystem.readdir(directory))

/** Writes a journal file as a dead process would have left it. */
const leave = (directory: string, data: Uint8Array) =>
  Effect.promise(() => FileSystem.writeFile(Path.join(directory, "0000000007.journal"), data))

const smallDiskSize = 64 * 1024

/** Mounts a disk of that size here, until the test is over. False: that is not allowed. */
const smallDisk = (directory: string) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const options = ["-t", "tmpfs", "-o", `size=${smallDiskSize}`, "tmpfs", directory]
      return spawnSync("mount", options, { stdio: "ignore" }).status === 0
    }),
    (isMounted) =>
      Effect.sync(() => {
        if (isMounted) spawnSync("umount", ["-l", directory], { stdio: "ignore" })
      })
  )

describe("the journal", () => {
  it.effect("gives a successor everything that was not acknowledged, under the same command ids", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const journal = yield* Journal.make({ directory, limit })
      for (const number of range(5)) yield* journal.append(report(number))
      const left = yield* successor(yield* snapshot(directory))
      assert.deepStrictEqual(
        left,
        range(5).map((number) => report(number))
      )
    })
  )

  it.effect("leaves nothing when all is acknowledged", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const scope = yield* Scope.make()
      const journal = yield* Scope.provide(Journal.make({ directory, limit }), scope)
      for (const number of range(3)) yield* journal.append(report(number))
      for (const number of range(3)) yield* journal.acknowledge(report(number))
      assert.strictEqual(yield* journal.size, 0)
      assert.deepStrictEqual(yield* successor(yield* snapshot(directory)), [])
      yield* journal.append(report(3))
      yield* journal.acknowledge(report(3))
      yield* Scope.close(scope, yield* Effect.exit(Effect.void))
      assert.deepStrictEqual(yield* files(directory), [])
    })
  )

  it.effect("removes each segment when its last report is acknowledged, whatever the order", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const journal = yield* Journal.make({ directory, limit, segmentSize: 1 })
      for (const number of range(4)) yield* journal.append(report(number))
      assert.strictEqual((yield* files(directory)).length, 4)
      for (const number of [2, 0]) yield* journal.acknowledge(report(number))
      const left = yield* successor(yield* snapshot(directory))
      assert.deepStrictEqual(
        left.map(({ commandId }) => commandId),
        ["command-1", "command-3"]
      )
    })
  )

  it.effect("hands on what a successor did not acknowledge either", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      yield* leave(directory, Buffer.concat(range(2).map((number) => JournalRecord.encode(report(number)))))
      yield* Effect.scoped(
        Effect.gen(function* () {
          const second = yield* Journal.make({ directory, limit })
          yield* second.append(report(2))
          for (const number of [0, 1]) yield* second.acknowledge(report(number))
        })
      )
      const left = yield* successor(directory)
      assert.deepStrictEqual(
        left.map(({ commandId }) => commandId),
        ["command-2"]
      )
    })
  )

  it.effect("tolerates a record that was torn by a sudden death, wherever it was torn", () =>
    Effect.gen(function* () {
      const whole = JournalRecord.encode(report(0))
      const torn = JournalRecord.encode(report(1))
      for (let length = 0; length < torn.length; length++) {
        const { reports, rest } = JournalRecord.decodeAll(Buffer.concat([whole, torn.subarray(0, length)]))
        assert.deepStrictEqual(reports, [report(0)])
        assert.deepStrictEqual(rest?.isTorn, length === 0 ? undefined : true)
      }
      const directory = yield* temporaryDirectory
      yield* leave(directory, Buffer.concat([whole, torn.subarray(0, 20)]))
      assert.deepStrictEqual(yield* successor(directory), [report(0)])
    })
  )

  it.effect("notices every changed byte, uses what stands before it, and keeps the file for people to look at", () =>
    Effect.gen(function* () {
      const records = range(3).map((number) => JournalRecord.encode(report(number)))
      const second = records[0]?.length ?? 0
      for (let place = 0; place < (records[1]?.length ?? 0); place += 7) {
        const data = Buffer.concat(records)
        data[second + place] = (data[second + place] ?? 0) ^ 0x20
        assert.deepStrictEqual(JournalRecord.decodeAll(data).reports, [report(0)], `byte ${place}`)
      }
      const directory = yield* temporaryDirectory
      const data = Buffer.concat(records)
      data[second + 12] = 0
      yield* leave(directory, data)
      const journal = yield* Journal.make({ directory, limit })
      assert.deepStrictEqual(journal.earlier, [report(0)])
      yield* journal.acknowledge(report(0))
      assert.deepStrictEqual(yield* files(directory), ["0000000007.journal.damaged"])
    })
  )

  it.effect("goes on in memory when its limit is reached, and on the disk when there is room again", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const size = JournalRecord.encode(report(0)).length
      const journal = yield* Journal.make({ directory, limit: 2 * size })
      for (const number of range(4)) yield* journal.append(report(number))
      assert.isAtMost(yield* journal.size, 2 * size)
      for (const number of range(4)) yield* journal.acknowledge(report(number))
      yield* journal.append(report(4))
      assert.deepStrictEqual(yield* successor(yield* snapshot(directory)), [report(4)])
    })
  )

  it.effect("survives a disk that is full in the middle of a record: what came before and after is readable", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      let room = Number.POSITIVE_INFINITY
      // The real file, on a disk that takes only part of a write and then nothing.
      const real = JournalFiles.inDirectory(directory)
      const noSpace = new DirectoryError({ path: directory, cause: new Error("ENOSPC: no space left on device") })
      const full: JournalFiles.JournalFiles = {
        ...real,
        create: (name) =>
          Effect.map(real.create(name), (file) => ({
            ...file,
            write: (data, position) =>
              Effect.andThen(
                file.write(data.subarray(0, room), position),
                room < data.length ? Effect.fail(noSpace) : Effect.void
              )
          }))
      }
      const journal = yield* Journal.make({ directory, limit, files: full })
      yield* journal.append(report(0))
      room = 30
      yield* journal.append(report(1))
      room = Number.POSITIVE_INFINITY
      yield* journal.append(report(2))
      const left = yield* successor(yield* snapshot(directory))
      assert.deepStrictEqual(left, [report(0), report(2)])
    })
  )

  it.effect(
    "survives a real disk that is full: nothing is lost, and it is on the disk when there is room again",
    (context) =>
      Effect.gen(function* () {
        const directory = yield* temporaryDirectory
        const isMounted = yield* smallDisk(directory)
        if (!isMounted) return context.skip("this user may not mount a small disk")
        const own = Path.join(directory, "journal")
        yield* Effect.promise(() => FileSystem.mkdir(own))
        const ballast = Path.join(directory, "ballast")
        const journal = yield* Journal.make({ directory: own, limit })
        yield* journal.append(report(0))
        // All that is left, to the last byte.
        yield* Effect.promise(() =>
          FileSystem.writeFile(ballast, Buffer.alloc(smallDiskSize)).catch((error: NodeJS.ErrnoException) => {
            assert.strictEqual(error.code, "ENOSPC")
          })
        )
        const many = range(40).map((number) => report(number + 1))
        for (const one of many) yield* journal.append(one)
        const kept = yield* successor(yield* snapshot(own))
        assert.isBelow(kept.length, many.length)
        assert.deepStrictEqual(kept[0], report(0))
        yield* Effect.promise(() => FileSystem.rm(ballast))
        yield* journal.append(report(100))
        const left = yield* successor(yield* snapshot(own))
        assert.deepStrictEqual(left.at(-1), report(100))
        // What is in memory only is acknowledged like everything else.
        for (const one of [report(0), ...many, report(100)]) yield* journal.acknowledge(one)
        assert.strictEqual(yield* journal.size, 0)
      })
  )
})
