import { assert, describe, it } from "@effect/vitest"
import { Ended, Next, Started, WorkerDirective, WorkItem } from "@muster/domain/Rpc/WorkerRpcs"
import * as Contract from "@muster/domain/Rpc/WorkerRpcs"
import { Schema } from "effect"
import { TrustedRpcs } from "../src/TrustedRpcs.ts"

/** JSON knows no -0, and a field that is undefined is one that is not there. */
const json = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

describe("TrustedRpcs", () => {
  it("has the calls of the contract", () => {
    assert.deepStrictEqual(
      [...TrustedRpcs.requests.keys()].toSorted(),
      [...Contract.WorkerRpcs.requests.keys()].toSorted()
    )
  })

  const Sent = Schema.Struct({ next: Next.payloadSchema, ended: Ended.payloadSchema, started: Started.payloadSchema })
  const encodeSent = Schema.encodeUnknownSync(Schema.toCodecJson(Sent))
  it.prop("sends what the contract would send", [Sent], ([value]) => {
    assert.deepStrictEqual(json(encodeSent(value)), json(value))
  })

  const Received = Schema.Struct({ items: Schema.Array(WorkItem), directive: WorkerDirective })
  const codec = Schema.toCodecJson(Received)
  const encodeReceived = Schema.encodeUnknownSync(codec)
  const decodeReceived = Schema.decodeUnknownSync(codec)
  it.prop("reads what it gets as the contract would read it", [Received], ([value]) => {
    const sent = json(encodeReceived(value))
    assert.deepStrictEqual(json(decodeReceived(sent)), sent)
  })
})
