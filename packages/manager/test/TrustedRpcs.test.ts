import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as Worker from "@muster/domain/Rpc/WorkerRpcs"
import * as Trusted from "@muster/manager/TrustedRpcs"

/** What stands on the wire: lines of JSON. */
const onWire = <A>(schema: Schema.Codec<A, unknown>, value: A): unknown =>
  JSON.parse(JSON.stringify(Schema.encodeSync(Schema.toCodecJson(schema))(value)))

const fromWire = <A>(schema: Schema.Codec<A, unknown>, json: unknown): A =>
  Schema.decodeUnknownSync(Schema.toCodecJson(schema))(json)

/** The same value without looking into it. */
const asIs = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

describe("calls that trust what passes", () => {
  const Items = Worker.Next.successSchema

  it.prop("send items as the contract would", [Items], ([items]) => {
    assert.deepStrictEqual(fromWire(Items, asIs(items)), fromWire(Items, onWire(Items, items)))
  })

  it("are the calls of the contract, all of them", () => {
    assert.deepStrictEqual([...Trusted.WorkerRpcs.requests.keys()], [...Worker.WorkerRpcs.requests.keys()])
  })
})
