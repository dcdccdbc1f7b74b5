/** Clients that want too much, over real sockets, of a real coordinator. What takes longer is in `Limits.slow.test.ts`. */
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import * as Coordinators from "../support/Coordinators.ts"
import { dial, http, limits, mebibyte, metric, refusals, until } from "../support/Demanding.ts"
import { eventually } from "../support/Eventually.ts"
import * as Muster from "../support/Muster.ts"
import * as RawSocket from "../support/RawSocket.ts"

layer(Muster.layer, { excludeTestServices: true, timeout: "90 seconds" })("the limits of a coordinator", (it) => {
  it.effect("refuse what is too much, and say what is allowed", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const coordinator = yield* Coordinators.start(limits)
        const sql = yield* SqlClient

        // Bodies and messages.
        const large = yield* http(coordinator, "/v1/suites", { method: "POST", body: `"${"x".repeat(100_000)}"` })
        assert.strictEqual(large.status, 413)
        assert.include(large.text, '"limit":65536')
        assert.strictEqual(yield* refusals(coordinator, "body"), 1)
        const rpc = yield* RawSocket.open(`ws://127.0.0.1:${coordinator.port}/rpc`, Coordinators.adminToken)
        rpc.socket.send("x".repeat(3 * mebibyte))
        assert.strictEqual((yield* rpc.closed).code, 1_009)
        assert.strictEqual(yield* refusals(coordinator, "message"), 1)

        // Requests that are answered at once. They wait for a lock that somebody holds.
        yield* Effect.scoped(
          Effect.gen(function* () {
            const held = yield* sql.reserve
            yield* held.executeUnprepared("begin", [], undefined)
            yield* held.executeUnprepared("lock table suites in access exclusive mode", [], undefined)
            const asked = yield* Effect.forEach(Array.from({ length: 12 }), () => dial(coordinator, "127.0.0.5"))
            for (const { socket } of asked) {
              socket.write(
                `GET /v1/suites HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer ${Coordinators.adminToken}\r\n\r\n`
              )
            }
            // The others wait for the lock.
            yield* until(() => asked.filter(({ isClosed }) => isClosed()).length === 4)
            assert.strictEqual(yield* refusals(coordinator, "requests_per_client"), 4)
            // Whoever else asks is answered.
            assert.strictEqual((yield* http(coordinator, "/healthz")).status, 200)
            yield* held.executeUnprepared("rollback", [], undefined)
            yield* until(() => asked.every(({ isClosed }) => isClosed()))
            const answers = asked.map(({ received }) => received())
            assert.strictEqual(answers.filter((text) => text.startsWith("HTTP/1.1 200")).length, 8)
            const refused = answers.find((text) => text.startsWith("HTTP/1.1 429")) ?? ""
            assert.match(refused, /retry-after: 1/)
            assert.match(refused, /"TooManyRequests".*at most 8 are allowed at once.*"limit":8/)
          })
        ).pipe(Effect.timeout("20 seconds"))
        yield* Effect.scoped(
          Effect.gen(function* () {
            const socket = yield* RawSocket.open(`ws://127.0.0.1:${coordinator.port}/rpc`, Coordinators.adminToken)
            yield* Effect.all(
              Array.from({ length: 8 }, () => Effect.forkScoped(socket.ask("TailEvents", {}))),
              { discard: true }
            )
            yield* eventually(metric(coordinator, "muster_requests_in_flight"), (count) => count >= 9)
            const { failure } = yield* socket.ask("GetServerInfo", null)
            assert.strictEqual(failure?._tag, "Unavailable")
            assert.match(String(failure?.["reason"]), /at most 8 are allowed at once/)
          })
        )
        assert.notMatch(coordinator.output(), /ERROR|FATAL/)
      })
    )
  )
})
