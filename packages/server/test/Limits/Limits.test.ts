/** Clients that want too much, over real sockets, of a real coordinator; and what it costs its memory. */
import { NodeWS } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { readFileSync } from "node:fs"
import { connect } from "node:net"
import type { Socket } from "node:net"
import { SuiteId } from "@muster/domain/Suite/Id"
import * as Coordinators from "../support/Coordinators.ts"
import { eventually } from "../support/Eventually.ts"
import * as Muster from "../support/Muster.ts"
import * as RawSocket from "../support/RawSocket.ts"

const kibibyte = 1_024
const mebibyte = 1_024 ** 2

const limits = {
  MUSTER_LIMIT_BODY: "64Ki",
  MUSTER_LIMIT_MESSAGE: "2Mi",
  MUSTER_LIMIT_CONNECTIONS: "60",
  MUSTER_LIMIT_CONNECTIONS_PER_ADDRESS: "40",
  MUSTER_LIMIT_REQUESTS_PER_CLIENT: "8",
  MUSTER_LIMIT_REQUESTS: "12",
  MUSTER_LIMIT_HEAD_TIMEOUT: "500ms",
  MUSTER_LIMIT_REQUEST_TIMEOUT: "1s",
  MUSTER_LIMIT_IDLE_TIMEOUT: "2s",
  MUSTER_LIMIT_PONG_TIMEOUT: "500ms",
  MUSTER_LIMIT_UNREAD: "1Mi"
}

type Coordinator = Coordinators.Coordinator

/** Resident memory of a process in MiB. */
const memoryOf = ({ pid }: Coordinator): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / kibibyte

const metric = ({ port }: Coordinator, name: string) =>
  Effect.promise(async () => {
    const text = await fetch(`http://127.0.0.1:${port}/metrics`).then((response) => response.text())
    return Number(
      text
        .split("\n")
        .find((line) => line.startsWith(`${name} `))
        ?.split(" ")
        .at(-1)
    )
  })

const refusals = (coordinator: Coordinator, limit: string) =>
  metric(coordinator, `muster_limit_refusals_total{limit="${limit}"}`)

/** A connection below HTTP, with all that came over it. */
const dial = ({ port }: Coordinator, localAddress = "127.0.0.1") =>
  Effect.acquireRelease(
    Effect.callback<{ readonly socket: Socket; readonly received: () => string; readonly isClosed: () => boolean }>(
      (resume) => {
        let text = ""
        let isClosed = false
        const socket = connect({ port, host: "127.0.0.1", localAddress })
        socket.on("data", (chunk) => {
          text += chunk.toString("latin1")
        })
        socket.on("error", () => {})
        socket.on("close", () => {
          isClosed = true
        })
        socket.once("connect", () => resume(Effect.succeed({ socket, received: () => text, isClosed: () => isClosed })))
      }
    ),
    ({ socket }) => Effect.sync(() => socket.destroy())
  )

const until = (condition: () => boolean) => eventually(Effect.sync(condition), (holds) => holds)

const http = ({ port }: Coordinator, path: string, init: RequestInit = {}) =>
  Effect.promise(async () => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      ...init,
      headers: { authorization: `Bearer ${Coordinators.adminToken}`, "content-type": "application/json" }
    })
    return { status: response.status, headers: response.headers, text: await response.text() }
  })

/** A WebSocket whose reading can be stopped. */
const webSocket = ({ port }: Coordinator) =>
  Effect.acquireRelease(
    Effect.callback<NodeWS.WebSocket>((resume) => {
      const socket = new NodeWS.WebSocket(`ws://127.0.0.1:${port}/rpc`)
      socket.on("error", () => {})
      socket.once("open", () => resume(Effect.succeed(socket)))
    }),
    (socket) => Effect.sync(() => socket.terminate())
  )

const request = (id: number, tag: string, payload: unknown) =>
  `${JSON.stringify({ _tag: "Request", id: String(id), tag, payload, headers: [["authorization", `Bearer ${Coordinators.adminToken}`]] })}\n`

const suiteId = SuiteId.make("s000000000000001")

layer(Muster.layer, { excludeTestServices: true, timeout: "90 seconds" })("the limits of a coordinator", (it) => {
  it.effect("refuse what is too much, say what is allowed, and bound its memory", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const coordinator = yield* Coordinators.start(limits)
        const { client } = coordinator
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
          all.filter(({ received }) => received().includes("TooManyConnections") && received().includes(reason)).length
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
})
