import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { RpcSerialization } from "effect/rpc"
import * as Serialization from "@muster/domain/Rpc/Serialization"

const parser = Effect.runSync(
  Effect.map(RpcSerialization.RpcSerialization, (serialization) => serialization.makeUnsafe()).pipe(
    Effect.provide(Serialization.layer)
  )
)

const good = { _tag: "Request", id: "1", tag: "GetSuite", payload: { a: 1 }, headers: [["authorization", "x"]] }

describe("a line on a socket", () => {
  it.each([
    ["a request", good],
    ["a request with a number as its id", { ...good, id: 7 }],
    ["an acknowledgement", { _tag: "Ack", requestId: "1" }],
    ["an answer", { _tag: "Exit", requestId: "1", exit: { _tag: "Success", value: null } }],
    ["a ping", { _tag: "Ping" }]
  ])("is %s", (_, message) => {
    assert.deepStrictEqual(parser.decode(`${JSON.stringify(message)}\n`), [message])
  })

  it.each([
    ["a number", 3],
    ["null", null],
    ["a list", []],
    ["without a kind", { ...good, _tag: undefined }],
    ["a request whose id is an object", { ...good, id: {} }],
    ["a request whose tag is a list", { ...good, tag: ["GetSuite"] }],
    ["a request without headers", { ...good, headers: undefined }],
    ["a request whose headers are no list", { ...good, headers: { authorization: "x" } }],
    ["a request with a header of three", { ...good, headers: [["a", "b", "c"]] }],
    ["a request with a header that is no text", { ...good, headers: [["a", {}]] }],
    ["a request with a header that is none", { ...good, headers: [null] }],
    ["an interruption of nothing", { _tag: "Interrupt" }]
  ])("that is %s is refused in words, and what follows is read", (_, message) => {
    assert.throws(() => parser.decode(`${JSON.stringify(message)}\n`), Serialization.MalformedMessage, "expected")
    assert.deepStrictEqual(parser.decode(`${JSON.stringify(good)}\n`), [good])
  })
})
