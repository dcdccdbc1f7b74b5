import { assert, describe, it } from "@effect/vitest"
import * as Replacement from "../../src/run/Replacement.ts"

const fill = (command: ReadonlyArray<string>, inputs: ReadonlyArray<string>, number = 1) =>
  Replacement.compile(command).fill(inputs, number)

describe("replacement strings", () => {
  it("stand for the input and its parts, as in GNU parallel", () => {
    const of = (mark: string, input: string) => fill(["p", mark], [input])[1]
    const cases: ReadonlyArray<readonly [mark: string, input: string, expected: string]> = [
      ["{}", "dir/a.b.png", "dir/a.b.png"],
      ["{.}", "dir/a.b.png", "dir/a.b"],
      ["{/}", "dir/a.b.png", "a.b.png"],
      ["{//}", "dir/sub/a.png", "dir/sub"],
      ["{/.}", "dir/a.b.png", "a.b"],
      ["{#}", "dir/a.b.png", "1"],
      ["{.}", "dir.d/file", "dir.d/file"],
      ["{.}", ".bashrc", ".bashrc"],
      ["{.}", "dir/.bashrc", "dir/.bashrc"],
      ["{//}", "file", "."],
      ["{//}", "/file", "/"],
      ["{/}", "a\nb/c\nd", "c\nd"],
      ["{%}", "x", "{%}"],
      ["{ }", "x", "{ }"],
      ["a{}b{.}c", "x.y", "ax.ybxc"]
    ]
    for (const [mark, input, expected] of cases) {
      // What is no replacement string leaves the command closed, so the input comes behind it.
      assert.strictEqual(of(mark, input), expected, `${mark} of ${input}`)
    }
  })

  it("count tasks from one", () => {
    assert.deepStrictEqual(fill(["echo", "{#}", "{}"], ["x"], 7), ["echo", "7", "x"])
  })

  it("may be the program", () => {
    assert.deepStrictEqual(fill(["{}", "--version"], ["node"]), ["node", "--version"])
  })

  it("that are missing mean that inputs are appended", () => {
    assert.deepStrictEqual(fill(["echo", "-n"], ["a b"]), ["echo", "-n", "a b"])
    assert.deepStrictEqual(fill(["echo"], ["a", "b"]), ["echo", "a", "b"])
  })

  it("take inputs as they are, without a shell and without a second replacement", () => {
    assert.deepStrictEqual(fill(["echo", "{}"], ["$(rm -rf /); {} '\""]), ["echo", "$(rm -rf /); {} '\""])
  })

  it("name one of several sources by its number, or all of them", () => {
    assert.deepStrictEqual(fill(["echo", "{2}-{1}", "{1/}"], ["d/a", "b"]), ["echo", "b-d/a", "a"])
    assert.deepStrictEqual(fill(["echo", "{}", "x{}"], ["a", "b"]), ["echo", "a", "b", "xa b"])
    assert.strictEqual(Replacement.compile(["{3//}", "{1}"]).highestSource, 3)
  })
})

describe("several sources", () => {
  it("give all combinations, the last one fastest", () => {
    assert.deepStrictEqual(
      [
        ...Replacement.product([
          ["a", "b"],
          ["1", "2"]
        ])
      ],
      [
        ["a", "1"],
        ["a", "2"],
        ["b", "1"],
        ["b", "2"]
      ]
    )
    assert.deepStrictEqual([...Replacement.product([["a"], []])], [])
    assert.deepStrictEqual([...Replacement.product([])], [[]])
  })
})
