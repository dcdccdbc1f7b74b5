import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as TaskFile from "../src/TaskFile.ts"

const parse = (text: string, format?: TaskFile.Format) => TaskFile.parse("file", text, format)
const refusal = (text: string, format?: TaskFile.Format) =>
  Effect.map(Effect.flip(parse(text, format)), ({ message }) => message)

const two = [{ program: "a" }, { program: "b", args: ["1"] }]

describe("a file of tasks", () => {
  it.effect("is JSON, JSON lines or YAML, told apart by how it begins", () =>
    Effect.gen(function* () {
      const expected = { suite: undefined, tasks: two }
      assert.deepStrictEqual(yield* parse('[{"program":"a"},{"program":"b","args":["1"]}]'), expected)
      assert.deepStrictEqual(yield* parse('{"program":"a"}\n\n{"program":"b","args":["1"]}\n'), expected)
      assert.deepStrictEqual(yield* parse("- program: a\n- program: b\n  args: ['1']\n"), expected)
      assert.deepStrictEqual(yield* parse('{\n  "program": "a"\n}'), { suite: undefined, tasks: [{ program: "a" }] })
      assert.strictEqual(TaskFile.formatOf("x/tasks.YML"), "yaml")
      assert.strictEqual(TaskFile.formatOf("tasks"), undefined)
    })
  )

  it.effect("may describe its suite", () =>
    Effect.gen(function* () {
      const text = "suite:\n  name: nightly\ntasks:\n  - program: a\n"
      assert.deepStrictEqual(yield* parse(text), { suite: { name: "nightly" }, tasks: [{ program: "a" }] })
    })
  )

  it.effect("that is malformed is refused with line and column", () =>
    Effect.gen(function* () {
      assert.match(yield* refusal('[\n  {"program": "a"},\n  {"program" "b"}\n]'), /^file:3:14: Expected ':'/)
      assert.match(yield* refusal('[{"program": "a"', "json"), /^file:1:17: /)
      assert.match(yield* refusal('{"program":"a"}\n{"program":}\n', "jsonl"), /^file:2:12: Unexpected token/)
      const late = JSON.stringify([...Array.from({ length: 500 }, () => ({ program: "a" })), 1], undefined, 1)
      assert.match(yield* refusal(`${late.slice(0, -2)}x]`, "json"), /^file:1502:3: Expected ',' or ']'/)
      assert.match(yield* refusal("- program: a\n- program: 'b\n", "yaml"), /^file:\d+:\d+: Missing closing 'quote/)
      assert.match(yield* refusal("a:\n  - b\n c\n", "yaml"), /^file:\d+:\d+: /)
      assert.match(yield* refusal(`a: ${"[".repeat(20_000)}`, "yaml"), /^file:\d+:\d+: it is nested too deeply$/)
    })
  )

  it.effect("that holds something else is refused with what is allowed", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* refusal("42", "json"), "file: it holds 42; allowed: a list of tasks, or {suite, tasks}")
      assert.strictEqual(yield* refusal("", "yaml"), "file: it holds null; allowed: a list of tasks, or {suite, tasks}")
      assert.strictEqual(yield* refusal("tasks: 3", "yaml"), "file: tasks is 3; allowed: a list of tasks")
      assert.strictEqual(
        yield* refusal("tasks: []\nsuites: 1", "yaml"),
        "file: there is a field suites; allowed beside tasks: suite"
      )
    })
  )

  it.effect("that cannot be read is named with the reason", () =>
    Effect.gen(function* () {
      const directory = yield* Effect.acquireRelease(
        Effect.promise(() => mkdtemp(join(tmpdir(), "muster-tasks-"))),
        (path) => Effect.promise(() => rm(path, { recursive: true }))
      )
      const missing = join(directory, "none.json")
      const read = (path: string) => Effect.map(Effect.flip(TaskFile.read(path, undefined)), ({ message }) => message)
      assert.strictEqual(yield* read(missing), `cannot read ${missing}: there is no such file`)
      assert.strictEqual(yield* read(directory), `cannot read ${directory}: it is a directory`)
      const latin = join(directory, "latin.yaml")
      yield* Effect.promise(() => writeFile(latin, new Uint8Array([0xe9])))
      assert.strictEqual(yield* read(latin), `${latin} is not UTF-8 text`)
    })
  )

  it.effect("with aliases that multiply without end is refused", () =>
    Effect.gen(function* () {
      const levels = ["a: &a [x,x,x,x,x,x,x,x,x,x]"]
      for (const [own, other] of ["ba", "cb", "dc", "ed", "fe"].map((pair) => pair.split(""))) {
        levels.push(`${own}: &${own} [${Array.from({ length: 10 }, () => `*${other}`).join(",")}]`)
      }
      assert.match(yield* refusal(levels.join("\n"), "yaml"), /alias/i)
    })
  )
})
