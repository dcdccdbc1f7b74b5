import { assert, describe, it } from "@effect/vitest"
import { Pace } from "@muster/manager/Pace"
import { range } from "./support/Fixtures.ts"

describe("pace", () => {
  it("hands out one at a time until the first task has ended, and as many as run side by side at least", () => {
    const pace = new Pace()
    assert.strictEqual(pace.perItem, undefined)
    assert.deepStrictEqual([pace.batch(1), pace.batch(8)], [1, 8])
  })

  it("grows step by step to what takes some milliseconds", () => {
    const pace = new Pace()
    const batches = range(6).map(() => {
      pace.measured(pace.batch(1), pace.batch(1) * 0.02)
      return pace.batch(1)
    })
    assert.deepStrictEqual(batches, [4, 16, 64, 256, 500, 500])
  })

  it("goes down at once when tasks turn out to be slow", () => {
    const pace = new Pace()
    for (const _ of range(6)) pace.measured(500, 10)
    pace.measured(1, 2_000)
    assert.strictEqual(pace.batch(1), 11)
    for (const _ of range(20)) pace.measured(1, 2_000)
    assert.strictEqual(pace.batch(1), 1)
  })

  it("hands out commands one by one until they are known to be short", () => {
    const pace = new Pace()
    assert.strictEqual(pace.commands, 1)
    const batches = [1, 1, 8, 20, 20].map((count) => {
      pace.measured(count, count)
      return pace.commands
    })
    assert.deepStrictEqual(batches, [8, 20, 20, 20, 20])
    for (const _ of range(20)) pace.measured(1, 30)
    assert.strictEqual(pace.commands, 1)
  })

  it("knows nothing of the next suite", () => {
    const pace = new Pace()
    pace.measured(1_000, 1)
    pace.reset()
    assert.deepStrictEqual([pace.perItem, pace.batch(1)], [undefined, 1])
  })
})
