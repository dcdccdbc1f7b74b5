import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { TaskSpec } from "@muster/domain/Task/Spec"
import { decodeTasks } from "../src/Input.ts"

const fieldOf = (input: unknown) => {
  const decoded = decodeTasks([{ program: "true" }, input], 40)
  return Result.isFailure(decoded) ? decoded.failure.field : undefined
}

describe("decodeTasks", () => {
  it.each([
    [{ program: "true", argz: [] }, "tasks[41].argz"],
    [{ program: "true", retry: { limit: 1, bakoff: "1s" } }, "tasks[41].retry.bakoff"],
    [{ handler: "noop", output: { tail: "1Ki", lines: 3 } }, "tasks[41].output.lines"],
    [{ program: "true", timeout: "-3s" }, "tasks[41].timeout"],
    [{ program: "" }, "tasks[41].program"],
    ["true", "tasks[41]"]
  ])("refuses %j and names %s", (input, field) => {
    assert.strictEqual(fieldOf(input), field)
  })

  it("takes texts that stand for durations and sizes, and fields of any name where users name them", () => {
    const input = {
      handler: "noop",
      input: { argz: [{ deep: null }] },
      env: { ARGZ: "1" },
      timeout: "90s",
      output: { limit: "1Mi" }
    }
    assert.deepStrictEqual(
      decodeTasks([input], 0),
      Result.succeed([{ ...input, timeout: 90_000, output: { limit: 1_048_576 } }])
    )
  })

  it.prop("takes what the schema takes, as the schema does", [TaskSpec], ([task]) => {
    const input = Schema.encodeSync(TaskSpec)(task)
    assert.deepStrictEqual(decodeTasks([input], 0), Result.succeed([Schema.decodeSync(TaskSpec)(input)]))
  })
})
