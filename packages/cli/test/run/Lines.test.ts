import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import * as Lines from "../../src/run/Lines.ts"

const split = (...parts: ReadonlyArray<string | Uint8Array>) =>
  Stream.runCollect(
    Lines.split(
      Stream.fromIterable(parts.map((part) => (typeof part === "string" ? new TextEncoder().encode(part) : part)))
    )
  )

describe("lines of standard input", () => {
  it.effect("are found wherever the parts are cut", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* split("a\nb\r\n\nc"), ["a", "b", "", "c"])
      assert.deepStrictEqual(yield* split("a", "b\nc", "", "d\n"), ["ab", "cd"])
      assert.deepStrictEqual(yield* split(), [])
      assert.deepStrictEqual(yield* split("\n"), [""])
      const euro = new TextEncoder().encode("€\n")
      assert.deepStrictEqual(yield* split(euro.subarray(0, 1), euro.subarray(1, 2), euro.subarray(2)), ["€"])
    })
  )

  it.effect("that are no text or too long for an argument are named by their number", () =>
    Effect.gen(function* () {
      const noText = yield* Effect.flip(split("fine\n", new Uint8Array([0x66, 0xff, 0x0a])))
      assert.strictEqual(noText.message, "line 2 of standard input is not UTF-8 text")
      const longest = "x".repeat(131_071)
      assert.deepStrictEqual(yield* split(`${longest}\n`), [longest])
      const tooLong = yield* Effect.flip(split("a\nb\n", `${longest}x`, "\n"))
      assert.strictEqual(
        tooLong.message,
        "line 3 of standard input is longer than 131071 bytes, which no program takes as an argument"
      )
    })
  )

  it.effect("are handed on while more are still to come", () =>
    Effect.gen(function* () {
      const endless = Stream.forever(Stream.succeed(new TextEncoder().encode("line\n")))
      const first = yield* Stream.runCollect(Stream.take(Lines.split(endless), 3))
      assert.deepStrictEqual(first, ["line", "line", "line"])
    })
  )
})
