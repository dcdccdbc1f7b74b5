import { assert, describe, it } from "@effect/vitest"
import * as Baseline from "../Baseline.ts"
import type { Figure, Sample } from "../Figure.ts"

const rate: Figure = { name: "drain", unit: "tasks/s", better: "higher", peer: "graphile-worker" }
const latency: Figure = { name: "start", unit: "ms", better: "lower", yardstick: "commit" }
const entries: Baseline.Entries = {
  drain: { value: 2, of: "ratio to graphile-worker" },
  start: { value: 4, of: "ratio to commit" }
}

const lossOf = (figure: Figure, ...samples: ReadonlyArray<Sample>) => Baseline.loss(entries, figure, samples)

describe("what can be compared", () => {
  it("is the ratio to the peer, before that to a yardstick", () => {
    const both: Figure = { ...latency, peer: "graphile-worker" }
    assert.deepStrictEqual(Baseline.entry(both, [{ value: 3, peer: 2, yardstick: 1 }]), {
      value: 1.5,
      of: "ratio to graphile-worker"
    })
  })

  it("is the ratio to the yardstick where there is no peer", () => {
    assert.deepStrictEqual(Baseline.entry(latency, [{ value: 3, yardstick: 2 }]), { value: 1.5, of: "ratio to commit" })
  })

  it("is the value itself only if no machine's speed is in it", () => {
    const memory: Figure = { name: "memory", unit: "MB", better: "lower" }
    assert.isUndefined(Baseline.entry(memory, [{ value: 180 }]))
    assert.deepStrictEqual(Baseline.entry({ ...memory, portable: true }, [{ value: 180 }]), { value: 180, of: "MB" })
  })

  it("is nothing of a figure that is too noisy", () => {
    assert.isUndefined(Baseline.entry({ ...rate, unchecked: true }, [{ value: 3, peer: 2 }]))
  })

  it("is the median of the rounds", () => {
    const samples = [3, 1, 2].map((value) => ({ value, peer: 1 }))
    assert.strictEqual(Baseline.entry(rate, samples)?.value, 2)
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
    assert.isUndefined(Baseline.loss({}, rate, [{ value: 1, peer: 100 }]))
    assert.isUndefined(lossOf({ ...rate, peer: "pg-boss" }, { value: 1, peer: 100 }))
  })

  it("is not there for what was not measured", () => {
    assert.isUndefined(lossOf(rate))
  })

  it("says what was measured and what it was before", () => {
    const found = lossOf(rate, { value: 100, peer: 100 })
    assert.strictEqual(
      found && Baseline.describe(found),
      "drain lost 50 %: baseline 2, measured 1 (ratio to graphile-worker)"
    )
  })
})

describe("several rounds", () => {
  const bad = { value: 100, peer: 100 }
  const good = { value: 160, peer: 100 }

  it("are under suspicion by their median, and confirm it only when the best of them does", () => {
    assert.isDefined(Baseline.suspicion(entries, rate, [bad, good, bad]))
    assert.isUndefined(lossOf(rate, bad, good, bad))
    assert.strictEqual(lossOf(rate, bad, { value: 120, peer: 100 })?.measured, 1.2)
  })

  it("have the lowest of what should be little as the best", () => {
    const slow = [
      { value: 9, yardstick: 1 },
      { value: 6, yardstick: 1 }
    ]
    assert.strictEqual(lossOf(latency, ...slow)?.measured, 6)
    assert.isUndefined(lossOf(latency, ...slow, { value: 5, yardstick: 1 }))
  })
})
