import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import * as Millis from "@muster/domain/Millis"

const Whole = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 365 * 86_400_000 }))

describe("a duration as text", () => {
  it.each([
    ["0s", 0],
    ["500ms", 500],
    ["1.5s", 1_500],
    ["90s", 90_000],
    ["5m", 300_000],
    ["1h30m", 5_400_000],
    ["2d", 172_800_000],
    ["1d2h3m4s5ms", 93_784_005],
    ["0.1ms", 0]
  ])("%s is %d ms", (text, millis) => {
    assert.strictEqual(Millis.parse(text), millis)
  })

  it.each([
    "",
    " ",
    "s",
    "5",
    "5 m",
    " 5m",
    "5m ",
    "5M",
    "-5m",
    "+5m",
    "5m!",
    "5mm",
    "1e3s",
    ".5s",
    "5.s",
    "1,5s",
    "5min",
    "NaNs"
  ])("%j is none", (text) => {
    assert.isUndefined(Millis.parse(text))
  })

  it("is read the same however often", () => {
    for (let k = 0; k < 3; k++) {
      assert.strictEqual(Millis.parse("1h30m"), 5_400_000)
      assert.isUndefined(Millis.parse("1h30"))
    }
  })

  it.prop("is read as it was written", [Whole], ([millis]) => {
    assert.strictEqual(Millis.parse(Millis.format(millis)), millis)
  })

  it("is written short", () => {
    assert.deepStrictEqual([0, 1, 1_000, 90_000, 5_400_000, 86_400_000, 86_400_001].map(Millis.format), [
      "0s",
      "1ms",
      "1s",
      "1m30s",
      "1h30m",
      "1d",
      "1d1ms"
    ])
  })
})

describe("a duration field", () => {
  const Timeout = Millis.between(1_000, 60_000)
  const decode = Schema.decodeUnknownResult(Timeout)
  const failure = (value: unknown): string => {
    const result = decode(value)
    return Result.isFailure(result) ? result.failure.message : assert.fail(`took ${JSON.stringify(value)}`)
  }

  it("takes milliseconds and text, and gives milliseconds", () => {
    assert.deepStrictEqual(decode(1_000), Result.succeed(1_000))
    assert.deepStrictEqual(decode("1m"), Result.succeed(60_000))
    assert.strictEqual(Schema.encodeSync(Timeout)(5_000), 5_000)
  })

  it.each([999, 60_001, "999ms", "2m", 0, -1])("refuses what is out of its limits: %j", (value) => {
    assert.include(failure(value), "a duration from 1s to 1m")
  })

  it.each(["", "soon", "5", "-5s"])("refuses what is no duration: %j", (value) => {
    assert.include(failure(value), Millis.expected)
  })

  it.each([1_000.5, Number.NaN, Infinity])("refuses what is no whole number: %d", (value) => {
    assert.isString(failure(value))
  })

  it.each([null, true, {}, [1_000], undefined])("refuses what is neither number nor text: %j", (value) => {
    assert.include(failure(value), Millis.expected)
  })

  it("refuses text of more milliseconds than there are numbers for", () => {
    assert.isString(failure(`${"9".repeat(400)}d`))
  })
})
