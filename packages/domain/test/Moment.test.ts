import { assert, describe, it } from "@effect/vitest"
import * as Moment from "@muster/domain/Moment"

const now = Date.parse("2026-11-24T18:20:30.500Z")

describe("a moment", () => {
  it("is a time, in UTC unless it says otherwise", () => {
    for (const text of [
      "2026-11-24T18:20:00Z",
      "2026-11-24T18:20:00",
      "2026-11-24 18:20",
      "2026-11-24T19:20:00+01:00",
      "2026-11-24T18:20:00.000Z"
    ]) {
      assert.strictEqual(Moment.parse(text, now), Date.parse("2026-11-24T18:20:00Z"), text)
    }
    assert.strictEqual(Moment.parse("2026-11-24", now), Date.parse("2026-11-24T00:00:00Z"))
    assert.strictEqual(Moment.parse("2026-11-24T18:20:00.123456Z", now), Date.parse("2026-11-24T18:20:00.123Z"))
  })

  it("is how long ago", () => {
    assert.strictEqual(Moment.parse("10m", now), now - 600_000)
    assert.strictEqual(Moment.parse("1h30m", now), now - 5_400_000)
    assert.strictEqual(Moment.parse("0s", now), now)
  })

  it("is nothing else", () => {
    for (const text of [
      "",
      "yesterday",
      "10",
      "-10m",
      "2026-13-01",
      "2026-11-24T25:00Z",
      "24.11.2026",
      "2026-11-24T18"
    ]) {
      assert.isUndefined(Moment.parse(text, now), text)
    }
  })
})
