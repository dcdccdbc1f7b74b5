import { assert, layer } from "@effect/vitest"
import { PgClient } from "@effect/sql-pg"
import { Effect, Layer, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { SqlClient } from "effect/sql/SqlClient"
import * as Tokens from "../../src/Auth/Tokens.ts"
import * as Muster from "../support/Muster.ts"

const token = Effect.flatMap(Tokens.Tokens, (tokens) => tokens.create({ name: "ci", role: "admin" }))

/** Another coordinator on the same database. */
const otherCoordinator = Effect.flatMap(PgClient.PgClient, (client) =>
  Effect.provide(Tokens.make, Layer.succeed(SqlClient, client))
)

/** Tokens on a database that can be taken away. */
const breakable = Effect.gen(function* () {
  const client = yield* PgClient.PgClient
  let isThere = true
  let queries = 0
  const tokens = yield* Tokens.make.pipe(
    Effect.provideService(
      SqlClient,
      new Proxy(client, {
        get: (target, key: keyof PgClient.PgClient) => {
          if (key !== "unsafe") return target[key]
          queries++
          return isThere ? target.unsafe.bind(target) : () => unreachable
        }
      })
    )
  )
  return {
    tokens,
    queries: () => queries,
    setThere: (there: boolean) => {
      isThere = there
    }
  }
})

/** What the driver gives when nobody listens. */
const unreachable = Effect.flatMap(PgClient.PgClient, (client) => client`select 1`).pipe(
  Effect.provide(PgClient.layer({ url: Redacted.make("postgres://nobody@127.0.0.1:1/none") }), { local: true })
)

layer(Tokens.layer.pipe(Layer.provideMerge(Muster.layer)))("tokens", (it) => {
  it.effect("let in whoever has the secret, and keep nothing but its hash", () =>
    Effect.gen(function* () {
      const tokens = yield* Tokens.Tokens
      const sql = yield* SqlClient
      const made = yield* tokens.create({ name: "deploy", role: "admin" })
      assert.match(made.token, /^mst_admin_[\w-]{43}$/)
      assert.deepStrictEqual(yield* tokens.verify(Redacted.make(made.token)), { role: "admin", name: "token:deploy" })
      const rows = yield* sql`select * from tokens`
      assert.notInclude(JSON.stringify(rows), made.token)
      const listed = (yield* tokens.list).find(({ name }) => name === "deploy")
      assert.deepStrictEqual(listed, { name: "deploy", role: "admin", createdAt: made.createdAt, expiresAt: null })
    })
  )

  it.effect("refuse any other secret, and do not repeat it", () =>
    Effect.gen(function* () {
      const tokens = yield* Tokens.Tokens
      for (const secret of ["", "mst_admin_guess", "\u0000", "x".repeat(100_000)]) {
        const refused = yield* Effect.flip(tokens.verify(Redacted.make(secret)))
        assert.strictEqual(refused._tag, "Unauthorized")
        if (secret !== "") assert.notInclude(refused.message, secret)
      }
    })
  )

  it.effect("have names of their own", () =>
    Effect.gen(function* () {
      const tokens = yield* Tokens.Tokens
      yield* tokens.create({ name: "twice", role: "enrolment" })
      const refused = yield* Effect.flip(tokens.create({ name: "twice", role: "admin" }))
      assert.strictEqual(refused._tag, "TokenNameTaken")
    })
  )

  it.effect("are refused at once where they were revoked, and within a second everywhere", () =>
    Effect.gen(function* () {
      const here = yield* Tokens.Tokens
      const there = yield* otherCoordinator
      const made = yield* token
      const secret = Redacted.make(made.token)
      yield* here.verify(secret)
      yield* there.verify(secret)
      assert.isTrue(yield* here.revoke("ci"))
      assert.isFalse(yield* here.revoke("ci"))
      assert.strictEqual((yield* Effect.flip(here.verify(secret)))._tag, "Unauthorized")
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Effect.flip(there.verify(secret)))._tag, "Unauthorized")
    })
  )

  it.effect("cost one query a second, however busy they are", () =>
    Effect.gen(function* () {
      const { queries, tokens } = yield* breakable
      const { token: secret } = yield* tokens.create({ name: "busy", role: "enrolment" })
      const before = queries()
      const verify = tokens.verify(Redacted.make(secret))
      yield* Effect.all(
        Array.from({ length: 500 }, () => verify),
        { concurrency: "unbounded", discard: true }
      )
      assert.strictEqual(queries() - before, 1)
      yield* TestClock.adjust("1 second")
      yield* verify
      yield* verify
      assert.strictEqual(queries() - before, 2)
    })
  )

  it.effect("stay good for a while when the database is away, if they were", () =>
    Effect.gen(function* () {
      const { setThere, tokens } = yield* breakable
      const { token: secret } = yield* tokens.create({ name: "patient", role: "enrolment" })
      const verify = tokens.verify(Redacted.make(secret))
      yield* verify
      setThere(false)
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual((yield* verify).name, "token:patient")
      const unknown = yield* Effect.flip(tokens.verify(Redacted.make("mst_admin_never_seen")))
      assert.strictEqual(unknown._tag, "Unavailable")
      yield* TestClock.adjust("31 seconds")
      assert.strictEqual((yield* Effect.flip(verify))._tag, "Unavailable")
      setThere(true)
      assert.strictEqual((yield* verify).name, "token:patient")
    })
  )

  it.effect("expire", () =>
    Effect.gen(function* () {
      const tokens = yield* Tokens.Tokens
      const sql = yield* SqlClient
      const { token: secret } = yield* tokens.create({ name: "short", role: "admin" })
      const verify = tokens.verify(Redacted.make(secret))
      yield* TestClock.setTime(1_000_000)
      yield* sql`update tokens set expires_at = ${new Date(1_060_000)} where name = 'short'`
      yield* verify
      yield* TestClock.setTime(1_060_000)
      const refused = yield* Effect.flip(verify)
      assert.strictEqual(refused.message, "the token has expired")
    })
  )

  it.effect("are what the operator has set, at every start", () =>
    Effect.gen(function* () {
      const tokens = yield* otherCoordinator
      const first = Redacted.make("chosen by the operator".replaceAll(" ", "-"))
      const second = Redacted.make("another-secret-of-the-operator")
      const seed = (secret: Redacted.Redacted, name = Tokens.firstAdmin) => tokens.seed({ name, role: "admin", secret })
      yield* seed(first)
      yield* seed(first)
      assert.deepStrictEqual(yield* tokens.verify(first), { role: "admin", name: "admin" })
      yield* seed(second)
      assert.strictEqual((yield* tokens.verify(second)).name, "admin")
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Effect.flip(tokens.verify(first)))._tag, "Unauthorized")
      yield* seed(second, "renamed")
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* tokens.verify(second)).name, "token:renamed")
    })
  )

  it.effect("may be set by several coordinators that start at once", () =>
    Effect.gen(function* () {
      const coordinators = yield* Effect.all([otherCoordinator, otherCoordinator, otherCoordinator])
      const secret = Redacted.make("the-same-for-all-of-them")
      yield* Effect.forEach(coordinators, (tokens) => tokens.seed({ name: "shared", role: "enrolment", secret }), {
        concurrency: "unbounded"
      })
      const tokens = yield* Tokens.Tokens
      assert.deepStrictEqual(yield* tokens.verify(secret), { role: "enrolment", name: "token:shared" })
    })
  )

  it.effect("are not made of secrets that can be guessed, which are not repeated either", () =>
    Effect.gen(function* () {
      const tokens = yield* Tokens.Tokens
      for (const secret of ["", "hunter2", "with spaces in between", "fünfzehn-zeichen-"]) {
        const refused = yield* Effect.flip(tokens.seed({ name: "weak", role: "admin", secret: Redacted.make(secret) }))
        assert.strictEqual(refused._tag, "InvalidInput")
        if (secret !== "") assert.notInclude(refused.message, secret)
      }
    })
  )
})
