import { assert, describe, it } from "@effect/vitest"
import { gini, overtaken } from "../figures/Fairness.ts"

describe("the Gini coefficient", () => {
  it("is 0 when all have the same, and grows when one has more", () => {
    assert.strictEqual(gini([5, 5, 5]), 0)
    assert.strictEqual(gini([0, 0, 0, 12]), 0.75)
    assert.strictEqual(gini([0, 0]), 0)
  })
})

describe("the wait beyond order", () => {
  it("is nothing when better suites come first", () => {
    const served = [
      { priority: 1, place: 1, at: 20 },
      { priority: 2, place: 2, at: 10 },
      { priority: 1, place: 0, at: 15 }
    ]
    assert.deepStrictEqual(overtaken(served), [0, 0, 0])
  })

  it("lasts from when a worse one was served", () => {
    const served = [
      { priority: 2, place: 0, at: 50 },
      { priority: 1, place: 1, at: 20 }
    ]
    assert.deepStrictEqual(overtaken(served), [0, 30])
  })
})
