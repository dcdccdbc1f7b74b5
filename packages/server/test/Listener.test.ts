import { chmodSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect } from "effect"
import * as Listener from "../src/Listener.ts"
import * as ServerConfig from "../src/ServerConfig.ts"
import * as Certificates from "./support/Certificates.ts"

const directory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "muster-listener-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

/** What a coordinator with these settings says of where it would listen. */
const checked = (env: Readonly<Record<string, string>>) =>
  Effect.flatMap(
    ServerConfig.config.parse(ConfigProvider.fromEnv({ env: { MUSTER_DATABASE_URL: "postgres://h/d", ...env } })),
    Listener.check
  )

describe("where a coordinator may listen", () => {
  for (const host of ["127.0.0.1", "127.8.8.8", "localhost", "::1"]) {
    it.effect(`${host} needs no certificate`, () => checked({ MUSTER_HOST: host }))
  }

  for (const host of ["0.0.0.0", "::", "192.168.1.7", "coordinator.example.org", "127.0.0.1.example.org"]) {
    it.effect(`${JSON.stringify(host)} needs one, unless the operator says otherwise`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(checked({ MUSTER_HOST: host }))
        assert.strictEqual(error._tag, "CleartextRefused")
        assert.include(error.message, JSON.stringify(host))
        assert.include(error.message, "MUSTER_TLS_CERT")
        assert.include(error.message, "MUSTER_ALLOW_CLEARTEXT=true")
        yield* checked({ MUSTER_HOST: host, MUSTER_ALLOW_CLEARTEXT: "true" })
      })
    )
  }

  it.effect("takes a certificate with its key for any address, and names what is wrong with one in one line", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const ours = Certificates.authority()
      const { cert, key } = Certificates.save(path, "server", Certificates.server(ours))
      const other = Certificates.save(path, "other", Certificates.server(ours))
      const open = Certificates.save(path, "open", Certificates.server(ours))
      chmodSync(open.key, 0o644)
      const good = { MUSTER_HOST: "0.0.0.0", MUSTER_TLS_CERT: cert, MUSTER_TLS_KEY: key }
      yield* checked(good)
      yield* checked({ ...good, MUSTER_TLS_MANAGER_CA: cert })

      const cases: ReadonlyArray<readonly [says: RegExp, env: Readonly<Record<string, string>>]> = [
        [/^MUSTER_TLS_KEY is not set/, { MUSTER_TLS_CERT: cert }],
        [/^MUSTER_TLS_CERT is not set/, { MUSTER_TLS_KEY: key }],
        [/^MUSTER_TLS_CERT is not set/, { MUSTER_TLS_MANAGER_CA: cert }],
        [/^MUSTER_TLS_KEY .* is not the key of the certificate/, { ...good, MUSTER_TLS_KEY: other.key }],
        [/everybody on this machine may read it; `chmod o= /, { MUSTER_TLS_CERT: open.cert, MUSTER_TLS_KEY: open.key }],
        [/^MUSTER_TLS_CERT .*there is no such file/, { ...good, MUSTER_TLS_CERT: join(path, "nowhere") }],
        [/^MUSTER_TLS_CERT .* cannot be used/, { ...good, MUSTER_TLS_CERT: key }],
        [/^MUSTER_TLS_MANAGER_CA .* cannot be used/, { ...good, MUSTER_TLS_MANAGER_CA: key }]
      ]
      for (const [says, env] of cases) {
        const { message } = yield* Effect.flip(checked(env))
        assert.match(message, says)
        assert.notInclude(message, "\n")
      }
    })
  )
})
