import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as Backoff from "@muster/manager/Backoff"
import * as Supervision from "@muster/manager/Supervision"
import { range } from "./support/Fixtures.ts"

const early = { lasted: 100, wasExpected: false }

describe("supervision", () => {
  it("starts the next worker at once after one death, and ever later while they die early", () => {
    let deaths = 0
    const delays = range(9).map(() => {
      deaths = Supervision.earlyDeaths(deaths, early)
      return Supervision.restartDelay(deaths)
    })
    assert.deepStrictEqual(delays, [0, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000])
  })

  it("forgives early deaths when one lived long or was told to end", () => {
    assert.strictEqual(Supervision.earlyDeaths(5, { lasted: 60_000, wasExpected: false }), 0)
    assert.strictEqual(Supervision.earlyDeaths(5, { lasted: 100, wasExpected: true }), 0)
  })

  it.effect("goes on as long as a worker is wanted", () =>
    Effect.gen(function* () {
      let lives = 0
      const live = Effect.sync(() => {
        lives++
        return early
      })
      const fiber = yield* Effect.forkChild(Supervision.supervise(() => lives < 4, live))
      yield* TestClock.adjust(199)
      assert.strictEqual(lives, 2)
      yield* TestClock.adjust(401)
      assert.strictEqual(lives, 4)
      yield* TestClock.adjust(800)
      yield* Fiber.join(fiber)
    })
  )
})

describe("backoff", () => {
  it("doubles up to its limit, also after years", () => {
    const waits = [0, 1, 2, 3, 7, 1_000_000].map((failures) => Backoff.exponential(failures, 1_000, 60_000))
    assert.deepStrictEqual(waits, [0, 1_000, 2_000, 4_000, 60_000, 60_000])
  })

  it("spreads waits over their upper half", () => {
    assert.deepStrictEqual(
      [Backoff.jittered(1_000, 0), Backoff.jittered(1_000, 0.5), Backoff.jittered(0, 0.7)],
      [500, 750, 0]
    )
  })
})
