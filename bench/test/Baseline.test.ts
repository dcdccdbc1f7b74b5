import { assert, describe, it } from "@effect/vitest"
import * as Baseline from "../Baseline.ts"
import { line } from "../Figure.ts"
import type { Figure, Sample } from "../Figure.ts"

const rate: Figure = { name: "drain", unit: "tasks/s", better: "higher", peer: "graphile-worker" }
const latency: Figure = { name: "start", unit: "ms", better: "lower", yardstick: "commit" }
const entries: Baseline.Entries = {
  drain: { value: 2, of: "ratio to graphile-worker" },
  start: { value: 4, of: "ratio to commit" }
}

const measured = (figure: Figure, sample: Sample) => line(figure, [sample], {})
const lossOf = (figure: Figure, sample: Sample) => Baseline.loss(entries, figure, measured(figure, sample))

describe("what can be compared", () => {
  it("is the ratio to the peer, before that to a yardstick", () => {
    const both: Figure = { ...latency, peer: "graphile-worker" }
    assert.deepStrictEqual(Baseline.comparable(both, measured(both, { value: 3, peer: 2, yardstick: 1 })), {
      value: 1.5,
      of: "ratio to graphile-worker"
    })
  })

  it("is the ratio to the yardstick where there is no peer", () => {
    assert.deepStrictEqual(Baseline.comparable(latency, measured(latency, { value: 3, yardstick: 2 })), {
      value: 1.5,
      of: "ratio to commit"
    })
  })

  it("is the value itself only if no machine's speed is in it", () => {
    const memory: Figure = { name: "memory", unit: "MB", better: "lower" }
    assert.isUndefined(Baseline.comparable(memory, measured(memory, { value: 180 })))
    const portable: Figure = { ...memory, portable: true }
    assert.deepStrictEqual(Baseline.comparable(portable, measured(portable, { value: 180 })), { value: 180, of: "MB" })
  })

  it("is nothing of a figure that is too noisy", () => {
    const noisy: Figure = { ...rate, unchecked: true }
    assert.isUndefined(Baseline.comparable(noisy, measured(noisy, { value: 3, peer: 2 })))
  })
})

describe("a loss", () => {
  it("is more than a quarter less of what should be much", () => {
    assert.isUndefined(lossOf(rate, { value: 150, peer: 100 }))
    assert.deepStrictEqual(lossOf(rate, { value: 140, peer: 100 }), {
      figure: "drain",
      baseline: 2,
      measured: 1.4,
      of: "ratio to graphile-worker",
      loss: 1 - 1.4 / 2
    })
  })

  it("is more than a quarter more of what should be little", () => {
    assert.isUndefined(lossOf(latency, { value: 5, yardstick: 1 }))
    assert.strictEqual(lossOf(latency, { value: 6, yardstick: 1 })?.loss, 0.5)
  })

  it("does not come from both sides being slow", () => {
    assert.isUndefined(lossOf(rate, { value: 2, peer: 1 }))
  })

  it("is not there for a figure that is new, or that has another peer now", () => {
    assert.isUndefined(Baseline.loss({}, rate, measured(rate, { value: 1, peer: 100 })))
    const other: Figure = { ...rate, peer: "pg-boss" }
    assert.isUndefined(Baseline.loss(entries, other, measured(other, { value: 1, peer: 100 })))
  })

  it("says what was measured and what it was before", () => {
    const found = lossOf(rate, { value: 100, peer: 100 })
    assert.strictEqual(
      found && Baseline.describe(found),
      "drain lost 50 %: baseline 2, measured 1 (ratio to graphile-worker)"
    )
  })
})

describe("the better of two lines", () => {
  it("is the one with the better ratio, not the higher value", () => {
    const [one, other] = [measured(rate, { value: 100, peer: 50 }), measured(rate, { value: 200, peer: 150 })]
    assert.strictEqual(Baseline.better(rate, one, other), one)
    assert.strictEqual(Baseline.better(rate, other, one), one)
  })
})
