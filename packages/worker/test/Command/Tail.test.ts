import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { Tail } from "../../src/Command/Tail.ts"

const tailOf = (limit: number, ...chunks: ReadonlyArray<Uint8Array>) => {
  const tail = new Tail(limit)
  for (const chunk of chunks) tail.push(chunk)
  return tail
}

const Chunks = Schema.Array(Schema.String.check(Schema.isMaxLength(20))).check(Schema.isMaxLength(60))

describe("Tail", () => {
  it.prop("is the end of all that went through, whatever the pieces", [Chunks, Schema.Int], ([texts, seed]) => {
    const limit = Math.abs(seed) % 64
    const chunks = texts.map((text) => Buffer.from(text.replaceAll(/[^ -~]/g, "x")))
    const all = Buffer.concat(chunks)
    const tail = tailOf(limit, ...chunks)
    assert.strictEqual(tail.text(), limit === 0 ? "" : all.subarray(-limit).toString())
    assert.strictEqual(tail.total, all.length)
    assert.strictEqual(tail.isCut, all.length > limit)
  })

  it("copies what it keeps", () => {
    const chunk = Buffer.from("abc")
    const tail = tailOf(8, chunk)
    chunk.fill("x")
    tail.push(chunk)
    assert.strictEqual(tail.text(), "abcxxx")
  })

  it("keeps whole characters only where it cuts", () => {
    const text = Buffer.from("ä€😀z")
    const tails = Array.from({ length: text.length + 1 }, (_, limit) => tailOf(limit, text).text())
    assert.deepStrictEqual(tails, ["", "z", "z", "z", "z", "😀z", "😀z", "😀z", "€😀z", "€😀z", "ä€😀z"])
  })

  it("joins characters that came in pieces", () => {
    const bytes = [...Buffer.from("ä€😀")].map((byte) => Uint8Array.of(byte))
    assert.strictEqual(tailOf(100, ...bytes).text(), "ä€😀")
  })

  it("shows bytes that are no text as such, also at its front", () => {
    assert.strictEqual(tailOf(10, Uint8Array.of(0x80, 0x80, 0x61, 0xff, 0, 0xed, 0xa0, 0x80)).text(), "��a�����")
    assert.strictEqual(tailOf(6, Buffer.alloc(20, 0x80)).text(), "�".repeat(6))
  })

  it("holds no more memory than twice its limit", () => {
    const tail = tailOf(1_000, ...Array.from({ length: 1_000 }, () => Buffer.alloc(777, 0x61)))
    assert.strictEqual(tail.text(), "a".repeat(1_000))
    assert.strictEqual(tail.total, 777_000)
  })
})
