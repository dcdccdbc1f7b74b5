import { existsSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as NativeLauncher from "../../src/Command/NativeLauncher.ts"
import * as NodeLauncher from "../../src/Command/NodeLauncher.ts"
import * as CommandRunner from "../support/CommandRunner.ts"
import { until } from "../support/Until.ts"

const MEBIBYTE = 1024 * 1024

describe.each([
  ["native", NativeLauncher.make],
  ["node", NodeLauncher.make]
] as const)("output of commands started by %s", (_kind, launcher) => {
  const runner = CommandRunner.make(launcher)

  it.live("captures both streams, in the result and in files", () =>
    Effect.gen(function* () {
      const { log, start } = yield* runner
      const { attempt, result } = yield* start({ program: "sh", args: ["-c", "echo to out; echo to err >&2"] })
      const { stderr, stderrBytes, stdout, stdoutBytes } = yield* result
      assert.deepStrictEqual([stdout, stderr], ["to out\n", "to err\n"])
      assert.deepStrictEqual([stdoutBytes, stderrBytes], [undefined, undefined])
      assert.strictEqual(log(attempt, "stdout")?.toString(), "to out\n")
      assert.strictEqual(log(attempt, "stderr")?.toString(), "to err\n")
    })
  )

  it.live("creates no file where there is no output", () =>
    Effect.gen(function* () {
      const { directory, run } = yield* runner
      const result = yield* run({ program: "/bin/true" })
      assert.strictEqual(result.outcome, "succeeded")
      assert.isFalse("stdout" in result || "stderr" in result)
      assert.isFalse(existsSync(join(directory, "logs")))
    })
  )

  it.live("keeps the output of each command with its own", () =>
    Effect.gen(function* () {
      const { run } = yield* runner
      const outputs = yield* Effect.forEach(
        Array.from({ length: 30 }, (_, place) => String(place)),
        (text) => Effect.map(run({ program: "echo", args: [text] }), ({ stdout }) => stdout)
      )
      assert.deepStrictEqual(
        outputs,
        Array.from({ length: 30 }, (_, place) => `${place}\n`)
      )
    })
  )

  it.live("keeps the end of long output in the result and all of it in the file", () =>
    Effect.gen(function* () {
      const { log, start } = yield* runner
      const { attempt, result } = yield* start({ program: "seq", args: ["1", "200000"], output: { tail: 10 } })
      const { stdout, stdoutBytes } = yield* result
      assert.strictEqual(stdout, "99\n200000\n")
      assert.strictEqual(stdoutBytes, 1_288_895)
      const lines = log(attempt, "stdout")?.toString().trim().split("\n") ?? []
      assert.strictEqual(lines.length, 200_000)
      assert.isTrue(lines.every((line, place) => line === String(place + 1)))
    })
  )

  it.live("stops keeping at the limit, but lets the program write on", () =>
    Effect.gen(function* () {
      const { log, start } = yield* runner
      const { attempt, result } = yield* start({
        program: "sh",
        args: ["-c", "head -c 50000000 /dev/zero | tr '\\0' x; echo end"],
        output: { limit: MEBIBYTE, tail: 6 }
      })
      const { outcome, stdout, stdoutBytes } = yield* result
      assert.strictEqual(outcome, "succeeded")
      assert.strictEqual(stdout, "xxend\n")
      assert.strictEqual(stdoutBytes, 50_000_004)
      const kept = log(attempt, "stdout")
      assert.strictEqual(kept?.length, MEBIBYTE)
    })
  )

  it.live("makes text of output that is none, and keeps it as it was in the file", () =>
    Effect.gen(function* () {
      const { log, start } = yield* runner
      const { attempt, result } = yield* start({ program: "printf", args: ["a\\000b\\377\\303(\\342\\202\\254"] })
      assert.strictEqual((yield* result).stdout, "a\uFFFDb\uFFFD\uFFFD(€")
      const bytes = [0x61, 0, 0x62, 0xff, 0xc3, 0x28, 0xe2, 0x82, 0xac]
      assert.deepStrictEqual([...(log(attempt, "stdout") ?? [])], bytes)
    })
  )

  it.live("can be read while it runs", () =>
    Effect.gen(function* () {
      const { directory, log, start } = yield* runner
      const gate = join(directory, "gate")
      const { attempt, result } = yield* start({
        program: "sh",
        args: ["-c", `echo one; while [ ! -e ${gate} ]; do sleep 0.01; done; echo two`]
      })
      yield* until("the first line", () => log(attempt, "stdout")?.toString() === "one\n")
      writeFileSync(gate, "")
      assert.strictEqual((yield* result).stdout, "one\ntwo\n")
      assert.strictEqual(log(attempt, "stdout")?.toString(), "one\ntwo\n")
    })
  )

  it.live("lets programs open their own output by name", () =>
    Effect.gen(function* () {
      const { sh } = yield* runner
      const result = yield* sh("echo out > /dev/stdout; echo err > /dev/stderr")
      assert.deepStrictEqual([result.outcome, result.stdout, result.stderr], ["succeeded", "out\n", "err\n"])
    })
  )

  it.live("does not fail a command whose log cannot be written", () =>
    Effect.gen(function* () {
      const { directory, sh } = yield* runner
      writeFileSync(join(directory, "logs"), "in the way")
      const result = yield* sh("echo seen")
      assert.deepStrictEqual([result.outcome, result.stdout], ["succeeded", "seen\n"])
      assert.match(result.message ?? "", /^stdout: its log ends after 0 bytes \((ENOTDIR|EEXIST)\)$/)
    })
  )
})
