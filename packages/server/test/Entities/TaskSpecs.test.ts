import { assert, describe, it } from "@effect/vitest"
import { fitting } from "../../src/Entities/TaskSpecs.ts"

describe("TaskSpecs.fitting", () => {
  const large = { program: "echo", args: ["x".repeat(1_000)] }

  it("takes as many specs as fit into a message, from the first on", () => {
    assert.strictEqual(fitting([large, large, large], 3_000), 2)
    assert.strictEqual(fitting([large, large, large], 10_000), 3)
  })

  it("measures what users may make long: arguments, standard input, variables, input of handlers", () => {
    const text = "x".repeat(1_000)
    for (const spec of [
      { program: "cat", stdin: text },
      { program: "env", env: { NAME: text } },
      { handler: "hash", input: { text } },
      { handler: "hash", input: text }
    ]) {
      assert.strictEqual(fitting([spec, spec], 2_000), 1)
    }
  })

  it("takes one spec however large, and none of none", () => {
    assert.strictEqual(fitting([large], 10), 1)
    assert.strictEqual(fitting([], 10), 0)
  })
})
