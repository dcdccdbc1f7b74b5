/**
 * Several commands at once: the executor runs one after the other, and what one of them does must not reach the next.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect } from "effect"
import type { CommandSpec } from "@muster/domain/Task"
import * as NativeLauncher from "../../src/Command/NativeLauncher.ts"
import * as NodeLauncher from "../../src/Command/NodeLauncher.ts"
import * as CommandRunner from "../support/CommandRunner.ts"
import { withArgument } from "../support/Processes.ts"
import { suiteId } from "../support/TestManager.ts"
import { until } from "../support/Until.ts"

/** A number that no other process of this machine has among its arguments, to be found again. */
const unique = () => String(100_000 + Math.random() * 900_000).slice(0, 12)

const sh = (script: string, spec: Partial<CommandSpec> = {}): CommandSpec => ({
  program: "/bin/sh",
  args: ["-c", script],
  ...spec
})

const range = (count: number) => Array.from({ length: count }, (_, place) => place)

describe.each([
  ["native", NativeLauncher.make],
  ["node", NodeLauncher.make]
] as const)("a row of commands started by %s", (kind, launcher) => {
  const setup = Effect.gen(function* () {
    const runner = yield* CommandRunner.make(launcher)
    /** Begins all of them at once. */
    const startAll = (specs: ReadonlyArray<CommandSpec>, options?: CommandRunner.Options) =>
      Effect.forEach(specs, (spec) => runner.start(spec, options))
    const runAll = (specs: ReadonlyArray<CommandSpec>, options?: CommandRunner.Options) =>
      Effect.flatMap(startAll(specs, options), (started) => Effect.forEach(started, ({ result }) => result))
    return { ...runner, startAll, runAll, journal: join(runner.directory, "journal") }
  })

  it.live("runs in order, one at a time, and tells when each of them ran", () =>
    Effect.gen(function* () {
      const { journal, order, runAll } = yield* setup
      const count = 40
      const before = Date.now()
      const results = yield* runAll(
        range(count).map((place) => sh(`echo +${place} >> ${journal}; echo -${place} >> ${journal}; exit ${place % 3}`))
      )
      assert.strictEqual(
        readFileSync(journal, "utf8"),
        range(count)
          .map((place) => `+${place}\n-${place}\n`)
          .join("")
      )
      assert.deepStrictEqual(order, range(count))
      assert.deepStrictEqual(
        results.map(({ exitCode }) => exitCode),
        range(count).map((place) => place % 3)
      )
      let last = before
      for (const { duration = 0, finishedAt, startedAt = 0 } of results) {
        assert.isAtLeast(startedAt, last)
        assert.isAtLeast(finishedAt, startedAt)
        // Two clocks are read one after the other, between which a busy machine may do something else.
        assert.isBelow(Math.abs(finishedAt - startedAt - duration), 200)
        last = finishedAt
      }
    })
  )

  it.live("gives each its own directories, whatever the one before did to them", () =>
    Effect.gen(function* () {
      const { runAll } = yield* setup
      const look = sh("ls -A . $MUSTER_RESULT_DIR $MUSTER_RESOURCE_DIR | grep -v : | grep .; stat -c %a .; true")
      const results = yield* runAll([
        look,
        sh("echo x > left"),
        look,
        sh("mkdir -p $MUSTER_RESULT_DIR/a/b"),
        look,
        sh("chmod 700 ."),
        look,
        sh('rm -rf "$MUSTER_EXEC_DIR"; ln -s / "$MUSTER_EXEC_DIR"'),
        look,
        sh("touch $MUSTER_RESOURCE_DIR/.hidden"),
        look
      ])
      const seen = results.filter((_, place) => place % 2 === 0).map(({ stdout }) => stdout)
      assert.deepStrictEqual(
        seen,
        Array.from(seen, () => "755\n")
      )
    })
  )

  it.live("ends what one leaves in its group before the next begins", () =>
    Effect.gen(function* () {
      const { runAll } = yield* setup
      const seconds = unique()
      // The brackets keep it from finding itself.
      const alive = sh(`cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -ac "[s]leep ${seconds}"; true`)
      const results = yield* runAll([
        alive,
        sh(`sleep ${seconds} & sleep ${seconds} >/dev/null 2>&1 & echo left`),
        alive,
        sh(`sleep ${seconds} >/dev/null 2>&1 & true`),
        alive
      ])
      assert.deepStrictEqual(
        results.map(({ stdout }) => stdout?.trim()),
        ["0", "left", "0", undefined, "0"]
      )
      assert.deepStrictEqual(withArgument(seconds), [])
    })
  )

  it.live("keeps what outlives one with its output open away from those behind it", () =>
    Effect.gen(function* () {
      const { directory, runAll } = yield* setup
      const seconds = unique()
      const sign = join(directory, "sign")
      const daemon = sh(
        `setsid sh -c 'echo > "$0"; while :; do echo noise; sleep 0.01; done' ${sign} ${seconds} & while [ ! -e ${sign} ]; do :; done`
      )
      const results = yield* runAll([sh("echo one"), daemon, sh("sleep 0.1; echo two; ls -A"), sh("echo three")])
      assert.deepStrictEqual(
        [0, 2, 3].map((place) => results[place]?.stdout),
        ["one\n", "two\n", "three\n"]
      )
    })
  )

  it.live("goes on behind what cannot be started", () =>
    Effect.gen(function* () {
      const { directory, order, runAll } = yield* setup
      const script = join(directory, "script")
      const bad = join(directory, "bad")
      writeFileSync(script, 'echo "plain $1"\n', { mode: 0o755 })
      writeFileSync(bad, "#!/no/such/interpreter\n", { mode: 0o755 })
      const path = { PATH: `${directory}:/usr/bin:/bin` }
      const results = yield* runAll([
        sh("echo one"),
        { program: "/no/such/program" },
        { program: script, args: ["two"] },
        { program: "bad", env: path },
        { program: "none", env: path },
        { program: "/bin/true", cwd: "/no/such/directory" },
        { program: "/bin/true", args: Array.from({ length: 60 }, () => "x".repeat(100_000)) },
        sh("echo three")
      ])
      assert.deepStrictEqual(
        results.map(({ message, outcome, stdout }) => [outcome, stdout ?? message]),
        [
          ["succeeded", "one\n"],
          ["not_started", 'program "/no/such/program" does not exist'],
          ["succeeded", "plain two\n"],
          ["not_started", 'program "bad" does not exist'],
          ["not_started", `program "none" is in none of the directories of PATH (${path.PATH})`],
          ["not_started", 'working directory "/no/such/directory" does not exist'],
          [
            "not_started",
            'arguments and environment of program "/bin/true" are together longer than the system allows'
          ],
          ["succeeded", "three\n"]
        ]
      )
      assert.deepStrictEqual(order, range(8))
    })
  )

  it.live("lets one make the program that the next one is", () =>
    Effect.gen(function* () {
      const { directory, runAll } = yield* setup
      const bin = join(directory, "bin")
      mkdirSync(bin)
      const env = { PATH: `${bin}:/usr/bin:/bin` }
      const results = yield* runAll([
        sh(`printf '#!/bin/sh\\necho made' > ${bin}/made; chmod +x ${bin}/made`, { env }),
        { program: "made", env }
      ])
      assert.strictEqual(results[1]?.stdout, "made\n")
    })
  )

  it.live("keeps each output with its own, large and small, text and none", () =>
    Effect.gen(function* () {
      const { log, startAll } = yield* setup
      const started = yield* startAll([
        sh("echo small; echo error >&2"),
        { program: "seq", args: ["1", "200000"], output: { tail: 10 } },
        { program: "/bin/true" },
        { program: "printf", args: ["\\377\\000x"] },
        sh("head -c 300000 /dev/zero >&2", { output: { limit: 100_000, tail: 0 } }),
        sh("echo last")
      ])
      const results = yield* Effect.forEach(started, ({ result }) => result)
      assert.deepStrictEqual(
        results.map(({ stderr, stdout }) => [stdout, stderr]),
        [
          ["small\n", "error\n"],
          ["99\n200000\n", undefined],
          [undefined, undefined],
          ["\uFFFD\uFFFDx", undefined],
          [undefined, undefined],
          ["last\n", undefined]
        ]
      )
      assert.deepStrictEqual([results[1]?.stdoutBytes, results[4]?.stderrBytes], [1_288_895, 300_000])
      const lengths = started.map(({ attempt }) => [log(attempt, "stdout")?.length, log(attempt, "stderr")?.length])
      assert.deepStrictEqual(lengths, [
        [6, 6],
        [1_288_895, undefined],
        [undefined, undefined],
        [3, undefined],
        [undefined, 100_000],
        [5, undefined]
      ])
    })
  )

  it.live("feeds each its own standard input, and removes it", () =>
    Effect.gen(function* () {
      const { directory, runAll } = yield* setup
      const large = "x".repeat(1024 * 1024)
      const results = yield* runAll([
        { program: "cat", stdin: "one" },
        { program: "wc", args: ["-c"], stdin: large },
        { program: "cat" },
        { program: "cat", stdin: "" },
        { program: "cat", stdin: "two" }
      ])
      assert.deepStrictEqual(
        results.map(({ stdout }) => stdout?.trim()),
        ["one", "1048576", undefined, undefined, "two"]
      )
      const files = readdirSync(join(directory, "work/worker-0"))
      assert.deepStrictEqual(
        files.filter((name) => name.startsWith("stdin")),
        []
      )
    })
  )

  it.live("tells exit codes and signals apart", () =>
    Effect.gen(function* () {
      const { runAll } = yield* setup
      const results = yield* runAll([sh("exit 130"), sh("kill -INT $$"), sh("kill -KILL $$"), sh("exit 0")])
      assert.deepStrictEqual(
        results.map(({ exitCode, signal }) => exitCode ?? signal),
        [130, "SIGINT", "SIGKILL", 0]
      )
    })
  )

  it.live("counts each timeout from its own start", () =>
    Effect.gen(function* () {
      const { runAll } = yield* setup
      const results = yield* runAll([
        ...range(4).map(() => sh("sleep 0.3", { timeout: 700 })),
        sh("sleep 60", { timeout: 100 }),
        sh("sleep 60", { timeout: 2 }),
        sh("echo end", { timeout: 5_000 })
      ])
      assert.deepStrictEqual(
        results.map(({ outcome }) => outcome),
        [...range(4).map(() => "succeeded"), "timed_out", "timed_out", "succeeded"]
      )
      assert.isAtLeast(results[4]?.duration ?? 0, 100)
      assert.isBelow(results[4]?.duration ?? Infinity, 600)
      assert.isBelow(results[5]?.duration ?? Infinity, 500)
    })
  )

  it.live("cancels one that waits, and one that runs, and goes on with the others", () =>
    Effect.gen(function* () {
      const { directory, executor, startAll } = yield* setup
      const mark = (place: number) => join(directory, `ran-${place}`)
      const started = yield* startAll([
        sh("sleep 60", { grace: 100 }),
        ...[1, 2, 3].map((place) => sh(`touch ${mark(place)}`)),
        sh("trap '' TERM; sleep 60", { grace: 50 }),
        sh("echo end")
      ])
      yield* started[0]?.begun ?? Effect.void
      for (const place of [2, 0]) {
        const attempt = started[place]?.attempt
        if (attempt !== undefined) executor.cancel(attempt)
      }
      yield* started[4]?.begun ?? Effect.void
      const last = started[4]?.attempt
      if (last !== undefined) executor.cancel(last)
      const results = yield* Effect.forEach(started, ({ result }) => result)
      assert.deepStrictEqual(
        results.map(({ outcome }) => outcome),
        ["cancelled", "succeeded", "cancelled", "succeeded", "cancelled", "succeeded"]
      )
      assert.deepStrictEqual(
        [1, 2, 3].map((place) => existsSync(mark(place))),
        [true, false, true]
      )
      assert.isUndefined(results[2]?.startedAt)
    })
  )

  it.live("gives back what waits behind a long one, none of which ever runs, and takes others after it", () =>
    Effect.gen(function* () {
      const { directory, executor, run, startAll } = yield* setup
      const gate = join(directory, "gate")
      const mark = (place: number) => join(directory, `ran-${place}`)
      const started = yield* startAll([
        sh(`while [ ! -e ${gate} ]; do sleep 0.01; done`),
        ...range(5).map((place) => sh(`touch ${mark(place)}`, { stdin: "x" }))
      ])
      yield* started[0]?.begun ?? Effect.void
      executor.giveBack()
      const back = yield* Effect.forEach(started.slice(1), ({ returned }) => returned)
      assert.isTrue(back.every(({ mayHaveBegun }) => !mayHaveBegun))
      writeFileSync(gate, "")
      assert.strictEqual((yield* started[0]?.result ?? Effect.die("none")).outcome, "succeeded")
      assert.strictEqual((yield* run(sh("echo after"))).stdout, "after\n")
      assert.isFalse(range(5).some((place) => existsSync(mark(place))))
    })
  )

  it.live("ends what one suite left behind before the first command of the next one", () =>
    Effect.gen(function* () {
      const { directory, startAll } = yield* setup
      const seconds = unique()
      const sign = join(directory, "sign")
      const first = yield* startAll(
        [
          sh(
            `setsid sh -c 'exec >/dev/null 2>&1; echo > "$0"; sleep ${seconds}' ${sign} & while [ ! -e ${sign} ]; do :; done`
          ),
          sh("echo $MUSTER_SUITE_ID $VALUE", {})
        ],
        { defaults: { env: { VALUE: "first" } } }
      )
      const second = yield* startAll([sh("echo $MUSTER_SUITE_ID $VALUE"), sh("echo end")], {
        suite: CommandRunner.otherSuite,
        defaults: { env: { VALUE: "second" } }
      })
      const results = yield* Effect.forEach([...first, ...second], ({ result }) => result)
      assert.match(results[1]?.stdout ?? "", / first\n$/)
      assert.strictEqual(results[2]?.stdout, `${CommandRunner.otherSuite} second\n`)
      assert.deepStrictEqual(withArgument(seconds), [])
    })
  )

  it.live("ends what a suite left behind when it is over, and not before", () =>
    Effect.gen(function* () {
      const { directory, executor, run } = yield* setup
      const seconds = unique()
      const sign = join(directory, "sign")
      yield* run(
        sh(
          `setsid sh -c 'exec >/dev/null 2>&1; echo > "$0"; exec sleep ${seconds}' ${sign} & while [ ! -e ${sign} ]; do :; done`
        )
      )
      yield* until("what it left", () => withArgument(seconds).length === 1)
      executor.leave(CommandRunner.otherSuite)
      assert.strictEqual((yield* run(sh("echo more"))).stdout, "more\n")
      assert.strictEqual(withArgument(seconds).length, 1)
      executor.leave(suiteId)
      yield* until("its end", () => withArgument(seconds).length === 0)
      assert.strictEqual((yield* run(sh("echo again"))).stdout, "again\n")
    })
  )

  it.live("gives each command one fate, whatever they do and whoever interferes", () =>
    Effect.gen(function* () {
      const { directory, executor, startAll } = yield* setup
      const mark = (place: number) => join(directory, `ran-${place}`)
      const deeds = ["true", "exit 3", "echo out", "touch here", "sleep 0.03", "sleep 60 & true", "kill -9 $$"]
      const count = kind === "native" ? 120 : 60
      const specs = range(count).map((place): CommandSpec => {
        const deed = deeds[Math.floor(Math.random() * deeds.length)] ?? "true"
        if (Math.random() < 0.1) return { program: "/no/such/program" }
        return sh(`echo >> ${mark(place)}; ${deed}`, Math.random() < 0.2 ? { timeout: 10, grace: 0 } : {})
      })
      const started = yield* startAll(specs)
      const fates = yield* Effect.forEach(
        started,
        ({ attempt, begun, result, returned }, place) =>
          Effect.gen(function* () {
            if (place % 7 === 0)
              yield* Effect.andThen(
                begun,
                Effect.sync(() => executor.cancel(attempt))
              ).pipe(Effect.forkScoped)
            if (place % 11 === 5) executor.cancel(attempt)
            if (place % 13 === 4)
              yield* Effect.andThen(
                begun,
                Effect.sync(() => executor.giveBack())
              ).pipe(Effect.forkScoped)
            return yield* Effect.raceFirst(
              Effect.map(result, ({ outcome, startedAt }) => ({ fate: outcome, hasRun: startedAt !== undefined })),
              Effect.as(returned, { fate: "returned", hasRun: false })
            )
          }),
        { concurrency: "unbounded" }
      )
      fates.forEach(({ fate, hasRun }, place) => {
        const marks = existsSync(mark(place)) ? readFileSync(mark(place), "utf8").length : 0
        // One that was ended at once may not have come to its mark.
        if (!hasRun) assert.strictEqual(marks, 0, `${place} is ${fate}`)
        assert.isAtMost(marks, 1, `${place} is ${fate}`)
      })
    })
  )
})

describe("a row of commands whose launcher dies", () => {
  it.live("blames the one that was known to run, gives back the others, and leaves no process", () =>
    Effect.gen(function* () {
      const { directory, replacement, start } = yield* CommandRunner.make(NativeLauncher.make)
      const seconds = unique()
      const long = yield* start(sh(`echo here; setsid sleep ${seconds} & sleep ${seconds} & wait`))
      const others = yield* Effect.forEach(range(3), () => start(sh("echo never")))
      yield* long.begun
      yield* until("its processes", () => withArgument(seconds).length >= 3)
      const [helper = 0] = withArgument(join(directory, "work/worker-0/current"))
      process.kill(helper, "SIGKILL")
      const { outcome, stdout } = yield* long.result
      assert.deepStrictEqual([outcome, stdout], ["crashed", "here\n"])
      const back = yield* Effect.forEach(others, ({ returned }) => returned)
      assert.isTrue(back.every(({ mayHaveBegun }) => mayHaveBegun))
      assert.deepStrictEqual(withArgument(seconds), [])
      assert.strictEqual((yield* Deferred.await(replacement)).exitCode, 70)
    })
  )
})
