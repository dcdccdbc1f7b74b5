import { assert, describe, it } from "@effect/vitest"
import * as Progress from "../src/Progress.ts"
import * as Show from "../src/Show.ts"
import * as Style from "../src/Style.ts"

const tasks = {
  total: 2_000,
  pending: 1_500,
  queued: 1_400,
  assigned: 50,
  running: 50,
  succeeded: 495,
  failed: 5,
  cancelled: 0
}

describe("a progress line", () => {
  it("shows how far, how fast and how long still", () => {
    const line = Progress.render({ tasks, rate: 250, isGrowing: false }, 100, Style.plain)
    assert.strictEqual(line, "██████████                              ▏ 500/2,000  25%  250/s  ETA 6s  5 failed")
  })

  it("promises nothing while more tasks are still coming", () => {
    const line = Progress.render({ tasks, rate: 250, isGrowing: true }, 100, Style.plain)
    assert.include(line, "500/2,000+  250/s")
    assert.notInclude(line, "ETA")
    assert.notInclude(line, "%")
  })

  it("never wraps", () => {
    for (let width = 10; width < 140; width++) {
      const line = Progress.render({ tasks, rate: 1_234.5, isGrowing: false, note: "cancelling" }, width, Style.plain)
      assert.isBelow(line.length, width, `${width}: ${line}`)
    }
  })

  it("forgets old speed, and slows down when nothing comes", () => {
    let speed = Progress.accelerate(undefined, 0, 0)
    for (let at = 100; at <= 2_000; at += 100) speed = Progress.accelerate(speed, at, at)
    assert.closeTo(speed.rate, 1_000, 1)
    for (let at = 2_100; at <= 22_000; at += 100) speed = Progress.accelerate(speed, at, 2_000)
    assert.isBelow(speed.rate, 20)
  })
})

describe("values", () => {
  it("are short and readable", () => {
    assert.deepStrictEqual([0.123, 8.312, 83.12, 999, 1_250, 42_000, 123_000, 11_040_000].map(Show.duration), [
      "0.12ms",
      "8.31ms",
      "83.1ms",
      "999ms",
      "1.25s",
      "42.0s",
      "2m03s",
      "3h04m"
    ])
    assert.deepStrictEqual([0, 999, 1_000, 1_234_567].map(Show.count), ["0", "999", "1,000", "1,234,567"])
    assert.deepStrictEqual([512, 2_048, 1_572_864].map(Show.bytes), ["512 B", "2.0 KiB", "1.5 MiB"])
    assert.strictEqual(Show.line("a\u001B[31m\tb\n"), "a [31m b")
  })
})
