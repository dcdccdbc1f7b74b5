/** Commands against a real coordinator, manager and workers. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { inject } from "vitest"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Muster from "./support/Muster.ts"

const directory = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "muster-commands-"))),
  (path) => Effect.promise(() => rm(path, { recursive: true }))
)

/** A suite that has run: three tasks, the second of which failed. */
const finishedSuite = Effect.gen(function* () {
  const { code, out } = yield* Muster.run([
    "run",
    "--name",
    "three",
    "--labels",
    "test,three",
    "-o",
    "json",
    "--",
    "sh",
    "-c",
    'echo "out {}"; echo "err {}" >&2; exit {}',
    ":::",
    "0",
    "3",
    "0"
  ])
  assert.strictEqual(code, 5)
  return JSON.parse(out)
})

describe("muster manager id", () => {
  it.live("gives a manager its id before it has run, and the same ever after", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const first = yield* Muster.run(["manager", "id", "--directory", join(path, "new")])
      assert.match(first.out, /^[0-9a-z]{16}\n$/)
      const again = yield* Muster.run(["manager", "id", "--directory", join(path, "new")])
      assert.deepStrictEqual(again, first)
      const broken = yield* Muster.run(["manager", "id", "--directory", "/dev/null/x"])
      assert.strictEqual(broken.code, 1)
      assert.match(broken.err, /^muster: cannot use \/dev\/null\/x: /)
    })
  )
})

describe("muster run", () => {
  it.live("runs a command for each input and ends 0 when all succeed", () =>
    Effect.gen(function* () {
      const { code, err, out } = yield* Muster.run(["run", "--print", "--", "echo", "{#}-{/.}", ":::", "d/a.x", "b.y"])
      assert.strictEqual(code, 0)
      assert.sameMembers(out.trim().split("\n"), ["1-a", "2-b"])
      assert.match(err, /^suite \w{16}: 2 tasks: 2 succeeded in /)
    })
  )

  it.live("ends 5 when tasks failed, says which and how, and prints the suite as `suite get` does", () =>
    Effect.gen(function* () {
      const { code, err, out } = yield* Muster.run([
        "run",
        "-o",
        "json",
        "--retries",
        "1",
        "--",
        "sh",
        "-c",
        "echo why >&2; exit {}",
        ":::",
        "0",
        "7"
      ])
      assert.strictEqual(code, 5)
      const suite = JSON.parse(out)
      assert.deepInclude(suite.tasks, { total: 2, pending: 0, succeeded: 1, failed: 1 })
      assert.include(err, `task ${suite.id}.1 failed (exit code 7): sh -c 'echo why >&2; exit 7'\n    why\n`)
      assert.deepStrictEqual(yield* Muster.json(["suite", "get", suite.id]), suite)
      const task = yield* Muster.json(["task", "get", `${suite.id}.1`])
      assert.strictEqual(task.attempts.length, 2)
    })
  )

  it.live("leaves a detached suite behind that can be waited for", () =>
    Effect.gen(function* () {
      const { code, out } = yield* Muster.run(["run", "--detach", "--", "true"])
      assert.strictEqual(code, 0)
      const waited = yield* Muster.run(["suite", "wait", out.trim(), "--timeout", "20s"])
      assert.strictEqual(waited.code, 0)
    })
  )

  it.live("shows what it would run", () =>
    Effect.gen(function* () {
      const { out } = yield* Muster.run([
        "run",
        "--dry-run",
        "--",
        "cp",
        "{}",
        "{2}/{1/}",
        ":::",
        "a b/c",
        ":::",
        "x",
        "y"
      ])
      assert.strictEqual(out, "cp 'a b/c' x x/c\ncp 'a b/c' y y/c\n")
    })
  )

  it.live("runs handlers with JSON inputs", () =>
    Effect.gen(function* () {
      const { code, out } = yield* Muster.run(["run", "--handler", "noop", "-o", "json", ":::", '{"n":1}', "2"])
      assert.strictEqual(code, 0)
      assert.strictEqual(JSON.parse(out).tasks.succeeded, 2)
    })
  )
})

describe("shapes that scripts rely on", () => {
  it.live("are those of suites, tasks and events", () =>
    Effect.gen(function* () {
      const suite = yield* finishedSuite
      assert.containsAllKeys(suite, ["id", "name", "state", "paused", "tasks", "createdAt", "completedAt"])
      assert.deepInclude(suite, { name: "three", state: "complete", paused: false, labels: ["test", "three"] })
      assert.deepStrictEqual(suite.tasks, {
        total: 3,
        pending: 0,
        queued: 0,
        assigned: 0,
        running: 0,
        succeeded: 2,
        failed: 1,
        cancelled: 0
      })

      const tasks = yield* Muster.json(["task", "list", "--suite", suite.id])
      assert.strictEqual(tasks.length, 3)
      assert.containsAllKeys(tasks[1], [
        "id",
        "index",
        "state",
        "attempts",
        "exitCode",
        "signal",
        "startedAt",
        "finishedAt",
        "manager"
      ])
      assert.deepInclude(tasks[1], {
        id: `${suite.id}.1`,
        index: 1,
        state: "failed",
        attempts: 1,
        exitCode: 3,
        signal: null
      })

      const task = yield* Muster.json(["task", "get", `${suite.id}.1`])
      assert.deepInclude(task, { stdout: "out 3\n", stderr: "err 3\n" })
      assert.strictEqual(task.spec.program, "sh")
      assert.containsAllKeys(task.attempts[0], [
        "number",
        "manager",
        "epoch",
        "startedAt",
        "finishedAt",
        "exitCode",
        "signal",
        "outcome"
      ])
      assert.deepInclude(task.attempts[0], { number: 1, exitCode: 3, outcome: "failed" })

      const { out } = yield* Muster.run(["event", "list", "--stream", `suite-${suite.id}`, "-o", "jsonl"])
      const events = out
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line))
      assert.hasAllKeys(events[0], ["position", "stream", "version", "type", "data", "metadata", "recordedAt"])
      assert.deepInclude(events[0], { stream: `suite-${suite.id}`, version: 1, type: "SuiteCreated" })
      assert.strictEqual(new Date(events[0].recordedAt).toISOString(), events[0].recordedAt)
      assert.deepStrictEqual(
        events.map(({ version }) => version),
        events.map((_, place) => place + 1)
      )
    })
  )

  it.live("are those of the running installation", () =>
    Effect.gen(function* () {
      const status = yield* Muster.json(["dev", "status"])
      assert.strictEqual(status.dataDir, inject("dataDir"))
      assert.match(status.url, /^http:\/\/127\.0\.0\.1:\d+$/)
      const roles = status.processes.map(({ role }: { readonly role: string }) => role)
      assert.deepStrictEqual(roles, ["postgres", "coordinator", "manager", "worker", "worker"])
      for (const { pid } of status.processes) assert.isTrue(process.kill(pid, 0))
      const again = yield* Muster.json(["dev", "--detach"])
      assert.deepStrictEqual(again, status)
    })
  )
})

describe("lists", () => {
  it.live("are filtered by what they hold", () =>
    Effect.gen(function* () {
      const { id } = yield* finishedSuite
      const ids = (...args: ReadonlyArray<string>) =>
        Effect.map(Muster.run([...args, "-o", "ids"]), ({ out }) => out.split("\n").filter((line) => line !== ""))
      assert.deepStrictEqual(yield* ids("task", "list", "--suite", id, "--filter", "state=failed"), [`${id}.1`])
      assert.strictEqual(
        (yield* ids("task", "list", "--suite", id, "--filter", "state=failed,state=succeeded")).length,
        3
      )
      assert.include(yield* ids("suite", "list", "--filter", "label=three,state=complete"), id)
      assert.notInclude(yield* ids("suite", "list", "--filter", "label=three", "--filter", "state=open"), id)
      assert.strictEqual((yield* ids("suite", "list", "--limit", "1")).length, 1)
      const [manager] = yield* ids("manager", "list")
      assert.strictEqual((yield* ids("worker", "list", "--filter", `manager=${manager}`)).length, 2)
      assert.strictEqual((yield* ids("event", "list", "--filter", "type=ManagerRegistered")).length, 1)
    })
  )
})

describe("suite submit", () => {
  it.live("takes JSON, JSON lines and YAML, and runs them", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const files = {
        "tasks.json": '[{"program":"true"},{"program":"sh","args":["-c","exit 0"],"timeout":"5s"}]',
        "tasks.jsonl": '{"program":"true"}\n{"program":"true"}\n',
        "tasks.yaml": "suite:\n  name: from yaml\ntasks:\n  - program: 'true'\n  - {program: 'true', labels: [x]}\n"
      }
      for (const [name, text] of Object.entries(files)) {
        const file = join(path, name)
        yield* Effect.promise(() => writeFile(file, text))
        const { code, err, out } = yield* Muster.run(["suite", "submit", file, "--wait", "-o", "json"])
        assert.strictEqual(code, 0, err)
        const suite = JSON.parse(out)
        assert.deepInclude(suite.tasks, { total: 2, succeeded: 2 })
        assert.deepStrictEqual(suite.submitted, { count: 2, ranges: [{ firstIndex: 0, count: 2 }] })
        if (name === "tasks.yaml") assert.strictEqual(suite.name, "from yaml")
      }
    })
  )

  it.live("submits nothing of a file with one bad task, and names the task and the field", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const file = join(path, "bad.yaml")
      yield* Effect.promise(() => writeFile(file, "- program: 'true'\n- program: 'true'\n  timeout: -5s\n"))
      const name = "has one bad task"
      const { code, err } = yield* Muster.run(["suite", "submit", file, "--name", name])
      assert.strictEqual(code, 2)
      assert.match(err, /^muster: tasks\[1\]\.timeout is "-5s"; allowed: a duration/)
      assert.deepStrictEqual(yield* Muster.json(["suite", "list", "--filter", `name=${name}`]), [])
    })
  )

  it.live("adds to a suite that is there", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const file = join(path, "one.json")
      yield* Effect.promise(() => writeFile(file, '{"program":"true"}'))
      const { id } = yield* Muster.json(["suite", "create", "--name", "growing"])
      yield* Muster.json(["suite", "submit", file, "--suite", id])
      const second = yield* Muster.json(["suite", "submit", file, "--suite", id])
      assert.deepStrictEqual(second.submitted.ranges, [{ firstIndex: 1, count: 1 }])
      const closed = yield* Muster.json(["suite", "close", id, "--wait"])
      assert.deepInclude(closed, { state: "complete" })
    })
  )
})

describe("a suite's life", () => {
  it.live("can be paused, resumed, cancelled and retried", () =>
    Effect.gen(function* () {
      const { id } = yield* Muster.json(["suite", "create"])
      assert.deepInclude(yield* Muster.json(["suite", "pause", id]), { paused: true })
      assert.deepInclude(yield* Muster.json(["suite", "resume", id]), { paused: false })
      assert.deepInclude(yield* Muster.json(["suite", "cancel", id, "--reason", "test"]), { state: "cancelled" })

      const failed = yield* finishedSuite
      const { code, err } = yield* Muster.run(["suite", "retry", failed.id, "--failed", "--wait"])
      assert.strictEqual(code, 5)
      assert.include(err, "1 failed task queued again")
      const task = yield* Muster.json(["task", "get", `${failed.id}.1`])
      assert.strictEqual(task.attempts.length, 2)
    })
  )

  it.live("can be waited for no longer than one wants", () =>
    Effect.gen(function* () {
      const { out } = yield* Muster.run(["run", "--detach", "--", "sleep", "30"])
      const id = out.trim()
      const waited = yield* Muster.run(["suite", "wait", id, "--timeout", "100ms"])
      assert.strictEqual(waited.code, 124)
      assert.include(waited.err, `muster: suite ${id} still has 1 pending task`)
      const cancelled = yield* Muster.run(["suite", "cancel", id, "--force", "--wait", "--wait-timeout", "20s"])
      assert.strictEqual(cancelled.code, 5)
    })
  )
})

describe("task logs", () => {
  it.live("print what a task wrote, byte for byte, each stream on its side", () =>
    Effect.gen(function* () {
      const { id } = yield* finishedSuite
      const both = yield* Muster.run(["task", "logs", `${id}.1`])
      assert.deepStrictEqual([both.out, both.err], ["out 3\n", "err 3\n"])
      const one = yield* Muster.run(["task", "logs", `${id}.1`, "--stream", "stderr"])
      assert.deepStrictEqual([one.out, one.err], ["err 3\n", ""])
      const json = yield* Muster.json(["task", "logs", `${id}.1`])
      assert.deepStrictEqual(json, { id: `${id}.1`, stdout: "out 3\n", stderr: "err 3\n" })
    })
  )

  it.live("follow a task until it has ended", () =>
    Effect.gen(function* () {
      const { out } = yield* Muster.run(["run", "--detach", "--", "sh", "-c", "echo one; sleep 0.5; echo two"])
      const logs = yield* Muster.run(["task", "logs", "--follow", `${out.trim()}.0`])
      assert.strictEqual(logs.out, "one\ntwo\n")
    })
  )
})

describe("task explain", () => {
  it.live("says in sentences why a task is in its state, now and as it was", () =>
    Effect.gen(function* () {
      const suite = yield* finishedSuite
      const failed = yield* Muster.run(["task", "explain", `${suite.id}.1`])
      assert.strictEqual(failed.code, 0, failed.err)
      assert.match(
        failed.out,
        new RegExp(`^task ${suite.id}\\.1 is failed at \\S+\\n\\nIt is failed: its only attempt, on `)
      )
      assert.include(failed.out.replaceAll("\n", " "), "failed with exit code 3")
      assert.include(failed.out.replaceAll("\n", " "), "it was not tried again: it has no retries")
      assert.include(failed.out, `What helps: muster task retry ${suite.id}.1\n`)
      assert.match(failed.out, /WHEN +WHAT +BY +EVENT +VERSION\n/)
      assert.match(failed.out, /stderr \(end\)\nerr 3\n$/)

      const json = yield* Muster.json(["task", "explain", `${suite.id}.1`])
      assert.strictEqual(json.state, "failed")
      assert.strictEqual(json.attempts[0].exitCode, 3)
      const submitted = yield* Muster.json(["task", "explain", `${suite.id}.1`, "--at", json.submitted.at])
      assert.strictEqual(submitted.state, "queued")
      assert.lengthOf(submitted.history, 1)

      const early = yield* Muster.run(["task", "explain", `${suite.id}.1`, "--at", "1d"])
      assert.strictEqual(early.code, 2)
      assert.match(early.err, /^muster: at is "1d"; allowed: a time from \S+ on, when task \S+ was submitted\n$/)
      const wrong = yield* Muster.run(["task", "explain", `${suite.id}.1`, "--at", "soon"])
      assert.strictEqual(wrong.code, 2)
      assert.match(wrong.err, /^muster: --at is "soon"; allowed: a time such as /)
      assert.strictEqual((yield* Muster.run(["task", "explain", `${suite.id}.9`])).code, 4)
    })
  )

  it.live("says what keeps a task waiting, fitting the width of a terminal", () =>
    Effect.gen(function* () {
      const created = yield* Muster.run(["run", "--detach", "--tags", "no-such-tag", "--", "true"])
      const id = created.out.trim()
      // The planner hears of the suite a moment after its commit.
      const { out } = yield* Effect.repeat(Muster.run(["task", "explain", `${id}.0`], { columns: 60 }), {
        until: ({ out: text }) => !text.includes("has not heard yet"),
        schedule: Schedule.spaced("10 millis")
      })
      assert.include(out, "lacks the tag no-such-tag that the suite asks for")
      assert.include(out, "--tags no-such-tag")
      for (const line of out.split("\n").filter((each) => !each.startsWith("What helps"))) {
        assert.isAtMost(line.length, 60, line)
      }
      yield* Muster.run(["suite", "cancel", id])
    })
  )
})

describe("tokens", () => {
  it.live("are shown once, listed without secrets and revoked", () =>
    Effect.gen(function* () {
      const made = yield* Muster.json(["token", "create", "of-a-test", "--role", "admin"])
      assert.match(made.token, /^mst_admin_/)
      const used = yield* Muster.run(["suite", "list"], { env: { MUSTER_TOKEN: made.token } })
      assert.strictEqual(used.code, 0)
      assert.strictEqual((yield* Muster.run(["token", "create", "of-a-test"])).code, 1)
      const listed = yield* Muster.run(["token", "list"])
      assert.include(listed.out, "of-a-test")
      assert.notInclude(listed.out, made.token)
      assert.strictEqual((yield* Muster.run(["token", "revoke", "of-a-test"])).code, 0)
      assert.strictEqual((yield* Muster.run(["token", "revoke", "of-a-test"])).code, 4)
    })
  )
})

describe("config view", () => {
  it.live("tells values and origins and keeps secrets", () =>
    Effect.gen(function* () {
      const rows: ReadonlyArray<{ readonly name: string }> = yield* Muster.json(["config", "view"])
      const of = (name: string) => rows.find((row) => row.name === name) ?? {}
      assert.deepInclude(of("dataDir"), { origin: "environment", detail: "MUSTER_DATA_DIR" })
      assert.deepInclude(of("token"), { value: "***", origin: "profile" })
      assert.deepInclude(of("output"), { value: "json", origin: "flag" })
      assert.notMatch(JSON.stringify(rows), /mst_|postgres:[^*]*@/)
    })
  )
})

describe("admin rebuild", () => {
  it.live("finds that the read models are what the events say", () =>
    Effect.gen(function* () {
      yield* finishedSuite
      const rows = yield* Muster.json(["admin", "rebuild", "--check"])
      assert.sameMembers(
        rows.map(({ projection }: { readonly projection: string }) => projection),
        ["suites", "managers", "workers"]
      )
      for (const { differing } of rows) assert.strictEqual(differing, 0)
    })
  )
})

describe("muster cluster status", () => {
  it.live("shows coordinators with what they lead, and where suites are", () =>
    Effect.gen(function* () {
      const [coordinator, another] = yield* Muster.json(["cluster", "status"])
      assert.isUndefined(another)
      assert.deepInclude(coordinator.leads, { pools: ["main"] })
      assert.strictEqual(coordinator.shards.length, 100)
      const table = yield* Muster.run(["cluster", "status"])
      assert.match(table.out, /^COORDINATOR +STATE/)
      assert.include(table.out, "pool main")
      const ids = yield* Muster.run(["cluster", "status", "-o", "ids"])
      assert.strictEqual(ids.out.trim(), coordinator.address)
      const { id } = yield* Muster.json(["suite", "create", "--tags", "nobody-has-this"])
      yield* Muster.run(["suite", "submit", id, "--", "true"])
      const suites = yield* Muster.json(["cluster", "status", "--suites"])
      assert.deepInclude(
        suites.find((suite: { id: string }) => suite.id === id),
        { coordinator: coordinator.address, state: "open" }
      )
    })
  )
})
