/**
 * What users may ask of tasks and suites, and what they are told when they ask for something else.
 */
import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import * as InputProblem from "@muster/domain/Api/InputProblem"
import * as ByteSize from "@muster/domain/ByteSize"
import type { InvalidInput } from "@muster/domain/Errors"
import * as Millis from "@muster/domain/Millis"
import { SuiteSpec, leaseOf } from "@muster/domain/Suite/Spec"
import { TaskSpec, resolve, resolveRetry } from "@muster/domain/Task/Spec"
import * as Properties from "./support/Properties.ts"

const Tasks = Schema.Array(TaskSpec)
const decodeTasks = Schema.decodeUnknownResult(Tasks, InputProblem.parseOptions)
const decodeSuite = Schema.decodeUnknownResult(SuiteSpec, InputProblem.parseOptions)

/** What is said of a task that is refused; it stands behind another one. */
const said = (task: unknown): InvalidInput => {
  const result = decodeTasks([{ program: "true" }, task])
  if (Result.isSuccess(result)) return assert.fail(`took ${JSON.stringify(task)}`)
  return InputProblem.fromSchemaError(result.failure, "tasks")
}

const commandFields = "program, args, stdin, env, cwd, timeout, grace, retry, output, priority, labels"
const handlerFields = "handler, input, env, cwd, timeout, grace, retry, output, priority, labels"
const program = "the name or path of a program, at most 4096 characters"
const carriable = "text without NUL characters and lone surrogates"
const variable = "the name of a variable: at least one character, no =, NUL or lone surrogate"

describe("a task", () => {
  it("may have all of its fields, durations and sizes as text or numbers", () => {
    const decoded = decodeTasks([
      {
        program: "/bin/sh",
        args: ["-c", "exit 0", ""],
        stdin: "",
        env: { PATH: "/bin", "a b": "", ü: "x=y" },
        cwd: "/tmp",
        timeout: "1h30m",
        grace: 0,
        retry: { limit: 3, backoff: "100ms", factor: 1.5, maxBackoff: "1m", jitter: 0 },
        output: { tail: "64Ki", limit: 1_024 },
        priority: -5,
        labels: ["nightly", "kind:test"]
      },
      { handler: "hash", input: { deep: [null, 1.5, "x"] } },
      { handler: "ping" }
    ])
    assert.deepStrictEqual(Result.getOrThrow(decoded)[0], {
      program: "/bin/sh",
      args: ["-c", "exit 0", ""],
      stdin: "",
      env: { PATH: "/bin", "a b": "", ü: "x=y" },
      cwd: "/tmp",
      timeout: 5_400_000,
      grace: 0,
      retry: { limit: 3, backoff: 100, factor: 1.5, maxBackoff: 60_000, jitter: 0 },
      output: { tail: 65_536, limit: 1_024 },
      priority: -5,
      labels: ["nightly", "kind:test"]
    })
  })

  it.prop("survives storage", [TaskSpec], ([spec]) => {
    Properties.survivesJson(TaskSpec, spec)
  })

  it.each([
    ["no program", {}, "program", "missing", `${program} (required)`],
    ["an empty program", { program: "" }, "program", '""', "a value with a length of at least 1"],
    ["a NUL", { program: "a\0b" }, "program", '"a\\u0000b"', carriable],
    ["a lone surrogate", { program: "a", args: ["\uD800"] }, "args[0]", '"\\ud800"', carriable],
    ["a program that is a number", { program: 5 }, "program", "5", "string"],
    ["arguments in one text", { program: "a", args: "b c" }, "args", '"b c"', "array"],
    ["a negative timeout", { program: "a", timeout: -1 }, "timeout", "-1", "a duration from 1ms to 365d"],
    ["no time at all", { program: "a", timeout: "0s" }, "timeout", "0", "a duration from 1ms to 365d"],
    ["a timeout without unit", { program: "a", timeout: "90" }, "timeout", '"90"', Millis.expected],
    ["a timeout that is neither", { program: "a", timeout: true }, "timeout", "true", Millis.expected],
    ["too many retries", { program: "a", retry: { limit: 101 } }, "retry.limit", "101", "a value between 0 and 100"],
    [
      "retries without limit",
      { program: "a", retry: {} },
      "retry.limit",
      "missing",
      "a value between 0 and 100 (required)"
    ],
    ["retries as a number", { program: "a", retry: 3 }, "retry", "3", "object"],
    [
      "a tail that is too long",
      { program: "a", output: { tail: "1Mi" } },
      "output.tail",
      "1048576",
      "a size from 0 to 64Ki"
    ],
    ["a tail that is no size", { program: "a", output: { tail: "much" } }, "output.tail", '"much"', ByteSize.expected],
    ["a fraction of a priority", { program: "a", priority: 1.5 }, "priority", "1.5", "an integer"],
    [
      "a label of two words",
      { program: "a", labels: ["b c"] },
      "labels[0]",
      '"b c"',
      "text without white space and commas"
    ],
    ["a misspelt field", { program: "a", timeuot: 5 }, "timeuot", "5", `no such field; known are ${commandFields}`],
    [
      "a misspelt field of a part",
      { program: "a", retry: { limit: 1, delay: 5 } },
      "retry.delay",
      "5",
      "no such field; known are limit, backoff, factor, maxBackoff, jitter"
    ],
    [
      "arguments for a handler",
      { handler: "h", args: ["a"] },
      "args",
      '["a"]',
      `no such field; known are ${handlerFields}`
    ],
    ["input for a program", { program: "a", input: 1 }, "input", "1", `no such field; known are ${commandFields}`],
    ["both kinds", { program: "a", handler: "b" }, "handler", '"b"', `no such field; known are ${commandFields}`],
    ["a wrong variable name", { program: "a", env: { "B=": "x" } }, "env.B=", '"B="', variable],
    ["an empty variable name", { program: "a", env: { "": "x" } }, "env", '""', variable],
    ["a variable that is a number", { program: "a", env: { B: 5 } }, "env.B", "5", "string"],
    ["an empty directory", { program: "a", cwd: "" }, "cwd", '""', "a value with a length of at least 1"],
    ["a handler without name", { handler: "" }, "handler", '""', "a value with a length of at least 1"],
    ["a handler of two lines", { handler: "a\nb" }, "handler", '"a\\nb"', "a single line"]
  ])("is refused with field, value and what is allowed: %s", (_, task, field, value, expected) => {
    const error = said(task)
    assert.deepStrictEqual([error.field, error.value, error.expected], [`tasks[1].${field}`, value, expected])
  })

  it.each([null, 5, "sleep 1", [], true])("is an object, not %j", (task) => {
    const { expected, field, value } = said(task)
    assert.deepStrictEqual([field, value, expected], ["tasks[1]", JSON.stringify(task), "object"])
  })

  it("is quoted up to 200 characters", () => {
    assert.strictEqual(said({ program: "x".repeat(5_000) }).value, `"${"x".repeat(199)}…`)
    assert.strictEqual(said({ program: "a", args: "𝄞".repeat(500) }).value.isWellFormed(), true)
  })

  it("never loses a variable, however it is read", () => {
    for (const env of [{ "A=": "1" }, { "": "1" }, { "A\0": "1" }, { "\uD800": "1" }]) {
      assert.isTrue(Result.isFailure(Schema.decodeUnknownResult(TaskSpec)({ program: "a", env })), JSON.stringify(env))
    }
  })

  it("is limited in size", () => {
    const largest = {
      program: "p".repeat(4_096),
      args: ["a".repeat(131_071)],
      stdin: "s".repeat(1_024 ** 2),
      env: { A: "v".repeat(131_071) }
    }
    assert.isTrue(Result.isSuccess(decodeTasks([largest])))
    for (const [field, value] of [
      ["program", "p".repeat(4_097)],
      ["args", ["a".repeat(131_072)]],
      ["args", Array.from({ length: 65_537 }, () => "")],
      ["stdin", "s".repeat(1_024 ** 2 + 1)],
      ["env", { A: "v".repeat(131_072) }]
    ] as const) {
      assert.match(said({ ...largest, [field]: value }).field, new RegExp(`^tasks\\[1\\]\\.${field}`))
    }
  })
})

describe("a suite", () => {
  it.each([
    ["no workers", { workers: 0 }, "workers", "0", "a value between 1 and 256"],
    ["too many workers", { workers: 257 }, "workers", "257", "a value between 1 and 256"],
    ["an empty name", { name: "" }, "name", '""', "a value with a length of at least 1"],
    ["a name of two lines", { name: "a\nb" }, "name", '"a\\nb"', "a single line"],
    ["no failure allowed", { maxFails: 0 }, "maxFails", "0", "a value between 1 and 2147483647"],
    ["neither keep nor stop", { onDisconnect: "end" }, "onDisconnect", '"end"', '"keep" | "stop"'],
    [
      "a lease that is too short",
      { onDisconnect: "stop", leaseDuration: 4_999 },
      "leaseDuration",
      "4999",
      "a duration from 5s to 1d"
    ],
    [
      "a lease that is too long",
      { onDisconnect: "stop", leaseDuration: "25h" },
      "leaseDuration",
      "90000000",
      "a duration from 5s to 1d"
    ],
    [
      "the length of a lease that it does not ask for",
      { leaseDuration: 30_000 },
      "leaseDuration",
      "30000",
      'nothing without onDisconnect: "stop"'
    ],
    [
      "the length of a lease where tasks go on",
      { onDisconnect: "keep", leaseDuration: 30_000 },
      "leaseDuration",
      "30000",
      'nothing without onDisconnect: "stop"'
    ],
    ["tags in one text", { tags: ["a,b"] }, "tags[0]", '"a,b"', "text without white space and commas"],
    [
      "a priority that is too high",
      { priority: 2 ** 31 },
      "priority",
      "2147483648",
      "a value between -2147483648 and 2147483647"
    ],
    [
      "defaults that are a task's own",
      { defaults: { priority: 1 } },
      "defaults.priority",
      "1",
      "no such field; known are env, cwd, timeout, grace, retry, output"
    ]
  ])("is refused with field, value and what is allowed: %s", (_, spec, field, value, expected) => {
    const result = decodeSuite(spec)
    if (Result.isSuccess(result)) return assert.fail("took it")
    const error = InputProblem.fromSchemaError(result.failure)
    assert.deepStrictEqual([error.field, error.value, error.expected], [field, value, expected])
    assert.strictEqual(error.message, `${field} is ${value}; allowed: ${expected}`)
  })

  it("asks for a lease when it is to stop, of two minutes if it does not say", () => {
    assert.isUndefined(leaseOf({}))
    assert.isUndefined(leaseOf({ onDisconnect: "keep" }))
    assert.deepStrictEqual(leaseOf({ onDisconnect: "stop" }), { duration: 120_000, margin: 2_200 })
    const spec = Result.getOrThrow(decodeSuite({ onDisconnect: "stop", leaseDuration: "5s" }))
    assert.deepStrictEqual(leaseOf(spec), { duration: 5_000, margin: 1_050 })
  })

  it("may be nothing but that", () => {
    assert.deepStrictEqual(decodeSuite({}), Result.succeed({}))
  })

  it.prop("survives storage", [SuiteSpec], ([spec]) => {
    Properties.survivesJson(SuiteSpec, spec)
  })
})

describe("settings", () => {
  it("come from the task, then its suite, then the system", () => {
    const spec = { program: "a", env: { A: "task", B: "task" }, timeout: 5, output: { tail: 1 } }
    const suite = { env: { A: "suite", C: "suite" }, timeout: 9, grace: 7, cwd: "/srv", output: { tail: 2, limit: 3 } }
    assert.deepStrictEqual(resolve(spec, suite), {
      env: { A: "task", B: "task", C: "suite" },
      cwd: "/srv",
      timeout: 5,
      grace: 7,
      retry: resolveRetry(),
      output: { tail: 1, limit: 3 }
    })
    assert.deepStrictEqual(resolve({ program: "a" }, {}), {
      env: {},
      cwd: undefined,
      timeout: undefined,
      grace: 5_000,
      retry: { limit: 0, backoff: 1_000, factor: 2, maxBackoff: 60_000, jitter: 0.2 },
      output: { tail: 4_096, limit: 64 * 1_024 ** 2 }
    })
  })

  it("of retries are the task's or the suite's, not a mixture", () => {
    const suite = { retry: { limit: 5, backoff: 10 } }
    assert.strictEqual(resolve({ program: "a", retry: { limit: 1 } }, suite).retry.backoff, 1_000)
    assert.strictEqual(resolve({ program: "a" }, suite).retry.backoff, 10)
  })
})
