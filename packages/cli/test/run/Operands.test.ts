import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Operands from "../../src/run/Operands.ts"
import * as Replacement from "../../src/run/Replacement.ts"

const check = (operands: ReadonlyArray<string>, { eachLine = false, handler = false } = {}) => {
  const split = Operands.split(operands)
  return Operands.check(split, { ...Replacement.compile(split.command), eachLine, handler })
}

describe("operands", () => {
  it("are a command and sources of inputs", () => {
    assert.deepStrictEqual(Operands.split(["echo", "{}", ":::", "a", "b", ":::", "1"]), {
      command: ["echo", "{}"],
      sources: [["a", "b"], ["1"]]
    })
    assert.deepStrictEqual(Operands.split(["true"]), { command: ["true"], sources: [] })
    assert.deepStrictEqual(Operands.split(["echo", ":::"]), { command: ["echo"], sources: [[]] })
  })

  it.effect("that make sense are let through", () =>
    Effect.gen(function* () {
      yield* check(["true"])
      yield* check(["echo", "{}", ":::", "a"])
      yield* check(["echo", "{2}", ":::", "a", ":::", "b"])
      yield* check(["echo", "{}"], { eachLine: true })
      yield* check([":::", "1"], { handler: true })
    })
  )

  it.effect("that make none are refused before anything is made", () =>
    Effect.gen(function* () {
      const cases: ReadonlyArray<readonly [Effect.Effect<void, { readonly message: string }>, string]> = [
        [check([]), "there is no program to run"],
        [check([":::", "a"]), "there is no program to run"],
        [check([""]), 'the program is ""; allowed: a name or a path'],
        [check(["echo", "{}"]), "there are replacement strings but no inputs"],
        [check(["echo", "{3}", ":::", "a"]), "{3} is used, but there are only 1 sources of inputs"],
        [
          check(["echo", ":::", "a"], { eachLine: true }),
          "inputs come either after `:::` or with --each-line, not both"
        ],
        [check(["echo", ":::", "1"], { handler: true }), "--handler runs a handler, so there can be no program"],
        [
          check([":::", "1", ":::", "2"], { handler: true }),
          "a handler takes one input, so there can be only one `:::`"
        ]
      ]
      for (const [refused, message] of cases) assert.strictEqual((yield* Effect.flip(refused)).message, message)
    })
  )
})
