/** Clients that are slow or many, and what they cost a real coordinator's memory. */
import type { NodeWS } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SuiteId } from "@muster/domain/Suite/Id"
import * as Coordinators from "../support/Coordinators.ts"
import { dial, limits, memoryOf, metric, refusals, request, until, webSocket } from "../support/Demanding.ts"
import { eventually } from "../support/Eventually.ts"
import * as Muster from "../support/Muster.ts"

const suiteId = SuiteId.make("s000000000000001")

layer(Muster.layer, { excludeTestServices: true, timeout: "90 seconds" })(
  "the limits of a coordinator, at length",
  (it) => {
    it.effect("cut off who is slow or gone, turn away who is too many, and bound its memory", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const coordinator = yield* Coordinators.start(limits)
          const { client } = coordinator

          // Requests that trickle, and connections on which nothing comes.
          const trickling = yield* dial(coordinator)
          trickling.socket.write("GET /healthz HTTP/1.1\r\nhost: x\r\n")
          const drip = setInterval(() => trickling.socket.write("x-a: b\r\n"), 100)
          const silent = yield* dial(coordinator)
          yield* until(() => trickling.isClosed() && silent.isClosed())
          clearInterval(drip)
          assert.match(trickling.received(), /^HTTP\/1\.1 408 /)
          assert.isAtLeast(yield* refusals(coordinator, "slow_request"), 1)
          const slowBody = yield* dial(coordinator)
          slowBody.socket.write(
            `POST /v1/suites HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nauthorization: Bearer ${Coordinators.adminToken}\r\ncontent-length: 1000\r\n\r\n{`
          )
          yield* until(slowBody.isClosed)

          // Who does not read is cut off, whatever it has asked for.
          yield* client.CreateSuite({ suiteId, commandId: "create", spec: {} })
          const tasks = Array.from({ length: 100 }, () => ({ program: "x".repeat(4_000) }))
          for (let k = 0; k < 4; k++) yield* client.SubmitTasks({ suiteId, commandId: `submit ${k}`, tasks })
          const ask = (socket: NodeWS.WebSocket, id: number) =>
            socket.send(request(id, "ListEvents", { stream: `suite-${suiteId}`, limit: 10 }))
          const reader = yield* webSocket(coordinator)
          let answered = 0
          reader.on("message", () => {
            answered++
            ask(reader, answered)
          })
          ask(reader, 0)
          yield* until(() => answered >= 30)
          reader.terminate()
          const before = memoryOf(coordinator)
          let highest = before
          yield* Effect.forEach(
            Array.from({ length: 5 }, (_, k) => k),
            () =>
              Effect.scoped(
                Effect.gen(function* () {
                  const socket = yield* webSocket(coordinator)
                  socket.pause()
                  // Eight at a time, as a client that keeps to what it may ask, and never reads an answer.
                  const refusedBefore = yield* refusals(coordinator, "slow_reader")
                  let id = 0
                  yield* eventually(
                    Effect.gen(function* () {
                      for (let k = 0; k < 8; k++) ask(socket, id++)
                      highest = Math.max(highest, memoryOf(coordinator))
                      return yield* refusals(coordinator, "slow_reader")
                    }),
                    (count) => count > refusedBefore
                  )
                })
              ),
            { discard: true }
          )
          yield* Effect.logInfo(
            `slow readers: ${Math.round(before)} MiB before, ${Math.round(highest)} MiB at most while five in a row asked until they were cut off`
          )
          assert.isBelow(highest - before, 150)

          // A peer that is gone without a word.
          const dead = yield* dial(coordinator)
          dead.socket.write(
            "GET /rpc HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
          )
          yield* until(() => dead.received().startsWith("HTTP/1.1 101"))
          yield* until(dead.isClosed)
          assert.isAtLeast(yield* refusals(coordinator, "dead"), 1)

          // Connections, of one address and of all.
          yield* eventually(metric(coordinator, "muster_connections"), (count) => count <= 4)
          const flood = (address: string, count: number) =>
            Effect.forEach(Array.from({ length: count }), () => dial(coordinator, address))
          const quiet = memoryOf(coordinator)
          const mine = yield* flood("127.0.0.2", 50)
          const turnedAway = (all: typeof mine, reason: string) =>
            all.filter(({ received }) => received().includes("TooManyConnections") && received().includes(reason))
              .length
          yield* until(() => turnedAway(mine, "at most 40 are allowed") === 10)
          const others = yield* flood("127.0.0.3", 30)
          yield* until(() => turnedAway(others, "at most 60 are allowed") >= 10)
          // They are gone as soon as their time to say something is over, and there is room again.
          yield* eventually(
            metric(coordinator, "muster_connections").pipe(Effect.catchDefect(() => Effect.succeed(99))),
            (count) => count <= 4
          )
          let most = quiet
          for (let round = 0; round < 20; round++) {
            yield* Effect.scoped(flood("127.0.0.4", 50))
            most = Math.max(most, memoryOf(coordinator))
          }
          yield* Effect.logInfo(
            `1,000 connections that say nothing, fifty at a time: ${Math.round(quiet)} MiB before, ${Math.round(most)} MiB at most`
          )
          assert.isBelow(most - quiet, 60)
          assert.strictEqual((yield* client.GetServerInfo()).version.length > 0, true)
          assert.notMatch(coordinator.output(), /ERROR|FATAL/)
        })
      )
    )
  }
)
