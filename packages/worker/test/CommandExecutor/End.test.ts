import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect } from "effect"
import * as NativeLauncher from "../../src/Command/NativeLauncher.ts"
import * as NodeLauncher from "../../src/Command/NodeLauncher.ts"
import * as CommandRunner from "../support/CommandRunner.ts"
import { withArgument } from "../support/Processes.ts"
import { until } from "../support/Until.ts"

/** A number that no other process of this machine has among its arguments, to be found again. */
const unique = () => String(100_000 + Math.random() * 900_000).slice(0, 12)

describe.each([
  ["native", NativeLauncher.make],
  ["node", NodeLauncher.make]
] as const)("ending commands started by %s", (_kind, launcher) => {
  const runner = CommandRunner.make(launcher)

  it.live("ends a command at its timeout", () =>
    Effect.gen(function* () {
      const { sh } = yield* runner
      const result = yield* sh("echo before; exec sleep 60", { timeout: 100 })
      assert.deepStrictEqual([result.outcome, result.signal, result.stdout], ["timed_out", "SIGTERM", "before\n"])
      assert.isBelow(result.duration ?? 0, 4_000)
    })
  )

  it.live("lets a command clean up within its grace, and tells it timed out all the same", () =>
    Effect.gen(function* () {
      const { sh } = yield* runner
      const result = yield* sh("trap 'echo cleaned; exit 3' TERM; while :; do sleep 0.01; done", { timeout: 100 })
      assert.deepStrictEqual([result.outcome, result.exitCode, result.stdout], ["timed_out", 3, "cleaned\n"])
    })
  )

  it.live("kills what ignores TERM when its grace is over", () =>
    Effect.gen(function* () {
      const { sh } = yield* runner
      const result = yield* sh("trap '' TERM; while :; do sleep 0.01; done", { timeout: 50, grace: 150 })
      assert.deepStrictEqual([result.outcome, result.signal], ["timed_out", "SIGKILL"])
      assert.isAtLeast(result.duration ?? 0, 190)
    })
  )

  it.live("ends stopped programs too", () =>
    Effect.gen(function* () {
      const { sh } = yield* runner
      const result = yield* sh("kill -STOP $$; sleep 60", { timeout: 50 })
      assert.deepStrictEqual([result.outcome, result.signal], ["timed_out", "SIGTERM"])
    })
  )

  it.live("ends the whole tree of a cancelled command, wherever its processes went", () =>
    Effect.gen(function* () {
      const { executor, start } = yield* runner
      const seconds = unique()
      const script = `
        sleep ${seconds} &
        (sleep ${seconds} & sleep ${seconds}) &
        setsid sh -c 'trap "" TERM; sleep ${seconds}' >/dev/null 2>&1 </dev/null &
        setsid sh -c 'setsid sleep ${seconds} & exec sleep ${seconds}' &
        env -i /bin/sleep ${seconds} &
        wait`
      const { attempt, result } = yield* start({ program: "sh", args: ["-c", script], grace: 300 })
      yield* until("all of its processes", () => withArgument(seconds).length >= 8)
      executor.cancel(attempt)
      const { outcome } = yield* result
      assert.strictEqual(outcome, "cancelled")
      assert.deepStrictEqual(withArgument(seconds), [])
    })
  )

  it.live("ends a command that forks as fast as it can", () =>
    Effect.gen(function* () {
      const { executor, start } = yield* runner
      const seconds = unique()
      const script = `trap '' TERM; while :; do sleep ${seconds} & sleep 0.005; done`
      const { attempt, result } = yield* start({ program: "sh", args: ["-c", script], grace: 50 })
      yield* until("some of its processes", () => withArgument(seconds).length >= 5)
      executor.cancel(attempt)
      yield* result
      assert.deepStrictEqual(withArgument(seconds), [])
    })
  )

  it.live("cancels a command in the moment of its start", () =>
    Effect.gen(function* () {
      const { executor, start } = yield* runner
      for (let round = 0; round < 5; round++) {
        const { attempt, result } = yield* start({ program: "sleep", args: ["60"] })
        executor.cancel(attempt)
        assert.strictEqual((yield* result).outcome, "cancelled")
      }
    })
  )

  it.live("kills what a command leaves in its group, and hands in nothing before", () =>
    Effect.gen(function* () {
      const { sh } = yield* runner
      const seconds = unique()
      const result = yield* sh(`sleep ${seconds} & sleep ${seconds} >/dev/null 2>&1 & echo done`)
      assert.deepStrictEqual([result.outcome, result.stdout], ["succeeded", "done\n"])
      assert.deepStrictEqual(withArgument(seconds), [])
    })
  )

  it.live("keeps the output of a daemon out of the commands after it, and ends it when the suite changes", () =>
    Effect.gen(function* () {
      const { directory, run, sh } = yield* runner
      const seconds = unique()
      const daemon = (script: string, sign: string) =>
        sh(
          `setsid sh -c '${script}' ${join(directory, sign)} ${seconds} & while [ ! -e ${join(directory, sign)} ]; do :; done`
        )
      yield* daemon('echo > "$0"; while :; do echo noise; sleep 0.01; done', "noisy")
      const next = yield* sh("sleep 0.1; echo clean; ls -A")
      assert.strictEqual(next.stdout, "clean\n")
      yield* daemon('exec >/dev/null 2>&1; echo > "$0"; sleep 600', "quiet")
      assert.isAtLeast(withArgument(seconds).length, 1)
      yield* run({ program: "/bin/true" }, { suite: CommandRunner.otherSuite })
      assert.deepStrictEqual(withArgument(seconds), [])
    })
  )
})

describe("commands started by the native launcher", () => {
  it.live("asks for another worker when the launcher dies, and ends what ran", () =>
    Effect.gen(function* () {
      const { directory, log, replacement, start } = yield* CommandRunner.make(NativeLauncher.make)
      const seconds = unique()
      const { attempt, result } = yield* start({ program: "sh", args: ["-c", `echo here; sleep ${seconds} & wait`] })
      yield* until("the command", () => withArgument(seconds).length > 0)
      // What the launcher has not passed on yet goes with it.
      yield* until("its output", () => log(attempt, "stdout")?.toString() === "here\n")
      const [helper = 0] = withArgument(join(directory, "work/worker-0/current"))
      process.kill(helper, "SIGKILL")
      const { message, outcome, stdout } = yield* result
      assert.strictEqual(outcome, "crashed")
      assert.strictEqual(stdout, "here\n")
      assert.match(message ?? "", /^the process \d+ that starts programs ended \(SIGKILL\)$/)
      assert.deepStrictEqual(withArgument(seconds), [])
      assert.strictEqual((yield* Deferred.await(replacement)).exitCode, 70)
      // What comes now has not begun, and another worker can run it.
      const next = yield* start({ program: "/bin/true" })
      assert.deepStrictEqual(yield* next.returned, { mayHaveBegun: false })
    })
  )
})
