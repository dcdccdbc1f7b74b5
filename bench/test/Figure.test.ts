import { assert, describe, it } from "@effect/vitest"
import { line } from "../Figure.ts"
import type { Figure } from "../Figure.ts"
import { median, quantile } from "../Quantile.ts"

const plain: Figure = { name: "drain", unit: "tasks/s", better: "higher", goal: { of: "median", value: 20 } }
const besidePeer: Figure = { ...plain, peer: "graphile-worker", goal: { of: "ratio", value: 1.5 } }
const settings = { tasks: 10 }

describe("quantiles", () => {
  it("are values that were measured", () => {
    assert.strictEqual(quantile([4, 1, 3, 2], 0.5), 2)
    assert.strictEqual(quantile([4, 1, 3, 2], 0.99), 4)
    assert.strictEqual(quantile([7], 0.01), 7)
    assert.strictEqual(median([30, 10, 20]), 20)
  })

  it("of nothing are no number", () => {
    assert.isNaN(median([]))
  })
})

describe("a line", () => {
  it("has the median and the range of all rounds", () => {
    const found = line(plain, [{ value: 10 }, { value: 30 }, { value: 20 }], settings)
    assert.deepStrictEqual(found, {
      figure: "drain",
      unit: "tasks/s",
      better: "higher",
      median: 20,
      min: 10,
      max: 30,
      goal: 20,
      goalOf: "median",
      met: true,
      settings: { tasks: 10, rounds: 3 }
    })
  })

  it("holds the ratio to the peer against the goal", () => {
    const found = line(besidePeer, [{ value: 120, peer: 100 }], settings)
    assert.strictEqual(found.peerMedian, 100)
    assert.strictEqual(found.ratio, 1.2)
    assert.isFalse(found.met)
  })

  it("has the median of the ratios of all pairs, not the ratio of the medians", () => {
    const found = line(
      besidePeer,
      [
        { value: 100, peer: 50 },
        { value: 20, peer: 12 },
        { value: 80, peer: 100 }
      ],
      settings
    )
    assert.strictEqual(found.ratio, 1.67)
    assert.strictEqual(found.ratioMin, 0.8)
    assert.strictEqual(found.ratioMax, 2)
    assert.isTrue(found.met)
  })

  it("may hold the median against the goal although there is a peer", () => {
    const found = line({ ...besidePeer, goal: { of: "median", value: 100 } }, [{ value: 120, peer: 200 }], settings)
    assert.strictEqual(found.ratio, 0.6)
    assert.isTrue(found.met)
  })

  it("wants less where less is better", () => {
    const latency: Figure = { ...plain, better: "lower", goal: { of: "median", value: 1.5 } }
    assert.isTrue(line(latency, [{ value: 1.5 }], settings).met)
    assert.isFalse(line(latency, [{ value: 1.51 }], settings).met)
  })

  it("has neither met nor missed a goal that it does not have", () => {
    const found = line({ name: "x", unit: "ms", better: "lower" }, [{ value: 1 }], settings)
    assert.isNull(found.goal)
    assert.isNull(found.met)
  })

  it("shows the ratio to a yardstick, which is no goal", () => {
    const found = line({ ...plain, yardstick: "commit" }, [{ value: 30, yardstick: 20 }], settings)
    assert.strictEqual(found.yardstickMedian, 20)
    assert.strictEqual(found.yardstickRatio, 1.5)
    assert.isTrue(found.met)
  })

  it("keeps fractions of small values", () => {
    assert.strictEqual(line(plain, [{ value: 0.123456 }], settings).median, 0.123)
    assert.strictEqual(line(plain, [{ value: 12_345.6 }], settings).median, 12_346)
  })
})
