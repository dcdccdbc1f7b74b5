import { assert, describe, it } from "@effect/vitest"
import { Exit, Schema } from "effect"
import { WorkItems, WorkResults } from "@muster/domain/Rpc/WorkLists"
import { SuiteId } from "@muster/domain/Suite/Id"
import { AttemptResult } from "@muster/domain/Task/Attempt"
import { TaskSpec } from "@muster/domain/Task/Spec"

const json = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

const suites = Schema.Literals(["s000000000000001", "s000000000000002"].map((id) => SuiteId.make(id)))
const Items = Schema.Array(
  Schema.Struct({ suiteId: suites, index: Schema.Int, attempt: Schema.Int, spec: Schema.toType(TaskSpec) })
)
const Results = Schema.Array(Schema.Struct({ suiteId: suites, result: AttemptResult }))

const itemsJson = Schema.toCodecJson(WorkItems)
const resultsJson = Schema.toCodecJson(WorkResults)

describe("lists between a manager and its worker", () => {
  it("name a suite once", () => {
    const suiteId = SuiteId.make("s000000000000001")
    const result = { index: 3, attempt: 1, outcome: "succeeded", startedAt: 5, finishedAt: 6, duration: 1 } as const
    assert.deepStrictEqual(
      Schema.encodeSync(itemsJson)([{ suiteId, index: 3, attempt: 1, spec: { handler: "noop" } }]),
      [[suiteId, [[3, 1, { handler: "noop" }]]]]
    )
    assert.deepStrictEqual(Schema.encodeSync(resultsJson)([{ suiteId, result }]), [[suiteId, [[3, 1, 0, 5, 1]]]])
  })

  it.prop("keep items and their order", [Items], ([items]) => {
    const sent = json(Schema.encodeSync(itemsJson)(items))
    assert.deepStrictEqual(json(Schema.decodeUnknownSync(itemsJson)(sent)), json(items))
  })

  it.prop("keep results and their order", [Results], ([results]) => {
    const sent = json(Schema.encodeSync(resultsJson)(results))
    assert.deepStrictEqual(json(Schema.decodeUnknownSync(resultsJson)(sent)), json(results))
  })

  it("with results that are none are refused", () => {
    for (const sent of [[["s000000000000001", [[-1, 1, 0, 5, 1]]]], [["no suite", []]], [[1, []]], {}]) {
      assert.isTrue(Exit.isFailure(Schema.decodeUnknownExit(resultsJson)(sent)))
    }
  })
})
