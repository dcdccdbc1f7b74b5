import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Profile from "../src/Profile.ts"

const directory = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "muster-profile-"))),
  (path) => Effect.promise(() => rm(path, { recursive: true }))
)

describe("the data directory", () => {
  it("is what the environment says, else where the system keeps such data", () => {
    assert.strictEqual(Profile.dataDirectory({ MUSTER_DATA_DIR: "/d", XDG_DATA_HOME: "/x" }), "/d")
    assert.strictEqual(Profile.defaultDataDirectory({ XDG_DATA_HOME: "/x", HOME: "/h" }, false), "/x/muster")
    assert.strictEqual(Profile.defaultDataDirectory({ HOME: "/h" }, false), "/h/.local/share/muster")
    assert.strictEqual(Profile.defaultDataDirectory({ HOME: "/root" }, true), "/var/lib/muster")
  })
})

describe("the profile", () => {
  it.effect("is written for its owner alone and read back", () =>
    Effect.gen(function* () {
      const path = yield* directory
      assert.deepStrictEqual(yield* Profile.read(path), {})
      yield* Profile.write(path, { url: "http://127.0.0.1:1", token: "t" })
      assert.deepStrictEqual(yield* Profile.read(path), { url: "http://127.0.0.1:1", token: "t" })
      const { mode } = yield* Effect.promise(() => stat(Profile.path(path)))
      assert.strictEqual(mode & 0o777, 0o600)
    })
  )

  it.effect("that is damaged is named in one line", () =>
    Effect.gen(function* () {
      const path = yield* directory
      yield* Effect.promise(() => writeFile(Profile.path(path), "{"))
      const error = yield* Effect.flip(Profile.read(path))
      assert.isTrue(error.message.startsWith(`cannot use ${Profile.path(path)}: `), error.message)
      assert.notInclude(error.message, "\n")
    })
  )

  it.effect("gives way to the environment, and that to what is given", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const environment = { MUSTER_DATA_DIR: path }
      const missing = yield* Effect.flip(Profile.resolve(environment))
      assert.strictEqual(missing.message, `no url is given: MUSTER_URL is not set and ${Profile.path(path)} has none`)
      yield* Profile.write(path, { url: "profile", token: "profile" })
      assert.deepStrictEqual(yield* Profile.resolve(environment), { url: "profile", token: "profile" })
      const withUrl = { ...environment, MUSTER_URL: "environment" }
      assert.deepStrictEqual(yield* Profile.resolve(withUrl), { url: "environment", token: "profile" })
      assert.deepStrictEqual(yield* Profile.resolve(withUrl, { url: "given" }), { url: "given", token: "profile" })
    })
  )
})
