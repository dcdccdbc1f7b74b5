import { spawn } from "node:child_process"
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { build } from "esbuild"
import { Effect } from "effect"
import * as LogFile from "@muster/domain/LogFile"
import type { TaskSpec } from "@muster/domain/Task"
import { isAlive, withArgument } from "./support/Processes.ts"
import * as TestManager from "./support/TestManager.ts"
import { until } from "./support/Until.ts"

const { suiteId } = TestManager

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url))

const handlers = { MUSTER_HANDLERS: fileURLToPath(new URL("support/handlers.ts", import.meta.url)) }

/** A number that no other process of this machine has among its arguments, to be found again. */
const unique = () => String(100_000 + Math.random() * 900_000).slice(0, 12)

const sh = (script: string, spec: Partial<TaskSpec> = {}): TaskSpec => ({
  program: "sh",
  args: ["-c", script],
  ...spec
})

/** A manager with an attached worker that knows its suite. */
const begin = (env: Record<string, string> = {}) =>
  Effect.gen(function* () {
    const manager = yield* TestManager.make
    const worker = yield* manager.start({ env })
    yield* manager.attached
    yield* manager.useSuite({ env: { FROM_SUITE: "yes" } })
    return { manager, worker }
  })

/** Processes that run somewhere in a command's tree, in sessions of their own too. */
const tree = (seconds: string) =>
  sh(`setsid sh -c 'trap "" TERM; sleep ${seconds}' & sleep ${seconds} & (trap "" TERM; sleep ${seconds})`, {
    grace: 100
  })

const treeSize = 4

describe("a worker process", () => {
  it.live("announces its handlers and runs what it gets, in order, with the suite's defaults", () =>
    Effect.gen(function* () {
      const { manager } = yield* begin(handlers)
      const announced = yield* manager.attached
      assert.deepInclude(announced, { name: "double", concurrency: 2 })
      assert.isTrue(announced.some(({ name }) => name === "noop"))
      yield* manager.add([
        sh('echo "$FROM_SUITE $MUSTER_TASK_ID"'),
        { handler: "noop", input: { a: [1] } },
        { handler: "double", input: { n: 21 } },
        { handler: "double", input: { n: "x" } },
        { handler: "throws" },
        { program: "/no/such/program" },
        sh("exit 3")
      ])
      yield* manager.resultsReached(7)
      const results = [...manager.results.values()]
      assert.deepStrictEqual(
        results.map(({ index, outcome }) => [index, outcome]),
        [
          [0, "succeeded"],
          [1, "succeeded"],
          [2, "succeeded"],
          [3, "not_started"],
          [4, "failed"],
          [5, "not_started"],
          [6, "failed"]
        ]
      )
      assert.strictEqual(results[0]?.stdout, `yes ${suiteId}.0\n`)
      assert.deepStrictEqual([results[1]?.output, results[2]?.output, results[6]?.exitCode], [{ a: [1] }, 42, 3])
      assert.strictEqual(
        readFileSync(join(manager.logDir, LogFile.path(suiteId, 0, 1, "stdout")), "utf8"),
        `yes ${suiteId}.0\n`
      )
    })
  )

  it.live("tells what began to run if it runs for longer than a moment, and gives signs of life", () =>
    Effect.gen(function* () {
      const { manager } = yield* begin(handlers)
      yield* manager.add([sh("sleep 0.5; exit 4"), { handler: "pause", input: { millis: 300 } }, sh("exit 5")])
      yield* manager.resultsReached(3)
      assert.deepStrictEqual(
        manager.started.map(({ index, startedAt }) => [index, startedAt]),
        [0, 1].map((index) => [index, manager.results.get(`${index}.1`)?.startedAt])
      )
      assert.isAbove(manager.started[0]?.pid ?? 0, 1)
      assert.isUndefined(manager.started[1]?.pid)
      const beats = manager.beats()
      assert.isAtLeast(beats, 1)
      yield* until("another beat", () => manager.beats() > beats)
    })
  )

  it.live("hands in a lone result at once, while others run and while it waits for more", () =>
    Effect.gen(function* () {
      const { manager } = yield* begin(handlers)
      yield* manager.add([
        { handler: "pause", input: { millis: 60_000 } },
        { handler: "pause", input: { millis: 1 } }
      ])
      assert.strictEqual((yield* manager.result(1)).output, 1)
      assert.strictEqual(manager.results.size, 1)
    })
  )

  it.live("cancels what runs, and goes on", () =>
    Effect.gen(function* () {
      const { manager } = yield* begin(handlers)
      const seconds = unique()
      yield* manager.add([tree(seconds), { handler: "endless" }, sh("echo next")])
      yield* until("the whole tree", () => withArgument(seconds).length >= treeSize)
      yield* manager.tell({ _tag: "Cancel", suiteId, index: 0, attempt: 1 })
      assert.strictEqual((yield* manager.result(0)).outcome, "cancelled")
      assert.deepStrictEqual(withArgument(seconds), [])
      yield* until("the handler", () => manager.started.some(({ index }) => index === 1))
      yield* manager.tell({ _tag: "Cancel", suiteId, index: 1, attempt: 1 })
      assert.strictEqual((yield* manager.result(1)).outcome, "cancelled")
      assert.strictEqual((yield* manager.result(2)).stdout, "next\n")
    })
  )

  it.live("finishes what it has when it is told to stop, takes nothing more, and exits", () =>
    Effect.gen(function* () {
      const { manager, worker } = yield* begin()
      yield* manager.add([sh("sleep 0.3; echo done"), sh("echo never")])
      yield* until("the start", () => manager.started.length === 1)
      yield* manager.tell({ _tag: "Stop" })
      assert.deepStrictEqual(yield* worker.exited, { exitCode: 0, signal: null })
      yield* worker.gone
      assert.strictEqual(manager.results.get("0.1")?.stdout, "done\n")
      assert.strictEqual(manager.results.size, 1)
    })
  )

  it.live("stops while it waits for tasks", () =>
    Effect.gen(function* () {
      const { manager, worker } = yield* begin()
      yield* manager.tell({ _tag: "Stop" })
      yield* manager.dismiss
      assert.deepStrictEqual(yield* worker.exited, { exitCode: 0, signal: null })
      yield* worker.gone
    })
  )

  it.live("leaves no process when it is killed, and the lifeline ends after them", () =>
    Effect.gen(function* () {
      const { manager, worker } = yield* begin()
      const seconds = unique()
      yield* manager.add([tree(seconds)])
      yield* until("the whole tree", () => withArgument(seconds).length >= treeSize)
      worker.kill("SIGKILL")
      yield* worker.gone
      assert.deepStrictEqual(withArgument(seconds), [])
      assert.deepStrictEqual(withArgument(join(manager.workDir, "worker-0")), [])
    })
  )

  it.live("ends its tasks and itself when its manager's process is gone", () =>
    Effect.gen(function* () {
      const { manager, worker } = yield* begin()
      const seconds = unique()
      yield* manager.add([tree(seconds)])
      yield* until("the whole tree", () => withArgument(seconds).length >= treeSize)
      worker.closeStdin()
      assert.deepStrictEqual(yield* worker.exited, { exitCode: 69, signal: null })
      yield* worker.gone
      assert.deepStrictEqual(withArgument(seconds), [])
    })
  )

  it.live("ends its tasks and itself when the connection to its manager breaks", () =>
    Effect.gen(function* () {
      const { manager, worker } = yield* begin()
      const seconds = unique()
      yield* manager.add([tree(seconds)])
      yield* until("the whole tree", () => withArgument(seconds).length >= treeSize)
      yield* manager.detach
      assert.deepStrictEqual(yield* worker.exited, { exitCode: 69, signal: null })
      assert.deepStrictEqual(withArgument(seconds), [])
    })
  )

  it.live("leaves no process when manager and worker are killed together", () =>
    Effect.gen(function* () {
      const manager = yield* TestManager.make
      const seconds = unique()
      // The process that holds the worker's pipes, as a manager's process does.
      const parent = yield* Effect.acquireRelease(
        Effect.sync(() => spawn(process.execPath, ["-e", holder], { env: manager.environment(), stdio: "pipe" })),
        (child) => Effect.sync(() => child.kill("SIGKILL"))
      )
      const worker = yield* Effect.callback<number>((resume) => {
        parent.stdout.once("data", (text: Buffer) => resume(Effect.succeed(Number(text))))
      })
      yield* manager.attached
      yield* manager.useSuite()
      yield* manager.add([tree(seconds)])
      yield* until("the whole tree", () => withArgument(seconds).length >= treeSize)
      parent.kill("SIGKILL")
      process.kill(worker, "SIGKILL")
      yield* until("the end of everything", () => withArgument(seconds).length === 0)
      yield* until("the end of its helpers", () => withArgument(manager.workDir).length === 0)
    })
  )

  it.live("does not mind the signals that a manager's whole group gets", () =>
    Effect.gen(function* () {
      const { manager, worker } = yield* begin()
      yield* manager.add([sh("sleep 0.3; echo undisturbed")])
      yield* until("the start", () => manager.started.length === 1)
      for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) worker.kill(signal)
      assert.strictEqual((yield* manager.result(0)).stdout, "undisturbed\n")
    })
  )

  it.live("is replaced when a handler does not heed its interruption, and what runs beside it ends first", () =>
    Effect.gen(function* () {
      const { manager, worker } = yield* begin(handlers)
      yield* manager.add([
        { handler: "stubborn", timeout: 50, grace: 50 },
        { handler: "pause", input: { millis: 700 } }
      ])
      assert.deepStrictEqual(yield* worker.exited, { exitCode: 75, signal: null })
      // What ends with the process is for the manager to tell, when that has ended.
      assert.isFalse(manager.results.has("0.1"))
      assert.strictEqual(manager.results.get("1.1")?.outcome, "succeeded")
    })
  )

  it.live("starts commands with the binary beside its bundle, and without one in Node's own way", () =>
    Effect.gen(function* () {
      const manager = yield* TestManager.make
      const bundle = yield* bundleInto(join(manager.directory, "dist"))
      const script = 'tr "\\0" " " < /proc/$PPID/cmdline'
      const alone = yield* manager.start({ main: bundle })
      yield* manager.attached
      yield* manager.useSuite()
      yield* manager.setCommandLimit(10)
      yield* manager.add([sh(script), sh("exit 3"), sh("echo x > left; sleep 0.1"), sh("ls -A")])
      yield* manager.resultsReached(4)
      assert.include(manager.results.get("0.1")?.stdout ?? "", bundle)
      assert.deepStrictEqual(
        [1, 2, 3].map((index) => manager.results.get(`${index}.1`)?.exitCode),
        [3, 0, 0]
      )
      assert.isUndefined(manager.results.get("3.1")?.stdout)
      assert.match(alone.output(), /started in another, slower way: there is no launcher for/)
      alone.kill("SIGKILL")
      yield* alone.gone

      const launcher = join(manager.directory, "dist/launcher")
      mkdirSync(launcher)
      copyFileSync(fileURLToPath(new URL(`../launcher/${platform}`, import.meta.url)), join(launcher, platform))
      const together = yield* manager.start({ main: bundle, slot: 1 })
      yield* manager.useSuite()
      yield* manager.add([sh(script)], { from: 4 })
      assert.include((yield* manager.result(4)).stdout ?? "", join(launcher, platform))
      assert.strictEqual(together.output(), "")
    })
  )

  it.live("runs handlers also where it is a bundle and their module has another copy of Effect", () =>
    Effect.gen(function* () {
      const manager = yield* TestManager.make
      const bundle = yield* bundleInto(manager.directory)
      yield* manager.start({ env: handlers, main: bundle })
      yield* manager.useSuite()
      yield* manager.add([
        { handler: "double", input: { n: 21 } },
        { handler: "double", input: { n: 101 } },
        { handler: "double", input: { n: 5_000 } },
        { handler: "pause", input: { millis: 1 } },
        { handler: "next-day", input: "2026-02-28T00:00:00.000Z" },
        { handler: "endless", timeout: 50 },
        { handler: "noop", input: [1] }
      ])
      yield* manager.resultsReached(7)
      const ends = Array.from({ length: 7 }, (_, index) => manager.results.get(`${index}.1`))
      assert.deepStrictEqual(
        ends.map((end) => end?.outcome),
        ["succeeded", "failed", "not_started", "succeeded", "succeeded", "timed_out", "succeeded"]
      )
      assert.deepStrictEqual(
        [0, 1, 4, 6].map((index) => ends[index]?.output),
        [42, { _tag: "TooBig", limit: 100 }, "2026-03-01T00:00:00.000Z", [1]]
      )
      assert.match(ends[2]?.message ?? "", /^input\.n is 5000; allowed: .*1000/)
    })
  )

  it.live("dies when a handler ends its process, and falls silent when one blocks it", () =>
    Effect.gen(function* () {
      const { manager, worker } = yield* begin(handlers)
      yield* manager.add([{ handler: "exits" }])
      assert.deepStrictEqual(yield* worker.exited, { exitCode: 9, signal: null })
      yield* worker.gone
      const { manager: other, worker: blocked } = yield* begin(handlers)
      yield* other.add([{ handler: "blocks" }])
      yield* until("the task", () => other.calls() >= 1 && other.pending() === 0)
      yield* until("its silence", () => other.silence() > 2_000)
      assert.isTrue(isAlive(blocked.pid))
      blocked.kill("SIGKILL")
      yield* blocked.gone
    })
  )

  it.live("is replaced when its guardian dies", () =>
    Effect.gen(function* () {
      const { manager, worker } = yield* begin()
      const [guardian = 0] = withArgument(join(manager.workDir, "worker-0/guardian.sh"))
      process.kill(guardian, "SIGKILL")
      assert.deepStrictEqual(yield* worker.exited, { exitCode: 70, signal: null })
    })
  )

  it.live("says what is wrong with its settings, and that nobody listens", () =>
    Effect.gen(function* () {
      const manager = yield* TestManager.make
      const wrong = yield* manager.start({ env: { MUSTER_WORKER_SLOT: "one" } })
      assert.deepStrictEqual(yield* wrong.exited, { exitCode: 64, signal: null })
      assert.include(wrong.output(), "MUSTER_WORKER_SLOT")
      const alone = yield* manager.start({ slot: 1, env: { MUSTER_WORKER_SOCKET: join(manager.directory, "none") } })
      assert.deepStrictEqual(yield* alone.exited, { exitCode: 69, signal: null })
      yield* alone.gone
    })
  )

  it.live("takes many handler tasks at once", () =>
    Effect.gen(function* () {
      const { manager } = yield* begin()
      const count = 20_000
      const spec: TaskSpec = { handler: "noop", input: { n: 1 } }
      yield* manager.add([spec], { from: count })
      yield* manager.result(count)
      const before = { at: performance.now(), calls: manager.calls() }
      yield* manager.add(Array.from({ length: count }, () => spec))
      yield* manager.resultsReached(count + 1)
      const calls = manager.calls() - before.calls
      const rate = Math.round((count / (performance.now() - before.at)) * 1_000)
      yield* Effect.log(`${rate} handler tasks a second in ${calls} calls`)
      assert.isBelow(calls, count / 100)
      assert.isAbove(rate, 2_000)
    })
  )

  it.live("runs short commands that came together without a call for each", () =>
    Effect.gen(function* () {
      const { manager } = yield* begin()
      yield* manager.setCommandLimit(20)
      const count = 400
      yield* manager.add(Array.from({ length: count }, (_, place) => sh(`exit ${place % 2}`)))
      yield* manager.resultsReached(count)
      // On a busy machine some run long, and then those behind them are asked for again.
      assert.isBelow(manager.calls(), count / 2)
      assert.deepStrictEqual(
        Array.from({ length: count }, (_, place) => manager.results.get(`${place}.1`)?.exitCode),
        Array.from({ length: count }, (_, place) => place % 2)
      )
    })
  )

  it.live("gives back what waits behind a long command, and tells that this one runs", () =>
    Effect.gen(function* () {
      const { manager } = yield* begin()
      yield* manager.setCommandLimit(10)
      const gate = join(manager.directory, "gate")
      const ran = join(manager.directory, "ran")
      yield* manager.add([
        { program: "/bin/true" },
        sh(`while [ ! -e ${gate} ]; do sleep 0.01; done`),
        sh(`echo x >> ${ran}`),
        sh(`echo x >> ${ran}`)
      ])
      yield* manager.returnedReached(2)
      assert.deepStrictEqual(
        manager.returned.slice(-2).map(({ index, mayHaveBegun }) => [index, mayHaveBegun]),
        [
          [2, false],
          [3, false]
        ]
      )
      yield* until("the word that it runs", () => manager.started.some(({ index }) => index === 1))
      assert.strictEqual((yield* manager.result(0)).outcome, "succeeded")
      assert.isFalse(existsSync(ran))
      writeFileSync(gate, "")
      // They are handed out again, under the same attempt.
      yield* manager.resultsReached(4)
      assert.strictEqual(readFileSync(ran, "utf8"), "x\nx\n")
    })
  )

  it.live("cancels what waits behind another command, and finishes the others when it is told to stop", () =>
    Effect.gen(function* () {
      const { manager, worker } = yield* begin()
      yield* manager.setCommandLimit(10)
      // None of them runs long enough for the others to be given back.
      yield* manager.add(Array.from({ length: 6 }, () => sh("sleep 0.005")))
      yield* until("the tasks", () => manager.pending() === 0)
      yield* manager.tell({ _tag: "Cancel", suiteId, index: 5, attempt: 1 })
      yield* manager.tell({ _tag: "Stop" })
      assert.deepStrictEqual(yield* worker.exited, { exitCode: 0, signal: null })
      assert.strictEqual(manager.results.size + manager.pending(), 6)
    })
  )

  it.live("leaves no process when it is killed in the middle of a row of commands", () =>
    Effect.gen(function* () {
      const { manager, worker } = yield* begin()
      yield* manager.setCommandLimit(100)
      const seconds = unique()
      yield* manager.add(Array.from({ length: 100 }, () => sh(`setsid sleep ${seconds} >/dev/null 2>&1 & exit 0`)))
      yield* until("some of them", () => withArgument(seconds).length > 5)
      worker.kill("SIGKILL")
      yield* worker.gone
      assert.deepStrictEqual(withArgument(seconds), [])
      assert.deepStrictEqual(withArgument(join(manager.workDir, "worker-0")), [])
    })
  )

  it.live("runs commands one after the other without a call more than it needs", () =>
    Effect.gen(function* () {
      const { manager } = yield* begin()
      const count = 200
      const before = performance.now()
      yield* manager.add(Array.from({ length: count }, () => ({ program: "/bin/true" })))
      yield* manager.resultsReached(count)
      yield* Effect.log(`${Math.round((count / (performance.now() - before)) * 1_000)} commands a second`)
      assert.isTrue([...manager.results.values()].every(({ outcome }) => outcome === "succeeded"))
      assert.isAtMost(manager.calls(), count + 2)
    })
  )
})

const platform = `${process.platform}-${process.arch}`

const bundleInto = (directory: string) => {
  const outfile = join(directory, "worker.mjs")
  const done = build({
    entryPoints: [main],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    // As the build of the published commands does it: some dependencies still call require().
    banner: { js: 'import { createRequire as r } from "node:module"; const require = r(import.meta.url);' },
    logLevel: "error"
  })
  return Effect.as(
    Effect.promise(() => done),
    outfile
  )
}

/** Starts a worker with the pipes that it expects, prints its process id, and lives on. */
const holder = `
  const child = require("node:child_process").spawn(process.execPath, [${JSON.stringify(main)}], {
    stdio: ["pipe", "ignore", "inherit", "pipe"]
  })
  console.log(child.pid)
`
