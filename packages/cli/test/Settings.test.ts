import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Profile from "@muster/client/Profile"
import * as Settings from "../src/Settings.ts"

const directory = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "muster-settings-"))),
  (path) => Effect.promise(() => rm(path, { recursive: true }))
)

describe("a setting", () => {
  it.effect("comes from the flag, else the environment, else the profile, else the default", () =>
    Effect.gen(function* () {
      const dataDir = yield* directory
      const environment = { MUSTER_DATA_DIR: dataDir }
      const url = (flags: Settings.Flags, more: Profile.Environment = {}) =>
        Effect.map(Settings.resolve(flags, { ...environment, ...more }), (settings) => settings.url)

      assert.deepStrictEqual(yield* url({}), { value: "http://127.0.0.1:7117", origin: "default", detail: "" })
      yield* Profile.write(dataDir, { url: "http://profile", token: "t" })
      const file = Profile.path(dataDir)
      assert.deepStrictEqual(yield* url({}), { value: "http://profile", origin: "profile", detail: file })
      const variable = { MUSTER_URL: "http://environment" }
      assert.deepStrictEqual(yield* url({}, variable), {
        value: "http://environment",
        origin: "environment",
        detail: "MUSTER_URL"
      })
      assert.deepStrictEqual(yield* url({ url: "http://flag" }, variable), {
        value: "http://flag",
        origin: "flag",
        detail: "--url"
      })
      // An empty variable is one that is not set.
      assert.strictEqual((yield* url({}, { MUSTER_URL: "" })).origin, "profile")
    })
  )

  it.effect("that names the data directory also decides which profile is read", () =>
    Effect.gen(function* () {
      const one = yield* directory
      const other = yield* directory
      yield* Profile.write(other, { token: "of-the-other" })
      const settings = yield* Settings.resolve({ dataDir: other }, { MUSTER_DATA_DIR: one })
      assert.strictEqual(settings.token.value, "of-the-other")
      assert.strictEqual(settings.dataDir.origin, "flag")
    })
  )

  it.effect("of the environment that is not allowed is refused by its name", () =>
    Effect.gen(function* () {
      const dataDir = yield* directory
      const error = yield* Effect.flip(Settings.resolve({}, { MUSTER_DATA_DIR: dataDir, MUSTER_OUTPUT: "xml" }))
      assert.strictEqual(error.message, 'MUSTER_OUTPUT is "xml"; allowed: table, json, jsonl, ids')
    })
  )
})
