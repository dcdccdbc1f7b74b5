import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as PrefetchTarget from "@muster/manager/PrefetchTarget"

const limits: PrefetchTarget.Limits = { horizon: 75, limit: 10_000 }
const load = (given: Partial<PrefetchTarget.Load>): PrefetchTarget.Load => ({
  workers: 4,
  waiting: 0,
  perItem: undefined,
  leaseLatency: 5,
  ...given
})

const between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))
const AnyLoad = Schema.Struct({
  workers: between(1, 256),
  waiting: between(0, 256),
  perItem: Schema.UndefinedOr(Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 100_000 }))),
  leaseLatency: between(0, 250)
})

describe("how many tasks to hold ready", () => {
  it("two for each worker while nothing is known of the tasks", () => {
    assert.strictEqual(PrefetchTarget.target(load({}), limits), 8)
  })

  it("thousands when they take microseconds", () => {
    assert.strictEqual(PrefetchTarget.target(load({ workers: 2, perItem: 0.02 }), limits), 7_500)
    assert.strictEqual(PrefetchTarget.target(load({ workers: 2, perItem: 0.001 }), limits), 10_000)
  })

  it("none but for workers that wait when they take seconds", () => {
    assert.strictEqual(PrefetchTarget.target(load({ perItem: 3_000 }), limits), 0)
    assert.strictEqual(PrefetchTarget.target(load({ perItem: 3_000, waiting: 3 }), limits), 3)
  })

  it("more when the coordinator is slower than the horizon", () => {
    const quick = PrefetchTarget.target(load({ perItem: 1 }), limits)
    const slow = PrefetchTarget.target(load({ perItem: 1, leaseLatency: 200 }), limits)
    assert.strictEqual(quick, 300)
    assert.strictEqual(slow, 1_600)
  })

  it.prop(
    "never more than the limit, and never less for more workers",
    [AnyLoad, between(1, 10_000)],
    ([any, limit]) => {
      const at = (workers: number) => PrefetchTarget.target({ ...any, workers }, { horizon: 75, limit })
      assert.isAtMost(at(any.workers), limit)
      assert.isAtLeast(at(any.workers + 1), at(any.workers))
    }
  )

  it.prop(
    "asks for what is missing when half of it is gone, and whenever a worker waits for an empty buffer",
    [AnyLoad, between(0, 20_000)],
    ([any, buffered]) => {
      const wanted = PrefetchTarget.target(any, limits)
      const asked = PrefetchTarget.request(any, buffered, limits)
      if (asked > 0) assert.strictEqual(buffered + asked, wanted)
      if (buffered > 0 && buffered * 2 > wanted) assert.strictEqual(asked, 0)
      if (buffered === 0 && any.waiting > 0) assert.isAtLeast(asked, 1)
    }
  )
})
