import { assert, describe, it } from "@effect/vitest"
import * as JsonSyntax from "../../src/Http/JsonSyntax.ts"

const parses = (text: string): boolean => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** The index that the platform's parser names, when it does. */
const platformIndex = (text: string): number | undefined => {
  try {
    JSON.parse(text)
    return undefined
  } catch (error) {
    const named = /at position (\d+)/.exec(String(error))?.[1]
    return named === undefined ? undefined : Number(named)
  }
}

const indexOf = (text: string): number => {
  const { column, line } = JsonSyntax.place(text)
  const lines = text.split("\n").slice(0, line - 1)
  return lines.reduce((sum, before) => sum + before.length + 1, column - 1)
}

const samples = [
  '{"name": "x", "tags": ["a", "b"], "n": -1.5e+3, "t": true, "f": false, "z": null, "o": {}, "l": [], "s": "\\u00e9\\n\\""}',
  '[\n  {"program": "ls",\r\n\t"args": ["-l"]},\n  {"handler": "h", "input": [[[1]], {"a": {"b": 0}}]}\n]',
  '"text"',
  "0"
]

const insertions = ["", ",", "}", "]", "{", "[", ":", '"', "a", "0", ".", "\n", "\u0001", "\\"]

describe("the place where a text stops being JSON", () => {
  it.each([
    ["", "the end of the text at line 1, column 1"],
    ["{", "the end of the text at line 1, column 2"],
    ['{"a": 1,}', '"}" at line 1, column 9'],
    ["[1,\n 2,\n x]", '"x]" at line 3, column 2'],
    ["{'a': 1}", `"'a': 1}" at line 1, column 2`],
    ['["a" "b"]', '"\\"b\\"]" at line 1, column 6'],
    ["[1] 2", '"2" at line 1, column 5'],
    ["nul", '"nul" at line 1, column 1'],
    ['"a\nb"', "the end of the text at line 1, column 3"],
    ["\ufeff{}", '"\ufeff{}" at line 1, column 1']
  ])("%j", (text, place) => {
    assert.strictEqual(JsonSyntax.describe(text), place)
  })

  it("is where the platform's parser sees it, for every small mistake in some texts", () => {
    let compared = 0
    for (const sample of samples) {
      for (let at = 0; at <= sample.length; at++) {
        for (const inserted of insertions) {
          for (const removed of [0, 1]) {
            const text = sample.slice(0, at) + inserted + sample.slice(at + removed)
            const named = platformIndex(text)
            if (parses(text) || named === undefined) continue
            const found = indexOf(text)
            // Of a broken escape, number or word it names a character within, we the first.
            assert.match(text.slice(found, named), /^(?:\\[\s\S]{0,5}|[-\d.eE+]*|[a-z]{1,4})$/, JSON.stringify(text))
            assert.isAtMost(found, named, JSON.stringify(text))
            compared++
          }
        }
      }
    }
    assert.isAbove(compared, 1_000)
  })

  it("is found in texts of any size and depth", () => {
    assert.strictEqual(JsonSyntax.place(`${"[".repeat(1_000_000)}x`).column, 1_000_001)
    assert.strictEqual(JsonSyntax.place(`["${"x".repeat(5_000_000)}",]`).column, 5_000_005)
  })
})
