/**
 * What strangers can do with the sockets of a coordinator: nothing, and the log stays clean. `npm run fuzz` found these.
 */
import { NodeWS } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import { Effect, Layer, Logger, Redacted } from "effect"
import { newSuiteId } from "../Http/TestIds.ts"
import * as TestServer from "../Http/TestServer.ts"
import { eventually } from "../support/Eventually.ts"

const complaints: Array<string> = []
const listening = Logger.layer([
  Logger.make(({ logLevel, message }) => {
    if (logLevel === "Error" || logLevel === "Fatal") complaints.push(String(message))
  })
])

const request = (more: object) =>
  `${JSON.stringify({ _tag: "Request", id: "1", tag: "GetServerInfo", payload: null, headers: [], ...more })}\n`

/** What a coordinator answers to a frame, and whether it closes the connection. */
const send = (frame: string | Buffer) =>
  Effect.gen(function* () {
    const { url } = yield* TestServer.TestServer
    const heard: Array<string> = []
    let isClosed = false
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        const socket = new NodeWS.WebSocket(`${url.replace("http", "ws")}/rpc`)
        socket.on("message", (data: Buffer) => heard.push(data.toString()))
        socket.on("error", () => undefined)
        socket.on("close", () => {
          isClosed = true
        })
        socket.on("open", () => socket.send(frame, { binary: false }))
        return socket
      }),
      (socket) => Effect.sync(() => socket.terminate())
    )
    return yield* eventually(
      Effect.sync(() => ({ heard, isClosed })),
      (seen) => seen.heard.length > 0 || seen.isClosed
    )
  }).pipe(Effect.scoped)

layer(TestServer.layer.pipe(Layer.provideMerge(listening)), { excludeTestServices: true, timeout: "30 seconds" })(
  "a frame",
  (it) => {
    it.effect("without a token is answered with a refusal", () =>
      Effect.gen(function* () {
        const { heard } = yield* send(request({}))
        assert.include(heard.join(), "Unauthorized")
      })
    )

    it.effect("that is no message is answered in words, and is no bug for the log", () =>
      Effect.gen(function* () {
        for (const frame of [
          "{",
          "3\n",
          request({ headers: { a: 1 } }),
          request({ id: {} }),
          request({ headers: [7] })
        ]) {
          const { heard } = yield* send(`${frame}\n`)
          assert.match(heard.join(), /MalformedMessage|NdjsonDecodeError/)
          assert.notMatch(heard.join(), /TypeError|\bat .*:\d+/)
        }
        assert.deepStrictEqual(complaints, [])
      })
    )

    it.effect("that no text is ends its connection, and is no bug for the log", () =>
      Effect.gen(function* () {
        const { isClosed } = yield* send(Buffer.from([0xff, 0xfe, 0xc0]))
        assert.isTrue(isClosed)
        assert.deepStrictEqual(complaints, [])
      })
    )
  }
)

layer(TestServer.layer.pipe(Layer.provideMerge(listening)), { excludeTestServices: true, timeout: "30 seconds" })(
  "a command",
  (it) => {
    it.effect(
      "whose id cannot be stored is refused before it comes to a commit, which it would fail for others too",
      () =>
        Effect.gen(function* () {
          const { admin } = yield* TestServer.TestServer
          const suiteId = newSuiteId()
          const command = (tag: string, payload: object) =>
            send(
              request({
                tag,
                payload: { suiteId, ...payload },
                headers: [["authorization", `Bearer ${Redacted.value(admin)}`]]
              })
            )
          const made = yield* command("CreateSuite", { spec: {}, commandId: "good" })
          assert.include(made.heard.join(), `"_tag":"Success"`)
          for (const commandId of ["a\0b", "\ud800", "", "x".repeat(129)]) {
            const { heard } = yield* command("PauseSuite", { commandId })
            assert.match(heard.join(), /"_tag":"Die".*commandId/)
          }
          const named = yield* command("ListSuites", { name: "\0" })
          assert.match(named.heard.join(), /"_tag":"Die".*name/)
          const paused = yield* command("PauseSuite", { commandId: "good too" })
          assert.include(paused.heard.join(), `"paused":true`)
          assert.deepStrictEqual(complaints, [])
        })
    )
  }
)
