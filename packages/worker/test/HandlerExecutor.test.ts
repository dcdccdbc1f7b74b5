import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Layer } from "effect"
import type { Schema } from "effect"
import { resolve } from "@muster/domain/Task"
import type { AttemptResult, HandlerSpec } from "@muster/domain/Task"
import type { Attempt } from "../src/Executor.ts"
import * as Module from "../src/Handler/Module.ts"
import { noopHandler } from "../src/Handler/Noop.ts"
import * as HandlerExecutor from "../src/HandlerExecutor.ts"
import { Replacement } from "../src/Replacement.ts"
import * as WorkerConfig from "../src/WorkerConfig.ts"
import { managerId, suiteId } from "./support/TestManager.ts"

const modulePath = fileURLToPath(new URL("support/handlers.ts", import.meta.url))

const make = (handlers: string | undefined = modulePath) =>
  Effect.gen(function* () {
    const config = { socket: "", slot: 0, managerId, logDir: "", workDir: "", handlers }
    const context = yield* Layer.build(Layer.merge(WorkerConfig.layer(config), Replacement.layer))
    const executor = yield* Effect.provide(HandlerExecutor.make(), context)
    let index = 0
    const abandoned: Array<string> = []
    const start = (handler: string, input?: Schema.Json, settings: Partial<HandlerSpec> = {}) =>
      Effect.sync(() => {
        const spec: HandlerSpec = { handler, ...(input === undefined ? {} : { input }), ...settings }
        const attempt: Attempt = {
          item: { suiteId, index: index++, attempt: 1, spec },
          defaults: {},
          settings: resolve(spec, {}),
          startedAt: undefined
        }
        const settled = Deferred.makeUnsafe<AttemptResult>()
        executor.start(attempt, spec, {
          settle: (result) => {
            if (!Deferred.doneUnsafe(settled, Effect.succeed(result))) throw new Error("settled twice")
          },
          abandon: () => void abandoned.push(handler)
        })
        return { attempt, result: Deferred.await(settled), isSettled: () => Deferred.isDoneUnsafe(settled) }
      })
    return {
      executor,
      abandoned,
      replacement: (yield* Effect.provide(Replacement, context)).requested,
      start,
      run: (handler: string, input?: Schema.Json, settings?: Partial<HandlerSpec>) =>
        Effect.flatMap(start(handler, input, settings), ({ result }) => result)
    }
  })

describe("handlers", () => {
  it.live("are found in a module, alone and in collections, beside the one that is always there", () =>
    Effect.gen(function* () {
      const { executor } = yield* make()
      assert.strictEqual(
        executor.handlers
          .map(({ name }) => name)
          .toSorted()
          .join(" "),
        "answers blocks deaf double endless exits lies next-day noop patient pause rejects stubborn throws"
      )
      assert.deepStrictEqual(executor.handlers.find(({ name }) => name === "double")?.concurrency, 2)
    })
  )

  it.live("return what they return, within the call where they can", () =>
    Effect.gen(function* () {
      const { run, start } = yield* make()
      const { isSettled, result } = yield* start("double", { n: 4 })
      assert.isTrue(isSettled())
      const { attempt, duration, finishedAt, index, outcome, output, startedAt } = yield* result
      assert.deepStrictEqual([index, attempt, outcome, output], [0, 1, "succeeded", 8])
      assert.isTrue((duration ?? -1) >= 0 && finishedAt >= (startedAt ?? Number.POSITIVE_INFINITY))
      assert.deepStrictEqual((yield* run("pause", { millis: 20 })).output, 20)
      assert.deepStrictEqual((yield* run("noop", { any: ["thing"] })).output, { any: ["thing"] })
      assert.deepStrictEqual((yield* run("noop")).output, null)
    })
  )

  it.live("get and give values that JSON does not know", () =>
    Effect.gen(function* () {
      const { run } = yield* make()
      const { outcome, output } = yield* run("next-day", "2026-02-28T12:00:00.000Z")
      assert.deepStrictEqual([outcome, output], ["succeeded", "2026-03-01T12:00:00.000Z"])
    })
  )

  it.live("are not called with input that does not fit, and the message names the field", () =>
    Effect.gen(function* () {
      const { run } = yield* make()
      const results = yield* Effect.forEach([{ n: "4" }, {}, { n: 4, m: 1 }, null, { n: 5_000 }], (input) =>
        run("double", input)
      )
      assert.isTrue(results.every(({ outcome, startedAt }) => outcome === "not_started" && startedAt === undefined))
      const messages = results.map(({ message }) => message ?? "")
      assert.match(messages[0] ?? "", /^input\.n is "4"; allowed: /)
      assert.match(messages[1] ?? "", /^input\.n is missing; allowed: /)
      assert.match(messages[2] ?? "", /^input\.m is 1; allowed: /)
      assert.match(messages[3] ?? "", /^input is null; allowed: /)
      assert.match(messages[4] ?? "", /^input\.n is 5000; allowed: .*1000/)
    })
  )

  it.live("that do not exist are named, with those that do", () =>
    Effect.gen(function* () {
      const { run } = yield* make(undefined)
      const { message, outcome } = yield* make("/no/such/module.ts").pipe(
        Effect.flatMap((other) => other.run("double", {}))
      )
      assert.strictEqual(outcome, "not_started")
      assert.match(
        message ?? "",
        /^no handler "double" is loaded here \(there are: noop; handlers cannot be loaded from/
      )
      assert.strictEqual((yield* run("noop", 1)).output, 1)
    })
  )

  it.live("fail with the failure they declare, as a value", () =>
    Effect.gen(function* () {
      const { run } = yield* make()
      const { outcome, output, stderr } = yield* run("double", { n: 101 })
      assert.deepStrictEqual([outcome, output, stderr], ["failed", { _tag: "TooBig", limit: 100 }, undefined])
    })
  )

  it.live("that throw or reject fail with the message, and the stack for those who look for it", () =>
    Effect.gen(function* () {
      const { run } = yield* make()
      const thrown = yield* run("throws", 1)
      assert.deepStrictEqual([thrown.outcome, thrown.message], ["failed", "TypeError: on purpose"])
      assert.match(thrown.stderr ?? "", /^TypeError: on purpose\nwith a second line\n\s+at .*handlers\.ts/)
      const rejected = yield* run("rejects", 1)
      assert.deepStrictEqual([rejected.outcome, rejected.message], ["failed", "RangeError: later"])
      assert.isAtMost((yield* run("throws", 1, { output: { tail: 20 } })).stderr?.length ?? 0, 20)
    })
  )

  it.live("fail when they give what they did not promise, or what nobody can carry", () =>
    Effect.gen(function* () {
      const { run } = yield* make()
      const lie = yield* run("lies", 1)
      assert.strictEqual(lie.outcome, "failed")
      assert.match(lie.message ?? "", /^output of handler "lies" does not fit its schema: .*n is 1\.5/)
      const messages = yield* Effect.forEach(["nul", "huge", "deep"], (kind) =>
        Effect.map(run("answers", { kind }), ({ message, outcome, output }) => [outcome, output, message])
      )
      assert.deepStrictEqual(messages, [
        ["failed", undefined, 'output of handler "answers" contains text with NUL characters or lone surrogates'],
        ["failed", undefined, 'output of handler "answers" is larger than 1048576 characters'],
        ["failed", undefined, 'output of handler "answers" is nested deeper than 128 levels']
      ])
      assert.strictEqual((yield* run("answers", { kind: "nothing" })).outcome, "succeeded")
    })
  )

  it.live("are interrupted at their timeout", () =>
    Effect.gen(function* () {
      const { replacement, run } = yield* make()
      const { duration, message, outcome } = yield* run("endless", 1, { timeout: 50 })
      assert.deepStrictEqual([outcome, message], ["timed_out", undefined])
      assert.isTrue((duration ?? 0) >= 45 && (duration ?? 0) < 4_000)
      assert.isFalse(Deferred.isDoneUnsafe(replacement))
    })
  )

  it.live("can be cancelled, each by itself, and see it in their signal", () =>
    Effect.gen(function* () {
      const { executor, start } = yield* make()
      const [one, two] = [yield* start("patient", 1), yield* start("endless", 2)]
      executor.cancel(one.attempt)
      assert.strictEqual((yield* one.result).outcome, "cancelled")
      assert.isFalse(two.isSettled())
      executor.cancel(two.attempt)
      executor.cancel(two.attempt)
      assert.strictEqual((yield* two.result).outcome, "cancelled")
    })
  )

  it.live("that do not heed their interruption are given up after the grace, and with them the process", () =>
    Effect.gen(function* () {
      for (const name of ["stubborn", "deaf"]) {
        const { abandoned, replacement, start } = yield* make()
        const { isSettled } = yield* start(name, 1, { timeout: 30, grace: 60 })
        assert.strictEqual((yield* Deferred.await(replacement)).exitCode, 75)
        // It has not ended, so nobody may be told so.
        assert.deepStrictEqual([abandoned, isSettled()], [[name], false])
      }
    })
  )
})

describe("a module of handlers", () => {
  const load = (text: string) =>
    Effect.gen(function* () {
      const directory = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "muster-handlers-"))),
        (path) => Effect.sync(() => rmSync(path, { recursive: true }))
      )
      const path = join(directory, "module.mjs")
      writeFileSync(path, text)
      return yield* Module.load(path, [noopHandler]).pipe(
        Effect.match({
          onSuccess: (handlers) => handlers.map(({ name }) => name).join(" "),
          onFailure: ({ reason }) => reason
        })
      )
    })

  const handler = (name: string) =>
    `{ _tag: "MusterHandler", name: "${name}", concurrency: 1, input: {}, output: {}, failure: {}, run() {} }`

  it.live("may export them by default", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* load(`export default { a: ${handler("a")}, b: ${handler("b")} }`), "a b")
    })
  )

  it.live("is refused with the reason", () =>
    Effect.gen(function* () {
      const reasons = yield* Effect.forEach(
        [
          "export const nothing = 1",
          `export const a = ${handler("same")}; export const b = ${handler("same")}`,
          `export const a = ${handler("noop")}`,
          `export const a = { ...${handler("a")}, concurrency: 0.5 }`,
          `export const a = ${handler("")}`,
          "throw new Error('not today\\nreally')",
          "export const ="
        ],
        load
      )
      assert.deepStrictEqual(reasons.slice(0, 6), [
        "it exports no handler",
        'there is more than one handler with the name "same"',
        'there is more than one handler with the name "noop"',
        'of handler "a" concurrency is 0.5; allowed: an integer',
        'of handler "" name is ""; allowed: a value with a length of at least 1',
        "not today"
      ])
      assert.match(reasons[6] ?? "", /^.+$/)
    })
  )
})
