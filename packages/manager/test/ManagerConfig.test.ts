import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Redacted } from "effect"
import { readFileSync } from "node:fs"
import * as ManagerConfig from "@muster/manager/ManagerConfig"
import { version } from "@muster/domain/Version"

const needed = {
  MUSTER_URL: "http://one:7117, https://two/muster/",
  MUSTER_TOKEN: "secret",
  MUSTER_WORKER_COMMAND: `["node", "worker.js"]`
}

const load = (env: Readonly<Record<string, string>>, given?: Partial<ManagerConfig.Settings>) =>
  ManagerConfig.load(given).pipe(
    Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromEnvRecord({ ...needed, ...env }))
  )

const complaint = (env: Readonly<Record<string, string>>, given?: Partial<ManagerConfig.Settings>) =>
  Effect.map(Effect.flip(load(env, given)), ({ message }) => message)

describe("the settings of a manager", () => {
  it.effect("come from the program, then from the environment, then from the defaults", () =>
    Effect.gen(function* () {
      const config = yield* load(
        { MUSTER_MANAGER_WORKERS: "3", MUSTER_MANAGER_TAGS: "gpu, cuda:12 ,," },
        { name: "box" }
      )
      assert.strictEqual(config.name, "box")
      assert.strictEqual(config.workers, 3)
      assert.deepStrictEqual(config.tags, ["gpu", "cuda:12"])
      assert.deepStrictEqual(config.workerCommand, ["node", "worker.js"])
      assert.deepStrictEqual([config.reconnectMin, config.reconnectMax, config.shutdownLimit], [1_000, 60_000, 25_000])
      assert.strictEqual(Redacted.value(config.token), "secret")
      assert.notInclude(JSON.stringify(config), "secret")
    })
  )

  it.effect("name the WebSocket addresses of all coordinators", () =>
    Effect.gen(function* () {
      const { urls } = yield* load({})
      assert.deepStrictEqual(urls, ["ws://one:7117/ws/managers", "wss://two/muster/ws/managers"])
    })
  )

  for (const [variable, value, expected] of [
    ["MUSTER_URL", "ftp://host", "one or more addresses such as http://host:7117 or wss://host, separated by commas"],
    ["MUSTER_MANAGER_WORKERS", "0", "a whole number from 1 to 256"],
    ["MUSTER_MANAGER_WORKERS", "257", "a whole number from 1 to 256"],
    ["MUSTER_MANAGER_WORKERS", "two", "a whole number from 1 to 256"],
    ["MUSTER_MANAGER_NAME", "two\nlines", "a single line of 1 to 255 characters"],
    ["MUSTER_MANAGER_TAGS", "a b", "up to 64 words of at most 128 characters each, separated by commas"],
    ["MUSTER_LEASE_WAIT", "6m", "a duration from 10ms to 5m"],
    ["MUSTER_JOURNAL_LIMIT", "1Ki", "a size from 64Ki to 1Ti"],
    ["MUSTER_WORKER_COMMAND", "node", `a program with its arguments as JSON, such as ["node", "worker.js"]`],
    ["MUSTER_HANDLERS", "/no/such/module.ts", "the path of a module that exists, or nothing"]
  ] as const) {
    it.effect(`refuse ${variable} = ${JSON.stringify(value)} and say what is allowed`, () =>
      Effect.gen(function* () {
        assert.strictEqual(
          yield* complaint({ [variable]: value }),
          `${variable} is ${JSON.stringify(value)}; allowed: ${expected}`
        )
      })
    )
  }

  it.effect("refuse what a program gives by the same rules", () =>
    Effect.gen(function* () {
      assert.strictEqual(
        yield* complaint({}, { workers: 1.5 }),
        `MUSTER_MANAGER_WORKERS is "1.5"; allowed: a whole number from 1 to 256`
      )
    })
  )

  it.effect("say what is missing", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        ManagerConfig.load().pipe(
          Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromEnvRecord({ MUSTER_URL: "http://a" }))
        )
      )
      assert.strictEqual(error.message, "MUSTER_TOKEN is not set; it must be the enrolment token")
    })
  )

  it("carry the version of the package", () => {
    const manifest: unknown = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"))
    assert.propertyVal(manifest, "version", version)
  })
})
