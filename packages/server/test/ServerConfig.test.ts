import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Redacted } from "effect"
import * as ServerConfig from "../src/ServerConfig.ts"

const parse = (env: Record<string, string>) => ServerConfig.config.parse(ConfigProvider.fromEnv({ env }))

describe("settings of a coordinator", () => {
  it.effect("all have a name, a value for people and an origin, and hide what is secret", () =>
    Effect.gen(function* () {
      const url = "postgres://me:hush@db/muster?password=hush"
      const config = yield* parse({ MUSTER_DATABASE_URL: url, MUSTER_PORT: "7118", MUSTER_ADMIN_TOKEN: "hush" })
      assert.strictEqual(Redacted.value(config.database.url), url)
      const settings = ServerConfig.settingsOf(config)
      assert.deepStrictEqual(
        settings.map(({ name }) => name),
        [...ServerConfig.variables]
      )
      const of = (name: string) => settings.find((setting) => setting.name === name)
      assert.deepStrictEqual(of("MUSTER_PORT"), { name: "MUSTER_PORT", value: "7118", origin: "environment" })
      assert.deepStrictEqual(of("MUSTER_HOST"), { name: "MUSTER_HOST", value: "127.0.0.1", origin: "default" })
      assert.notInclude(JSON.stringify(settings), "hush")
    })
  )

  it.effect("are shown completely: whatever is read from the environment has a line", () =>
    Effect.gen(function* () {
      const asked = new Set<string>()
      const given = ConfigProvider.fromEnv({ env: { MUSTER_DATABASE_URL: "postgres://db/muster" } })
      const provider = ConfigProvider.make((path) => {
        asked.add(path.join("_"))
        return given.load(path)
      })
      yield* ServerConfig.config.parse(provider)
      assert.deepStrictEqual(
        [...asked].filter((name) => !ServerConfig.variables.includes(name)),
        []
      )
    })
  )
})
