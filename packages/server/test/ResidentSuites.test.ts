import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { SuiteId } from "@muster/domain/Suite/Id"
import * as ResidentSuites from "../src/ResidentSuites.ts"

const suiteId = SuiteId.make("s000000000000001")

const resident = (): ResidentSuites.Resident => ({
  submit: () => Effect.succeed({ firstIndex: 0, count: 0 }),
  lease: () => Effect.succeed({ leases: [], ended: false }),
  report: () => Effect.succeed({ accepted: 0, late: 0, repeated: 0 })
})

describe("suites that live here", () => {
  it("are found as long as their actor is here, and one that left does not take its successor with it", () => {
    const residents = ResidentSuites.make()
    const before = resident()
    const after = resident()
    assert.isUndefined(residents.find(suiteId))
    residents.add(suiteId, before)
    assert.strictEqual(residents.find(suiteId), before)
    residents.add(suiteId, after)
    residents.remove(suiteId, before)
    assert.strictEqual(residents.find(suiteId), after)
    residents.remove(suiteId, after)
    assert.isUndefined(residents.find(suiteId))
  })

  it("are kept awake by something from the cluster every half minute", () => {
    const residents = ResidentSuites.make()
    assert.isFalse(residents.isTouchDue(suiteId, 50_000))
    residents.add(suiteId, resident())
    assert.deepStrictEqual(
      [50_000, 50_001, 79_999, 80_000, 80_001].map((now) => residents.isTouchDue(suiteId, now)),
      [true, false, false, true, false]
    )
  })
})
