import { afterEach, assert, beforeEach, describe, it, vi } from "@effect/vitest"
import * as Timer from "../src/Timer.ts"

const DAY = 86_400_000

describe("Timer", () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it("waits as long as it is told, also for longer than the system's timers can", () => {
    for (const wait of [1, DAY, 24 * DAY, 25 * DAY, 365 * DAY]) {
      const calls: Array<number> = []
      const start = Date.now()
      Timer.after(wait, () => calls.push(Date.now() - start))
      vi.advanceTimersByTime(400 * DAY)
      assert.deepStrictEqual(calls, [wait])
    }
  })

  it("can be cancelled at any time", () => {
    let calls = 0
    const cancel = Timer.after(60 * DAY, () => calls++)
    vi.advanceTimersByTime(55 * DAY)
    cancel()
    vi.advanceTimersByTime(400 * DAY)
    assert.strictEqual(calls, 0)
  })
})
