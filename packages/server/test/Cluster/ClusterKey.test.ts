/**
 * Who may speak to a coordinator's port for other coordinators: nobody without the key in their database.
 */
import { connect as connectPlain, createServer } from "node:net"
import type { Socket } from "node:net"
import { inspect } from "node:util"
import { connect, createServer as createTlsServer } from "node:tls"
import type { ConnectionOptions } from "node:tls"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import * as ClusterKey from "../../src/ClusterKey.ts"
import * as Actors from "../support/Actors.ts"
import * as Certificates from "../support/Certificates.ts"
import * as Coordinators from "../support/Coordinators.ts"

const ping = `{"_tag":"Request","id":"1","tag":"Ping","payload":null,"headers":[]}\n`

/** Longer than the server waits for a handshake. */
const patience = "15 seconds"

/** What the other end says to a ping: an answer, or nothing because it closes the connection. */
const answerTo = (open: () => Socket) =>
  Effect.callback<string>((resume) => {
    const socket = open()
    socket.on("data", (data) => {
      resume(Effect.succeed(data.toString()))
      socket.destroy()
    })
    // Who refuses may say so by a reset.
    socket.on("error", () => undefined)
    socket.on("close", () => resume(Effect.succeed("")))
    socket.write(ping)
    return Effect.sync(() => socket.destroy())
  }).pipe(Effect.timeout(patience))

const freePort = Effect.callback<number>((resume) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const address = server.address()
    const port = address !== null && typeof address === "object" ? address.port : 0
    server.close(() => resume(Effect.succeed(port)))
  })
})

const provided = Effect.provide(Actors.storeLayer, { local: true })

describe("the port for other coordinators", () => {
  it.live("answers who has the key of the database, and nobody else", () =>
    Effect.gen(function* () {
      const port = yield* freePort
      const { output } = yield* Coordinators.start({ MUSTER_CLUSTER_PORT: String(port) })
      const key = yield* ClusterKey.load
      const at = { host: "127.0.0.1", port }
      const secure = (options: ConnectionOptions) => () => connect({ ...options, ...at })
      const { cert, key: privateKey } = Certificates.server(Certificates.authority())

      assert.include(yield* answerTo(secure(ClusterKey.toConnect(key))), `"_tag":"Success"`)

      const others: ReadonlyArray<() => Socket> = [
        () => connectPlain(at),
        secure({ rejectUnauthorized: false }),
        secure({ rejectUnauthorized: false, cert, key: privateKey }),
        secure(ClusterKey.toConnect(Redacted.make(Buffer.alloc(32)))),
        secure({ ...ClusterKey.toConnect(key), pskCallback: () => ({ psk: Redacted.value(key), identity: "me" }) }),
        secure({ ...ClusterKey.toConnect(key), minVersion: "TLSv1.2", maxVersion: "TLSv1.2", ciphers: "PSK" })
      ]
      for (const answer of yield* Effect.forEach(others, answerTo, { concurrency: "unbounded" })) {
        assert.strictEqual(answer, "")
      }
      // They have not been able to harm it.
      assert.include(yield* answerTo(secure(ClusterKey.toConnect(key))), `"_tag":"Success"`)
      assert.notInclude(output(), Buffer.from(Redacted.value(key)).toString("hex"))
      assert.notMatch(output(), /ERROR|FATAL/)
    }).pipe(Effect.scoped, provided)
  )

  it.live("is not believed when somebody else listens there, whatever certificate they show", () =>
    Effect.gen(function* () {
      const trusted = Certificates.authority()
      const { cert, key } = Certificates.server(trusted)
      const heard: Array<string> = []
      const impostor = yield* Effect.acquireRelease(
        Effect.callback<ReturnType<typeof createTlsServer>>((resume) => {
          const server = createTlsServer({ cert, key }, (socket) => {
            socket.on("error", () => undefined)
            socket.on("data", (data) => heard.push(data.toString()))
          })
          server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
        }),
        (server) => Effect.sync(() => server.close())
      )
      const address = impostor.address()
      const port = address !== null && typeof address === "object" ? address.port : 0
      const mine = ClusterKey.toConnect(Redacted.make(Buffer.alloc(32, 1)))
      for (const options of [mine, { ...mine, ca: trusted.cert }]) {
        const answer = yield* answerTo(() => connect({ ...options, host: "127.0.0.1", port }))
        assert.strictEqual(answer, "")
      }
      assert.deepStrictEqual(heard, [])
    }).pipe(Effect.scoped)
  )

  it.effect("has one key for all coordinators of a database", () =>
    Effect.gen(function* () {
      const [one, two] = yield* Effect.all([ClusterKey.load, ClusterKey.load], { concurrency: 2 })
      assert.strictEqual(Redacted.value(one).length, 32)
      assert.deepStrictEqual(Redacted.value(one), Redacted.value(two))
      assert.include(inspect(one) + JSON.stringify(one), "<redacted:cluster key>")
    }).pipe(provided)
  )
})
