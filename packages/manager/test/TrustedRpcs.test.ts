import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as Manager from "@muster/domain/Rpc/ManagerRpcs"
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
  const LeaseReply = Manager.LeaseTasks.successSchema
  const Items = Worker.Next.successSchema
  const Report = Manager.ReportTasks.payloadSchema

  it.prop("take from a coordinator what the contract says that it sends", [LeaseReply], ([reply]) => {
    assert.deepStrictEqual(asIs(onWire(LeaseReply, reply)), asIs(fromWire(LeaseReply, onWire(LeaseReply, reply))))
  })

  it.prop("send reports as the contract would", [Report], ([report]) => {
    assert.deepStrictEqual(fromWire(Report, asIs(report)), fromWire(Report, onWire(Report, report)))
  })

  it.prop("send items as the contract would", [Items], ([items]) => {
    assert.deepStrictEqual(fromWire(Items, asIs(items)), fromWire(Items, onWire(Items, items)))
  })

  it("are the calls of the contract, all of them", () => {
    assert.deepStrictEqual([...Trusted.ManagerRpcs.requests.keys()], [...Manager.ManagerRpcs.requests.keys()])
    assert.deepStrictEqual([...Trusted.WorkerRpcs.requests.keys()], [...Worker.WorkerRpcs.requests.keys()])
  })
})
