import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Duration, Effect, Fiber, Layer, Redacted } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import * as Database from "../src/Database.ts"
import * as CuttingProxy from "./support/CuttingProxy.ts"
import { eventually } from "./support/Eventually.ts"
import * as Muster from "./support/Muster.ts"
import * as Postgres from "./support/Postgres.ts"

const build = (settings: Database.Settings) => Effect.scoped(Layer.build(Layer.fresh(Database.layer(settings))))

/** The test's database as seen through a proxy. */
const throughProxy = Effect.gen(function* () {
  const { url } = yield* Postgres.TestDatabase
  const through = new URL(Redacted.value(url))
  const proxy = yield* CuttingProxy.make({ host: through.hostname, port: Number(through.port) })
  through.host = `127.0.0.1:${proxy.port}`
  return { proxy, url: Redacted.make(through.href) }
})

describe("the database client", () => {
  it.effect("tells every session what it needs", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const show = (name: string) =>
        Effect.map(sql<{ value: string }>`select current_setting(${name}) as value`, (rows) => rows[0]?.value)
      assert.strictEqual(yield* show("search_path"), "muster")
      assert.strictEqual(yield* show("statement_timeout"), "30s")
      assert.strictEqual(yield* show("synchronous_commit"), "on")
      assert.strictEqual(yield* show("TimeZone"), "UTC")
      assert.strictEqual(yield* show("application_name"), "muster")
    }).pipe(Effect.provide(Muster.layer))
  )

  it.live("waits for a server that is not there yet", () =>
    Effect.gen(function* () {
      const { proxy, url } = yield* throughProxy
      yield* proxy.setDown(true)
      const starting = yield* Effect.forkChild(build(Muster.settings(url)))
      yield* eventually(proxy.refused, (count) => count >= 2)
      yield* proxy.setDown(false)
      yield* Fiber.join(starting)
    }).pipe(Effect.provide(Postgres.layer))
  )

  it.live("says where it did not find a server, without the password", () =>
    Effect.gen(function* () {
      const { proxy } = yield* throughProxy
      yield* proxy.setDown(true)
      const url = Redacted.make(`postgres://me:secret@127.0.0.1:${proxy.port}/x`)
      const error = yield* Effect.flip(build(Muster.settings(url, { waitFor: Duration.millis(100) })))
      assert.strictEqual(error._tag, "DatabaseUnreachable")
      if (error._tag !== "DatabaseUnreachable") return
      assert.deepStrictEqual([error.host, error.port], ["127.0.0.1", proxy.port])
      assert.notInclude(JSON.stringify(error) + error.message + String(error.stack), "secret")
    }).pipe(Effect.provide(Postgres.layer))
  )

  it.live("does not wait for what will not come: a database that does not exist", () =>
    Effect.gen(function* () {
      const { url } = yield* Postgres.TestDatabase
      const other = new URL(Redacted.value(url))
      other.pathname = "/nowhere"
      // Waiting would last longer than the test may.
      const settings = Muster.settings(Redacted.make(other.href), { waitFor: Duration.minutes(10) })
      const error = yield* Effect.flip(build(settings))
      assert.strictEqual(error._tag, "DatabaseUnreachable")
      if (error._tag === "DatabaseUnreachable") assert.include(error.reason, `"nowhere" does not exist`)
    }).pipe(Effect.provide(Postgres.layer))
  )

  for (const url of ["localhost:5432", "mysql://me:secret@localhost/x", "postgres://me:secret@local host/x", ""]) {
    it.effect(`refuses ${url === "" ? "an empty URL" : url.replace("secret", "…")} without repeating it`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(build(Muster.settings(Redacted.make(url))))
        assert.strictEqual(error._tag, "DatabaseUrlInvalid")
        assert.include(error.message, "postgres://user:password@host:port/database")
        assert.notInclude(JSON.stringify(error) + error.message, "secret")
      })
    )
  }

  it.effect("refuses a server that is too old", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Database.requireRecent({ number: 140_019, name: "14.19" }))
      assert.deepStrictEqual(error, new Database.DatabaseTooOld({ found: "14.19", required: 15 }))
      yield* Database.requireRecent({ number: 150_000, name: "15.0" })
    })
  )
})

describe("the database settings", () => {
  const parse = (env: Record<string, string>) => Database.config.parse(ConfigProvider.fromEnv({ env }))

  it.effect("come from the environment", () =>
    Effect.gen(function* () {
      const settings = yield* parse({
        MUSTER_DATABASE_URL: "postgres://h/d",
        MUSTER_DATABASE_SCHEMA: "team_a",
        MUSTER_DATABASE_CONNECTIONS: "5",
        MUSTER_DATABASE_WAIT: "2 minutes"
      })
      assert.deepStrictEqual(settings, {
        ...Database.defaults,
        url: Redacted.make("postgres://h/d"),
        schema: "team_a",
        maxConnections: 5,
        waitFor: Duration.minutes(2)
      })
    })
  )

  for (const [name, value] of [
    ["MUSTER_DATABASE_SCHEMA", "Robert'); drop"],
    ["MUSTER_DATABASE_CONNECTIONS", "2"],
    ["MUSTER_DATABASE_CONNECTIONS", "many"]
  ] as const) {
    it.effect(`refuse ${name}=${value} by name`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(parse({ MUSTER_DATABASE_URL: "postgres://h/d", [name]: value }))
        assert.include(error.message, name)
      })
    )
  }
})
