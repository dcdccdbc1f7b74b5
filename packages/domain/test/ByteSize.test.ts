import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import * as ByteSize from "@muster/domain/ByteSize"

describe("a size as text", () => {
  it.each([
    ["0", 0],
    ["4096", 4_096],
    ["64Ki", 65_536],
    ["512Mi", 536_870_912],
    ["1.5Gi", 1_610_612_736],
    ["2Ti", 2_199_023_255_552],
    ["1k", 1_000],
    ["2M", 2_000_000],
    ["3G", 3_000_000_000]
  ])("%s is %d bytes", (text, bytes) => {
    assert.strictEqual(ByteSize.parse(text), bytes)
  })

  it.each(["", " ", "Ki", "64 Ki", "64KB", "64K", "64ki", "-1", "+1", "1e3", ".5Ki", "5.", "0x10"])(
    "%j is none",
    (text) => {
      assert.isUndefined(ByteSize.parse(text))
    }
  )

  it.prop(
    "is read as it was written",
    [Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 45 }))],
    ([bytes]) => {
      assert.strictEqual(ByteSize.parse(ByteSize.format(bytes)), bytes)
    }
  )

  it("is written in the largest unit that is exact", () => {
    assert.deepStrictEqual([0, 1_000, 1_024, 1_536, 524_288, 1_048_576, 1_073_741_824, 2 ** 40].map(ByteSize.format), [
      "0",
      "1000",
      "1Ki",
      "1536",
      "512Ki",
      "1Mi",
      "1Gi",
      "1Ti"
    ])
  })
})

describe("a size field", () => {
  const Tail = ByteSize.between(1, 64 * 1_024)
  const decode = Schema.decodeUnknownResult(Tail)
  const failure = (value: unknown): string => {
    const result = decode(value)
    return Result.isFailure(result) ? result.failure.message : assert.fail(`took ${JSON.stringify(value)}`)
  }

  it("takes bytes and text, and gives bytes", () => {
    assert.deepStrictEqual(decode(100), Result.succeed(100))
    assert.deepStrictEqual(decode("64Ki"), Result.succeed(65_536))
    assert.strictEqual(Schema.encodeSync(Tail)(5_000), 5_000)
  })

  it.each([0, -1, 65_537, "65Ki", "1Mi"])("refuses what is out of its limits: %j", (value) => {
    assert.include(failure(value), "a size from 1 to 64Ki")
  })

  it.each(["", "much", "64 Ki"])("refuses what is no size: %j", (value) => {
    assert.include(failure(value), ByteSize.expected)
  })

  it.each([1.5, Number.NaN])("refuses what is no whole number: %d", (value) => {
    assert.isString(failure(value))
  })

  it.each([null, true, {}, undefined])("refuses what is neither number nor text: %j", (value) => {
    assert.include(failure(value), ByteSize.expected)
  })
})

describe("about how large something is", () => {
  it.each([
    [0, "0 B"],
    [1_023, "1023 B"],
    [1_024, "1.0 KiB"],
    [1_536, "1.5 KiB"],
    [150 * 1_024, "150 KiB"],
    [1.5 * 1_024 ** 3, "1.5 GiB"],
    [5_000 * 1_024 ** 4, "5000 TiB"]
  ])("%d bytes are %s", (bytes, text) => {
    assert.strictEqual(ByteSize.rounded(bytes), text)
  })
})
