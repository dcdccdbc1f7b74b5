import { PgClient } from "@effect/sql-pg"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, Redacted } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { chmodSync, chownSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Database from "../src/Database.ts"
import * as DatabaseTls from "../src/DatabaseTls.ts"
import * as EmbeddedPostgres from "../src/EmbeddedPostgres.ts"
import * as Certificates from "./support/Certificates.ts"
import { eventually } from "./support/Eventually.ts"
import * as Muster from "./support/Muster.ts"
import * as Postgres from "./support/Postgres.ts"

const directory = Effect.acquireRelease(
  Effect.sync(() => {
    const path = mkdtempSync(join(tmpdir(), "muster-database-tls-"))
    // As root, Postgres runs as another user.
    chmodSync(path, 0o755)
    return path
  }),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const fromUrl = (url: string) => DatabaseTls.fromUrl(new URL(url))

describe("TLS in a database URL", () => {
  for (const url of [
    "postgres://u@127.0.0.1/d",
    "postgres://u@localhost:5432/d",
    "postgres://u@[::1]/d",
    "postgres:///d?host=/run/postgresql",
    "postgres://u@%2Frun%2Fpostgresql/d",
    "postgres://u@db.example.org/d?sslmode=disable"
  ]) {
    it.effect(`goes without for ${url}`, () =>
      Effect.map(fromUrl(url), (ssl) => {
        assert.isFalse(ssl)
      })
    )
  }

  for (const mode of ["require", "verify-ca", "verify-full"]) {
    it.effect(`checks the certificate for sslmode=${mode}`, () =>
      Effect.map(fromUrl(`postgres://u@db.example.org/d?sslmode=${mode}&sslrootcert=system`), (ssl) => {
        assert.deepStrictEqual(ssl, { rejectUnauthorized: true, minVersion: "TLSv1.2" })
      })
    )
  }

  for (const [says, query] of [
    ["does not say whether over TLS: add sslmode=verify-full", ""],
    ["may end without TLS", "sslmode=prefer"],
    ["may end without TLS", "sslmode=allow"],
    ["sslmode=VERIFY-FULL", "sslmode=VERIFY-FULL"],
    ["has ssl, which is not supported", "ssl=true"],
    ["has sslcrl, which is not supported", "sslmode=verify-full&sslcrl=/x"],
    ["has channel_binding, which is not supported", "sslmode=verify-full&channel_binding=require"],
    ["has gssencmode, which is not supported", "gssencmode=require"],
    ["has sslrootcert without TLS", "sslrootcert=/x"],
    ["sslrootcert=/nowhere", "sslmode=verify-full&sslrootcert=/nowhere"],
    ["which belong together", "sslmode=verify-full&sslcert=/dev/null"]
  ] as const) {
    it.effect(`is refused where it is less than it seems: ${query === "" ? "nothing said" : query}`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(fromUrl(`postgres://me:secret@db.example.org/d?${query}`))
        assert.include(error.message, says)
        assert.notInclude(error.message, "secret")
      })
    )
  }
})

/** A Postgres that speaks TLS. */
const securePostgres = Effect.gen(function* () {
  const path = yield* directory
  const authority = Certificates.authority()
  const running = yield* EmbeddedPostgres.start({ dataDir: join(path, "data") })
  const { cert, key } = Certificates.server(authority)
  const inside = join(running.directory, "data")
  const { gid, uid } = statSync(inside)
  const files = { cert: join(inside, "tls.crt"), key: join(inside, "tls.key") }
  for (const [file, content] of [
    [files.cert, cert],
    [files.key, key]
  ] as const) {
    writeFileSync(file, content, { mode: 0o600 })
    chownSync(file, uid, gid)
  }
  yield* Effect.gen(function* () {
    const sql = yield* SqlClient
    for (const [name, value] of [
      ["ssl_cert_file", files.cert],
      ["ssl_key_file", files.key],
      ["ssl", "on"]
    ] as const) {
      yield* sql.unsafe(`alter system set ${name} = '${value}'`)
    }
    yield* sql`select pg_reload_conf()`
  }).pipe(Effect.provide(PgClient.layer({ url: running.url }), { local: true }))
  return { path, authority, url: Redacted.value(running.url) }
})

describe("a database over TLS", () => {
  it.live("is spoken to when its certificate is good, and not at all otherwise", () =>
    Effect.gen(function* () {
      const { authority, path, url } = yield* securePostgres
      const ours = Certificates.save(path, "ours", authority).cert
      const others = Certificates.save(path, "others", Certificates.authority()).cert
      const settings = (query: Readonly<Record<string, string>>) => {
        const to = new URL(url)
        for (const [name, value] of Object.entries(query)) to.searchParams.set(name, value)
        // Waiting would not help, and would last longer than the test may.
        return Muster.settings(Redacted.make(to.href), { waitFor: Duration.minutes(10) })
      }
      const connect = (query: Readonly<Record<string, string>>) =>
        Effect.scoped(
          Effect.gen(function* () {
            const context = yield* Layer.build(Layer.fresh(Database.layer(settings(query))))
            const [row] = yield* Effect.provideContext(
              Effect.flatMap(
                SqlClient,
                (sql) => sql<{ ssl: boolean }>`select ssl from pg_stat_ssl where pid = pg_backend_pid()`
              ),
              context
            )
            return row?.ssl
          })
        )

      // It takes a moment until the server has read its settings.
      yield* eventually(
        Effect.exit(connect({ sslmode: "verify-full", sslrootcert: ours })),
        ({ _tag }) => _tag === "Success"
      )
      for (const sslmode of ["require", "verify-ca", "verify-full"]) {
        assert.isTrue(yield* connect({ sslmode, sslrootcert: ours }))
      }
      assert.isFalse(yield* connect({ sslmode: "disable" }))
      for (const query of [
        { sslmode: "verify-full" },
        { sslmode: "require" },
        { sslmode: "verify-full", sslrootcert: others }
      ]) {
        const error = yield* Effect.flip(connect(query))
        assert.include(
          error.message,
          "its certificate is signed by an authority that is not known here; name its file in the URL (sslrootcert=FILE)"
        )
      }
    }).pipe(Effect.scoped)
  )

  it.live("is not spoken to in the clear when it does not speak TLS", () =>
    Effect.gen(function* () {
      const { url } = yield* Postgres.TestDatabase
      const to = new URL(Redacted.value(url))
      to.searchParams.set("sslmode", "verify-full")
      const settings = Muster.settings(Redacted.make(to.href), { waitFor: Duration.minutes(10) })
      const error = yield* Effect.flip(Effect.scoped(Layer.build(Layer.fresh(Database.layer(settings)))))
      assert.include(error.message, "does not support TLS")
    }).pipe(Effect.provide(Postgres.layer))
  )
})
