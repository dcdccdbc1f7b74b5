import { createHash } from "node:crypto"
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { constants as systemConstants } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as NativeLauncher from "../../src/Command/NativeLauncher.ts"
import * as NodeLauncher from "../../src/Command/NodeLauncher.ts"
import * as CommandRunner from "../support/CommandRunner.ts"
import { managerId, suiteId } from "../support/TestManager.ts"
import { until } from "../support/Until.ts"

describe.each([
  ["native", NativeLauncher.make],
  ["node", NodeLauncher.make]
] as const)("starting commands with %s", (kind, launcher) => {
  const runner = CommandRunner.make(launcher)

  it.live("uses the launcher under test", () =>
    Effect.gen(function* () {
      const { executor } = yield* runner
      assert.strictEqual(executor.launcher, kind)
    })
  )

  it.live("tells exit codes and signals apart", () =>
    Effect.gen(function* () {
      const { sh } = yield* runner
      const ends = yield* Effect.forEach(
        ["exit 0", "exit 7", "exit 130", "exit 143", "kill -INT $$", "kill -TERM $$", "kill -SEGV $$", "kill -KILL $$"],
        (script) => sh(script)
      )
      assert.deepStrictEqual(
        ends.map(({ exitCode, outcome, signal }) => [outcome, exitCode ?? signal]),
        [
          ["succeeded", 0],
          ["failed", 7],
          ["failed", 130],
          ["failed", 143],
          ["failed", "SIGINT"],
          ["failed", "SIGTERM"],
          ["failed", "SIGSEGV"],
          ["failed", "SIGKILL"]
        ]
      )
    })
  )

  it.live("tells when it ran and for how long", () =>
    Effect.gen(function* () {
      const { sh } = yield* runner
      const before = Date.now()
      const result = yield* sh("sleep 0.1")
      assert.isAtLeast(result.startedAt ?? 0, before)
      assert.isAtLeast(result.finishedAt, (result.startedAt ?? 0) + 90)
      assert.isAtLeast(result.duration ?? 0, 95)
      assert.isBelow(result.duration ?? 0, 5_000)
    })
  )

  it.live("passes every argument as it is", () =>
    Effect.gen(function* () {
      const { run } = yield* runner
      const args = ["", " ", "a\nb", `"'$(exit 1)\`x\`\\`, "*", "-n", "ä€😀", "\u0001\u007F", "x".repeat(100_000)]
      const result = yield* run({
        program: process.execPath,
        args: ["-e", "process.stdout.write(JSON.stringify(process.argv.slice(1)))", "--", ...args],
        output: { tail: 65_536 }
      })
      const json = result.stdout ?? ""
      // Longer than any tail: the last argument is cut at its front with everything before it.
      assert.isTrue(json.endsWith(`${"x".repeat(60_000)}"]`))
      const short = yield* run({
        program: process.execPath,
        args: ["-e", "process.stdout.write(JSON.stringify(process.argv.slice(1)))", "--", ...args.slice(0, -1)]
      })
      assert.deepStrictEqual(JSON.parse(short.stdout ?? "null"), args.slice(0, -1))
    })
  )

  it.live("shows the program the name it was called by", () =>
    Effect.gen(function* () {
      const { run } = yield* runner
      const result = yield* run({ program: "sh", args: ["-c", "tr '\\0' ' ' < /proc/$$/cmdline | cut -d' ' -f1"] })
      assert.strictEqual(result.stdout, "sh\n")
    })
  )

  it.live("passes the environment, task over suite over manager, and what a task is told", () =>
    Effect.gen(function* () {
      const { log, start } = yield* runner
      const { attempt, result } = yield* start(
        {
          program: "cat",
          args: ["/proc/self/environ"],
          env: { B: "task", C: "two\nlines", "an.odd name": "x=y", MUSTER_ATTEMPT: "mine" }
        },
        { defaults: { env: { A: "suite", B: "suite" } } }
      )
      yield* result
      const lines = (log(attempt, "stdout")?.toString() ?? "").split("\0")
      const value = (name: string) => lines.find((line) => line.startsWith(`${name}=`))?.slice(name.length + 1)
      const names = ["A", "B", "C", "an.odd name", "HOME"]
      const told = ["MUSTER_TASK_ID", "MUSTER_SUITE_ID", "MUSTER_ATTEMPT", "MUSTER_WORKER"]
      assert.deepStrictEqual([...names, ...told].map(value), [
        "suite",
        "task",
        "two\nlines",
        "x=y",
        process.env.HOME,
        `${suiteId}.0`,
        suiteId,
        "1",
        `${managerId}.0.${process.pid}`
      ])
    })
  )

  it.live("adds nothing to the environment that nobody asked for", () =>
    Effect.gen(function* () {
      const { run } = yield* runner
      const result = yield* run({ program: "env", env: { MARK: "1" } })
      const names = (result.stdout ?? "").split("\n").flatMap((line) => /^([A-Za-z_]\w*)=/.exec(line)?.[1] ?? [])
      const told = ["MARK", "TASK_ID", "SUITE_ID", "ATTEMPT", "RESULT_DIR", "EXEC_DIR", "RESOURCE_DIR", "WORKER"]
      const allowed = new Set([...Object.keys(process.env), ...told, ...told.map((name) => `MUSTER_${name}`)])
      assert.deepStrictEqual(
        names.filter((name) => !allowed.has(name)),
        []
      )
    })
  )

  it.live("gives a command its three streams and nothing else of the worker", () =>
    Effect.gen(function* () {
      const { run } = yield* runner
      const descriptors = (yield* run({ program: "ls", args: ["/proc/self/fd"] })).stdout?.trim().split("\n") ?? []
      // 3 is the directory that it reads; high ones are open in whatever runs the tests.
      assert.deepStrictEqual(
        descriptors.filter((descriptor) => Number(descriptor) < 20),
        ["0", "1", "2", "3"]
      )
      assert.strictEqual((yield* run({ program: "readlink", args: ["/proc/self/fd/0"] })).stdout, "/dev/null\n")
      const { stdout = "" } = yield* run({ program: "cat", args: ["/proc/self/status"] })
      const ignored = BigInt(`0x${/^SigIgn:\t(\w+)$/m.exec(stdout)?.[1]}`)
      const { SIGHUP, SIGINT, SIGPIPE, SIGQUIT, SIGTERM } = systemConstants.signals
      for (const signal of [SIGHUP, SIGINT, SIGPIPE, SIGQUIT, SIGTERM]) {
        assert.strictEqual((ignored >> BigInt(signal - 1)) & 1n, 0n, `signal ${signal}`)
      }
      assert.match(stdout, /^SigBlk:\t0+$/m)
    })
  )

  it.live("tells a command where its directories are", () =>
    Effect.gen(function* () {
      const { sh } = yield* runner
      const result = yield* sh(
        'pwd; for d in EXEC RESULT RESOURCE; do eval "cd \\$MUSTER_${d}_DIR && pwd && ls -A"; done'
      )
      const [cwd, exec, ...others] = (result.stdout ?? "").trim().split("\n")
      assert.strictEqual(cwd, exec)
      assert.strictEqual(new Set([exec, ...others]).size, 3)
    })
  )

  it.live("gives each command a fresh directory and removes what it leaves there", () =>
    Effect.gen(function* () {
      const { sh } = yield* runner
      const first = yield* sh(
        "pwd; mkdir -p a/b; echo x > a/b/c; echo y > $MUSTER_RESULT_DIR/r; chmod 500 a/b a; chmod 700 ."
      )
      const second = yield* sh(
        "pwd; ls -A . $MUSTER_RESULT_DIR $MUSTER_RESOURCE_DIR | grep -v : | grep .; stat -c %a ."
      )
      assert.strictEqual(first.outcome, "succeeded")
      const [pwd, ...rest] = (second.stdout ?? "").trim().split("\n")
      assert.strictEqual(pwd, (first.stdout ?? "").trim())
      assert.deepStrictEqual(rest, ["755"])
      const trash = join(pwd ?? "", "../../trash")
      yield* until("the removal of what was left", () => readdirSync(trash).length === 0)
    })
  )

  it.live("recovers when a command removes its own directory", () =>
    Effect.gen(function* () {
      const { sh } = yield* runner
      yield* sh('rm -rf "$MUSTER_EXEC_DIR"; ln -s / "$MUSTER_EXEC_DIR"')
      const result = yield* sh("ls -A; pwd -P")
      assert.strictEqual(result.outcome, "succeeded")
      assert.match(result.stdout ?? "", /^\/.+\/exec\n$/)
    })
  )

  it.live("runs in the directory that is asked for and leaves it alone", () =>
    Effect.gen(function* () {
      const { directory, run, sh } = yield* runner
      const cwd = join(directory, "mine")
      mkdirSync(cwd)
      writeFileSync(join(cwd, "tool"), "#!/bin/sh\necho from here\n", { mode: 0o755 })
      const inside = yield* sh("pwd; echo kept > file", { cwd })
      const relative = yield* run({ program: "./tool", cwd })
      assert.strictEqual(inside.stdout, `${cwd}\n`)
      assert.strictEqual(relative.stdout, "from here\n")
      assert.strictEqual(readFileSync(join(cwd, "file"), "utf8"), "kept\n")
    })
  )

  it.live("feeds standard input, or its end", () =>
    Effect.gen(function* () {
      const { run } = yield* runner
      const text = `${"line ä\n".repeat(100_000)}no newline`
      const withInput = yield* run({ program: "sha256sum", stdin: text })
      const without = yield* run({ program: "cat" })
      const empty = yield* run({ program: "cat", stdin: "" })
      assert.strictEqual(withInput.stdout?.slice(0, 64), createHash("sha256").update(text).digest("hex"))
      assert.deepStrictEqual([without.exitCode, without.stdout], [0, undefined])
      assert.deepStrictEqual([empty.exitCode, empty.stdout], [0, undefined])
    })
  )

  it.live("says in one line why a program was not started", () =>
    Effect.gen(function* () {
      const { directory, run } = yield* runner
      const text = join(directory, "text")
      const badInterpreter = join(directory, "bad")
      writeFileSync(text, "not a program", { mode: 0o644 })
      writeFileSync(badInterpreter, "#!/no/such/interpreter\n", { mode: 0o755 })
      const results = yield* Effect.forEach(
        [
          { program: "no-such-program", env: { PATH: "/usr/bin:/bin" } },
          { program: "/no/such/program" },
          { program: text },
          { program: directory },
          { program: badInterpreter },
          { program: "/bin/true", cwd: "/no/such/directory" },
          { program: "/bin/true", cwd: text },
          { program: "/bin/true", args: Array.from({ length: 60 }, () => "x".repeat(100_000)) }
        ],
        (spec) => run(spec)
      )
      assert.deepStrictEqual(
        results.map(({ message }) => message),
        [
          'program "no-such-program" is in none of the directories of PATH (/usr/bin:/bin)',
          'program "/no/such/program" does not exist',
          `program "${text}" is not executable`,
          `program "${directory}" is a directory`,
          `the interpreter that "${badInterpreter}" names in its first line does not exist`,
          'working directory "/no/such/directory" does not exist',
          `working directory "${text}" is not a directory`,
          'arguments and environment of program "/bin/true" are together longer than the system allows'
        ]
      )
      for (const { exitCode, outcome, startedAt } of results) {
        assert.deepStrictEqual([outcome, exitCode, startedAt], ["not_started", undefined, undefined])
      }
      assert.strictEqual((yield* run({ program: "/bin/true" })).outcome, "succeeded")
    })
  )

  it.live("finds programs in the task's own PATH, also after they moved", () =>
    Effect.gen(function* () {
      const { directory, run } = yield* runner
      const [one, two] = [join(directory, "one"), join(directory, "two")]
      for (const [place, text] of [
        [one, "first"],
        [two, "second"]
      ] as const) {
        mkdirSync(place)
        writeFileSync(join(place, "tool"), `#!/bin/sh\necho ${text}\n`, { mode: 0o755 })
      }
      const env = { PATH: `${one}:${two}:/usr/bin:/bin` }
      const before = yield* run({ program: "tool", env })
      chmodSync(join(one, "tool"), 0o644)
      yield* run({ program: "rm", args: [join(one, "tool")] })
      const after = yield* run({ program: "tool", env })
      assert.deepStrictEqual([before.stdout, after.stdout], ["first\n", "second\n"])
    })
  )

  it.live("runs a script without a first line that says what it is", () =>
    Effect.gen(function* () {
      const { directory, run } = yield* runner
      const script = join(directory, "script")
      writeFileSync(script, 'echo "plain $1"\n', { mode: 0o755 })
      assert.strictEqual((yield* run({ program: script, args: ["one two"] })).stdout, "plain one two\n")
    })
  )

  it.live("tells how much memory a command used, where that is known", () =>
    Effect.gen(function* () {
      const { run } = yield* runner
      const small = yield* run({ program: "/bin/true" })
      const large = yield* run({
        program: process.execPath,
        args: ["-e", "const b = Buffer.alloc(200e6, 1); setTimeout(() => b.length, 1500)"]
      })
      if (kind === "native") {
        // That of the program, and not of what started it.
        assert.isAtLeast(small.peakMemory ?? 0, 256 * 1024)
        assert.isBelow(small.peakMemory ?? Infinity, 20e6)
      } else {
        assert.isUndefined(small.peakMemory)
      }
      assert.isAtLeast(large.peakMemory ?? 0, 200e6)
      assert.isBelow(large.peakMemory ?? 0, 400e6)
    })
  )
})
