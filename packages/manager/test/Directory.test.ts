import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as FileSystem from "node:fs/promises"
import * as Path from "node:path"
import * as Directory from "@muster/manager/Directory"
import * as Identity from "@muster/manager/Identity"
import { temporaryDirectory } from "./support/ManagerProcess.ts"

const modeOf = (path: string) => Effect.promise(async () => (await FileSystem.stat(path)).mode & 0o777)
const exists = (path: string) =>
  Effect.promise(() =>
    FileSystem.access(path).then(
      () => true,
      () => false
    )
  )

describe("a manager's directory", () => {
  it.effect("is for its user alone, also if it was there with other rights", () =>
    Effect.gen(function* () {
      const parent = yield* temporaryDirectory
      yield* Effect.promise(() => FileSystem.mkdir(Path.join(parent, "open"), { mode: 0o755 }))
      const directory = yield* Directory.prepare(Path.join(parent, "open"))
      for (const path of [directory.root, directory.journal, directory.logs, directory.work]) {
        assert.strictEqual(yield* modeOf(path), 0o700)
      }
    })
  )

  it.effect("that cannot be made is named with the reason", () =>
    Effect.gen(function* () {
      const parent = yield* temporaryDirectory
      const path = Path.join(parent, "file", "manager")
      yield* Effect.promise(() => FileSystem.writeFile(Path.join(parent, "file"), ""))
      const error = yield* Effect.flip(Directory.prepare(path))
      assert.include(error.message, `cannot use ${path}: ENOTDIR`)
    })
  )

  it.effect("gives workers a socket in it, or elsewhere when its path is too long for the kernel", () =>
    Effect.gen(function* () {
      const parent = yield* temporaryDirectory
      const usual = yield* Directory.prepare(Path.join(parent, "short"))
      assert.strictEqual(yield* Directory.socketPath(usual), Path.join(usual.root, "workers.sock"))
      const long = yield* Directory.prepare(Path.join(parent, "x".repeat(120)))
      const path = yield* Effect.scoped(
        Effect.gen(function* () {
          const elsewhere = yield* Directory.socketPath(long)
          assert.isAtMost(Buffer.byteLength(elsewhere), 107)
          assert.strictEqual(yield* modeOf(Path.dirname(elsewhere)), 0o700)
          return elsewhere
        })
      )
      assert.isFalse(yield* exists(Path.dirname(path)))
    })
  )

  it.effect("keeps the manager's id, and one that is damaged is not replaced in silence", () =>
    Effect.gen(function* () {
      const directory = yield* Directory.prepare(yield* temporaryDirectory)
      const id = yield* Identity.load(directory)
      assert.strictEqual(yield* Identity.load(directory), id)
      yield* Effect.promise(() => FileSystem.writeFile(directory.identity, "not an id\n"))
      const error = yield* Effect.flip(Identity.load(directory))
      assert.include(error.message, `it holds "not an id", which is no manager id`)
    })
  )
})
