import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import * as InputProblem from "../../src/Api/InputProblem.ts"

const Command = Schema.Struct({
  program: Schema.NonEmptyString,
  args: Schema.optionalKey(Schema.Array(Schema.String)),
  timeout: Schema.optionalKey(Schema.Union([Schema.Number, Schema.String])),
  env: Schema.optionalKey(
    Schema.Record(Schema.String.check(Schema.isPattern(/^[A-Z]+$/, { expected: "capital letters" })), Schema.String)
  ),
  retry: Schema.optionalKey(Schema.Struct({ limit: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 100 })) }))
})
const Handler = Schema.Struct({
  handler: Schema.String,
  input: Schema.optionalKey(Schema.Json),
  timeout: Schema.optionalKey(Schema.Number.check(Schema.isGreaterThan(0)))
})
const Tasks = Schema.Array(Schema.Union([Command, Handler])).check(Schema.isMaxLength(2))
const Suite = Schema.Struct({
  name: Schema.String.check(Schema.isMaxLength(255)),
  workers: Schema.optionalKey(Schema.Int)
})

const messageOf = (schema: Schema.Codec<unknown, unknown>, input: unknown, root?: string): string => {
  const decoded = Schema.decodeUnknownResult(Schema.toCodecJson(schema), InputProblem.parseOptions)(input)
  return Result.isFailure(decoded) ? InputProblem.fromSchemaError(decoded.failure, root).message : "fine"
}

describe("what is wrong with input", () => {
  it.each([
    [[{ program: "ls", timeout: "1m" }], "fine"],
    [3, "the input is 3; allowed: array"],
    [undefined, "the input is missing; allowed: array"],
    [["ls"], '[0] is "ls"; allowed: object'],
    [[{}], "[0].program is missing; allowed: a value with a length of at least 1 (required)"],
    [[{ program: "" }], '[0].program is ""; allowed: a value with a length of at least 1'],
    [[{ program: "ls", args: [1] }], "[0].args[0] is 1; allowed: string"],
    [[{ program: "ls", timeout: [] }], "[0].timeout is []; allowed: number | string"],
    [
      [{ program: "ls", agrs: 1 }],
      "[0].agrs is 1; allowed: no such field; known are program, args, timeout, env, retry"
    ],
    [[{ program: "ls", retry: {} }], "[0].retry.limit is missing; allowed: a value between 0 and 100 (required)"],
    [[{ program: "ls", env: { a: "" } }], '[0].env.a is ""; allowed: no such field; names are capital letters'],
    [
      [{ program: "a" }, { program: "b" }, { program: "" }],
      '[2].program is ""; allowed: a value with a length of at least 1'
    ],
    [
      [{ program: "a" }, { program: "b" }, { program: "c" }],
      'the input is [{"program":"a"},{"program":"b"},{"program":"c"}]; allowed: a value with a length of at most 2'
    ]
  ])("%j", (input, message) => {
    assert.strictEqual(messageOf(Tasks, input), message)
  })

  it("is told of the member of a union that the writer meant", () => {
    assert.match(messageOf(Tasks, [{ handler: "h", timeout: 0 }]), /^\[0\]\.timeout is 0/)
    assert.match(
      messageOf(Tasks, [{ handler: "h", input: 1, args: [] }]),
      /^\[0\]\.args is \[\]; .*known are handler, input/
    )
  })

  it("is named from the root that the caller gives", () => {
    assert.match(messageOf(Tasks, [{ program: "" }], "tasks"), /^tasks\[0\]\.program is ""/)
    assert.match(messageOf(Suite, { name: "", workers: 0.5 }, "suite"), /^suite\.workers is 0.5; allowed: an integer$/)
    assert.match(messageOf(Suite, 1, "suite"), /^suite is 1; allowed: object/)
  })

  it("does not grow with the input", () => {
    const message = messageOf(Suite, { name: "x".repeat(1_000_000) })
    assert.isBelow(message.length, 400)
    assert.match(message, /^name is "x+…; allowed: a value with a length of at most 255$/)
  })

  it("is found at the first error of many", () => {
    const started = performance.now()
    messageOf(
      Tasks,
      Array.from({ length: 200_000 }, () => 1)
    )
    assert.isBelow(performance.now() - started, 1_000)
  })
})
