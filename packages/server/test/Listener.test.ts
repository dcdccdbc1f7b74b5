import { chmodSync, mkdtempSync, rmSync } from "node:fs"
import { createServer, get } from "node:http"
import { connect } from "node:net"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { connect as connectTls } from "node:tls"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect } from "effect"
import * as Connections from "../src/Limits/Connections.ts"
import { Counters } from "../src/Limits/Counters.ts"
import { defaults } from "../src/Limits/Limits.ts"
import * as Listener from "../src/Listener.ts"
import * as ServerConfig from "../src/ServerConfig.ts"
import * as Tls from "../src/Tls.ts"
import * as Certificates from "./support/Certificates.ts"
import { eventually } from "./support/Eventually.ts"

const directory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "muster-listener-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

const configOf = (env: Readonly<Record<string, string>>) =>
  ServerConfig.config.parse(ConfigProvider.fromEnv({ env: { MUSTER_DATABASE_URL: "postgres://h/d", ...env } }))

/** What a coordinator with these settings says of where it would listen. */
const checked = (env: Readonly<Record<string, string>>) => Effect.flatMap(configOf(env), Listener.check)

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

describe("the limits of connections over TLS", () => {
  it.live("close what is too many, and what speaks no TLS, and serve the others", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const ours = Certificates.authority()
      const { cert, key } = Certificates.save(path, "server", Certificates.server(ours))
      const { limits, tls } = yield* configOf({
        MUSTER_TLS_CERT: cert,
        MUSTER_TLS_KEY: key,
        MUSTER_LIMIT_CONNECTIONS_PER_ADDRESS: "2"
      })
      const counters = new Counters()
      const server = yield* Tls.makeServer(tls, Connections.serverOptions(limits))
      Connections.guard(server, limits, counters, true)
      server.on("request", (_request, response) => response.end("served"))
      yield* Effect.acquireRelease(
        Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
        () => Effect.sync(() => server.closeAllConnections())
      )
      yield* Effect.addFinalizer(() => Effect.sync(() => server.close()))
      const address = server.address()
      const port = typeof address === "object" && address !== null ? address.port : 0

      const dial = (isTls: boolean) =>
        Effect.acquireRelease(
          Effect.sync(() => {
            const socket = isTls
              ? connectTls({ host: "127.0.0.1", port, ca: ours.cert })
              : connect({ host: "127.0.0.1", port })
            let text = ""
            socket.on("data", (chunk) => {
              text += chunk.toString("latin1")
            })
            socket.on("error", () => {})
            return { socket, text: () => text }
          }),
          ({ socket }) => Effect.sync(() => socket.destroy())
        )
      const until = (condition: () => boolean) => eventually(Effect.sync(condition), (holds) => holds)

      const first = yield* dial(true)
      const plain = yield* dial(false)
      yield* until(() => counters.connections === 2)
      const third = yield* dial(true)
      yield* until(() => third.socket.destroyed)
      assert.strictEqual(counters.refused.get("connections_per_address"), 1)
      plain.socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n")
      yield* until(() => plain.socket.destroyed && counters.connections === 1)
      assert.notInclude(plain.text(), "HTTP/1.1")
      first.socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n")
      yield* until(() => first.text().endsWith("served"))
    }).pipe(Effect.scoped)
  )
})

describe("a port that is open", () => {
  it.live("answers before there are routes, and leaves the answer to them when there are", () =>
    Effect.gen(function* () {
      const server = Connections.guard(createServer(), defaults, new Counters())
      yield* Effect.acquireRelease(
        Effect.callback<void>((resume) => {
          server.listen(0, "127.0.0.1", () => resume(Effect.void))
        }),
        () => Effect.sync(() => server.close())
      )
      const { port } = server.address() as AddressInfo // it listens on a port
      const ask = Effect.promise(async () => {
        const response = await fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(5_000) })
        return { status: response.status, text: await response.text() }
      })
      const early = yield* ask
      assert.strictEqual(early.status, 503)
      assert.include(early.text, "the coordinator is starting or stopping; try again")
      const upgrade = yield* Effect.callback<number | undefined>((resume) => {
        const request = get({ port, host: "127.0.0.1", headers: { connection: "upgrade", upgrade: "websocket" } })
        request.once("response", ({ statusCode }) => resume(Effect.succeed(statusCode)))
      }).pipe(Effect.timeout("5 seconds"))
      assert.strictEqual(upgrade, 503)
      server.on("request", (_request, response) => void response.end("routes"))
      assert.deepStrictEqual(yield* ask, { status: 200, text: "routes" })
    })
  )
})
