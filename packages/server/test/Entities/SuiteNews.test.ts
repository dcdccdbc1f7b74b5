import { assert, describe, it } from "@effect/vitest"
import * as SuiteNews from "../../src/Entities/SuiteNews.ts"

const waiting = (queued: number, pending = queued): SuiteNews.Waiting => ({ queued, pending })

describe("SuiteNews", () => {
  it("is what changes a plan", () => {
    const news: ReadonlyArray<readonly [SuiteNews.Waiting, SuiteNews.Waiting]> = [
      [SuiteNews.untold, waiting(0)],
      [SuiteNews.untold, waiting(5)],
      [waiting(0), waiting(1)],
      [waiting(1), waiting(0)],
      [waiting(4), waiting(8)],
      [waiting(4), waiting(2)],
      [waiting(0, 4), waiting(0, 2)]
    ]
    for (const [told, now] of news) assert.isTrue(SuiteNews.isNews(told, now), JSON.stringify([told, now]))
  })

  it("is not what the pool knows, or nearly", () => {
    const old: ReadonlyArray<readonly [SuiteNews.Waiting, SuiteNews.Waiting]> = [
      [waiting(0), waiting(0)],
      [waiting(0, 10), waiting(0, 11)],
      [waiting(4), waiting(4)],
      [waiting(4), waiting(7)],
      [waiting(4), waiting(3)]
    ]
    for (const [told, now] of old) assert.isFalse(SuiteNews.isNews(told, now), JSON.stringify([told, now]))
  })

  it("is also a task more than was told, when that was a while ago and one waits", () => {
    assert.isFalse(SuiteNews.isNews(waiting(1, 2), waiting(1, 3), 4_999))
    assert.isTrue(SuiteNews.isNews(waiting(1, 2), waiting(1, 3), 5_000))
    assert.isFalse(SuiteNews.isNews(waiting(1, 3), waiting(1, 3), 5_000))
    assert.isFalse(SuiteNews.isNews(waiting(0, 2), waiting(0, 3), 5_000))
    assert.strictEqual(SuiteNews.countAgainIn(undefined, 1_000, waiting(1, 2), waiting(1, 3)), 5_000)
    assert.strictEqual(SuiteNews.countAgainIn(9_000, 1_000, waiting(1, 2), waiting(1, 3)), 5_000)
    assert.strictEqual(SuiteNews.countAgainIn(undefined, 1_000, waiting(1, 3), waiting(1, 3)), undefined)
  })

  it("is counted when the next attempt is due, and seldom while nobody makes it", () => {
    assert.strictEqual(SuiteNews.countAgainIn(undefined, 1_000), undefined)
    assert.strictEqual(SuiteNews.countAgainIn(1_200, 1_000), 200)
    assert.strictEqual(SuiteNews.countAgainIn(1_000, 1_000), 5_000)
    assert.strictEqual(SuiteNews.countAgainIn(10, 1_000), 5_000)
  })
})
