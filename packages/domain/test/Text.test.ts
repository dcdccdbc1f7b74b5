import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import * as Text from "@muster/domain/Text"

const accepts = (schema: Schema.Codec<unknown, unknown>, value: unknown): boolean =>
  Result.isSuccess(Schema.decodeUnknownResult(schema)(value))

const uncarriable = ["\0", "a\0b", "\uD800", "\uDC00x", "\uDC00\uD800"]

describe("text", () => {
  it.each(["", "a", "line\nline", "ünï ✓ 𝄞 \u{10FFFF}", "\u0001\u007F\uFFFF"])("may be %j", (value) => {
    assert.isTrue(accepts(Text.Text, value))
  })

  it.each(uncarriable)("may not be %j", (value) => {
    for (const schema of [Text.Text, Text.NonEmptyText, Text.Name, Text.Tag]) assert.isFalse(accepts(schema, value))
  })

  it.each([undefined, null, 1, {}, ["a"]])("is not %j", (value) => {
    for (const schema of [Text.Text, Text.NonEmptyText, Text.Name, Text.Tag]) assert.isFalse(accepts(schema, value))
  })

  it("may have to say something", () => {
    assert.isFalse(accepts(Text.NonEmptyText, ""))
    assert.isTrue(accepts(Text.NonEmptyText, " "))
  })
})

describe("a name", () => {
  it("is one line of 1 to 255 characters", () => {
    assert.isTrue(accepts(Text.Name, "nightly build, all targets"))
    assert.isTrue(accepts(Text.Name, "x".repeat(255)))
    for (const wrong of ["", "x".repeat(256), "a\nb", "a\r", "\n"]) assert.isFalse(accepts(Text.Name, wrong), wrong)
  })
})

describe("tags", () => {
  it("have 1 to 128 characters and no white space or commas", () => {
    for (const right of ["gpu", "cuda:11.8", "os=linux", "ü", "x".repeat(128)]) {
      assert.isTrue(accepts(Text.Tag, right), right)
    }
    for (const wrong of ["", " ", "a b", "a,b", "a\tb", "a\n", "a\u00A0b", "x".repeat(129)]) {
      assert.isFalse(accepts(Text.Tag, wrong), wrong)
    }
  })

  it("are 64 at most", () => {
    assert.isTrue(
      accepts(
        Text.Tags,
        Array.from({ length: 64 }, () => "a")
      )
    )
    assert.isFalse(
      accepts(
        Text.Tags,
        Array.from({ length: 65 }, () => "a")
      )
    )
  })
})

describe("making text carriable", () => {
  it.prop("gives text that is", [Schema.String, Schema.Literals(uncarriable)], ([text, wrong]) => {
    for (const value of [text, text + wrong, wrong + text]) assert.isTrue(accepts(Text.Text, Text.toCarriable(value)))
  })

  it.prop("leaves alone what was", [Text.Text], ([text]) => {
    assert.strictEqual(Text.toCarriable(text), text)
  })

  it("puts U+FFFD in place of what was not", () => {
    assert.strictEqual(Text.toCarriable("a\0b\uD800c\0"), "a\uFFFDb\uFFFDc\uFFFD")
  })
})
