/**
 * The whole manager: its process with real workers, against a coordinator that speaks the real protocol.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { readdirSync, readFileSync } from "node:fs"
import * as FileSystem from "node:fs/promises"
import * as Path from "node:path"
import type { SuiteSpec } from "@muster/domain/Suite/Spec"
import type { TaskSpec } from "@muster/domain/Task"
import { noop, otherSuite, range, suite } from "./support/Fixtures.ts"
import * as ManagerProcess from "./support/ManagerProcess.ts"
import * as ScriptedCoordinator from "./support/ScriptedCoordinator.ts"

const shell = (script: string): TaskSpec => ({ program: "/bin/sh", args: ["-c", script] })
const sleep = (millis: number): TaskSpec => ({ handler: "sleep", input: millis })

interface Setup {
  readonly env?: Readonly<Record<string, string>>
  readonly spec?: SuiteSpec
}

/** A manager that executes the suite. */
const executing = Effect.fnUntraced(function* ({ env = {}, spec = {} }: Setup = {}) {
  const coordinator = yield* ScriptedCoordinator.make
  const directory = yield* ManagerProcess.temporaryDirectory
  const start = ManagerProcess.start({ port: coordinator.port, directory, env })
  const manager = yield* start
  yield* manager.ready
  coordinator.assign(suite, spec)
  yield* coordinator.until("executing", () => coordinator.activities.at(-1) === "executing")
  return { coordinator, directory, manager, start }
})

/** Whether a process lives; one that has ended and that nobody has waited for yet does not. */
const isAlive = (pid: number) => {
  try {
    return !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, "latin1"))
  } catch {
    return false
  }
}

/** Processes that sleep so long. */
const sleepers = (seconds: string) =>
  readdirSync("/proc").filter((pid) => {
    try {
      return Number(pid) > 0 && readFileSync(`/proc/${pid}/cmdline`, "latin1") === `sleep\0${seconds}\0`
    } catch {
      return false
    }
  }).length

/** Asks again and again, for a while. */
const eventually = (what: string, condition: () => boolean) =>
  Effect.suspend(() => (condition() ? Effect.void : Effect.fail(what))).pipe(
    Effect.retry(Schedule.spaced("20 millis").pipe(Schedule.upTo({ duration: "25 seconds" }))),
    Effect.orDie
  )

/** The number that a task wrote into a file. */
const numberIn = (path: string) =>
  Effect.tryPromise(() => FileSystem.readFile(path, "utf8")).pipe(
    Effect.filterOrFail((text) => text.endsWith("\n")),
    Effect.map(Number),
    Effect.retry(Schedule.spaced("20 millis").pipe(Schedule.upTo({ duration: "25 seconds" }))),
    Effect.orDie
  )

const workerPids = (coordinator: ScriptedCoordinator.ScriptedCoordinator) =>
  coordinator.workers.filter(({ change }) => change === "started").map(({ pid }) => pid)

describe("work", () => {
  it.live("a lone task is run at once, and its result comes at once", () =>
    Effect.gen(function* () {
      const { coordinator } = yield* executing()
      const latencies: Array<number> = []
      for (const index of range(30)) {
        const since = performance.now()
        coordinator.submit([noop])
        yield* coordinator.until(`result ${index}`, () => coordinator.results.has(index))
        latencies.push(performance.now() - since)
      }
      const median = latencies.toSorted((one, other) => one - other)[15] ?? Infinity
      assert.isBelow(median, 50)
      assert.strictEqual(coordinator.results.get(7)?.outcome, "succeeded")
    })
  )

  it.live("a flood is run once each, by leases and reports of many", () =>
    Effect.gen(function* () {
      const { coordinator } = yield* executing({ spec: { workers: 2 } })
      const count = 20_000
      coordinator.submit(range(count).map((input) => ({ handler: "noop", input })))
      yield* coordinator.until("all results", () => coordinator.results.size === count)
      const reported = [...coordinator.reports.values()].flatMap(({ ended }) => ended)
      assert.strictEqual(reported.length, count)
      assert.isBelow(coordinator.reports.size, count / 20)
      assert.isBelow(coordinator.leaseCalls.length, count / 20)
      assert.deepStrictEqual(
        [...coordinator.results.values()].filter(({ outcome }) => outcome !== "succeeded"),
        []
      )
    })
  )

  it.live("commands run with their output, exit code and signal", () =>
    Effect.gen(function* () {
      const { coordinator } = yield* executing()
      coordinator.submit([shell("echo out; echo err >&2; exit 3"), shell("kill -SEGV $$"), shell("true")])
      yield* coordinator.until("all results", () => coordinator.results.size === 3)
      const [first, second, third] = range(3).map((index) => coordinator.results.get(index))
      assert.deepInclude(first, { outcome: "failed", exitCode: 3, stdout: "out\n", stderr: "err\n" })
      assert.deepInclude(second, { outcome: "failed", signal: "SIGSEGV" })
      assert.deepInclude(third, { outcome: "succeeded", exitCode: 0 })
    })
  )

  it.live("short commands behind a long one are run by the other worker while it runs", () =>
    Effect.gen(function* () {
      const { coordinator, directory } = yield* executing({ spec: { workers: 2 } })
      const gate = Path.join(directory, "gate")
      // So that commands are known to be short, and are handed out several at a time.
      coordinator.submit(range(100).map(() => ({ program: "/bin/true" })))
      yield* coordinator.until("the first results", () => coordinator.results.size === 100)
      coordinator.submit([
        shell(`while [ ! -e ${gate} ]; do sleep 0.01; done`),
        ...range(40).map(() => shell("exit 4"))
      ])
      yield* coordinator.until("the short ones", () => coordinator.results.size === 140)
      assert.isFalse(coordinator.results.has(100))
      yield* Effect.promise(() => FileSystem.writeFile(gate, ""))
      yield* coordinator.until("the long one", () => coordinator.results.size === 141)
      assert.deepStrictEqual(
        range(40).map((place) => coordinator.results.get(101 + place)?.exitCode),
        range(40).map(() => 4)
      )
      assert.deepStrictEqual(coordinator.returned, [])
    })
  )

  it.live("a worker that is killed in a flood of commands costs none of them", () =>
    Effect.gen(function* () {
      const { coordinator } = yield* executing({ spec: { workers: 2 } })
      yield* coordinator.until("its workers", () => workerPids(coordinator).length === 2)
      const count = 600
      coordinator.submit(range(count).map(() => ({ program: "/bin/true" })))
      yield* coordinator.until("some results", () => coordinator.results.size > 100)
      process.kill(workerPids(coordinator)[0] ?? 0, "SIGKILL")
      yield* coordinator.until("all results", () => coordinator.results.size === count)
      const others = [...coordinator.results.values()].filter(({ outcome }) => outcome !== "succeeded")
      // The one that it was known to run, if there was one.
      assert.isAtMost(others.length, 1)
      for (const { outcome } of others) assert.strictEqual(outcome, "crashed")
    })
  )

  it.live("a suite has as many workers as it wants, and the next one as many as that wants", () =>
    Effect.gen(function* () {
      const { coordinator } = yield* executing({ spec: { workers: 3 } })
      yield* coordinator.until("a third worker", () => new Set(workerPids(coordinator)).size === 3)
      coordinator.assign(otherSuite, { workers: 1 })
      yield* coordinator.until(
        "one left",
        () => coordinator.workers.filter((one) => one.change === "stopped").length === 2
      )
      coordinator.submit([noop])
      yield* coordinator.until("a result", () => coordinator.results.size === 1)
      assert.deepStrictEqual(coordinator.released, [suite])
    })
  )
})

describe("directives", () => {
  it.live("cancelled tasks end, whether they wait or run", () =>
    Effect.gen(function* () {
      const { coordinator } = yield* executing()
      coordinator.submit([shell("sleep 60"), noop, noop])
      yield* coordinator.until("a start", () => coordinator.started.has(0))
      coordinator.say({
        _tag: "CancelTasks",
        suiteId: suite,
        tasks: [
          [0, 1],
          [1, 1]
        ]
      })
      yield* coordinator.until("all results", () => coordinator.results.size === 3)
      assert.deepStrictEqual(
        range(3).map((index) => coordinator.results.get(index)?.outcome),
        ["cancelled", "cancelled", "succeeded"]
      )
      assert.strictEqual(coordinator.results.get(1)?.startedAt, undefined)
    })
  )

  it.live("a released suite gives back what waits and finishes what runs; then another one may come", () =>
    Effect.gen(function* () {
      const { coordinator } = yield* executing()
      coordinator.submit([shell("sleep 0.5"), noop])
      yield* coordinator.until("a start", () => coordinator.started.has(0))
      coordinator.say({ _tag: "Release", suiteId: suite })
      yield* coordinator.until("release", () => coordinator.released.length === 1)
      assert.deepStrictEqual(coordinator.returned, [1])
      assert.strictEqual(coordinator.results.get(0)?.outcome, "succeeded")
      assert.deepStrictEqual(coordinator.activities, ["preparing", "executing", "cleanup", "idle"])
      coordinator.assign(otherSuite)
      coordinator.submit([noop])
      yield* coordinator.until("a result of the other suite", () => coordinator.results.has(2))
    })
  )

  it.live("a suite that is assigned anew while it is on its way out stays, beside what still runs", () =>
    Effect.gen(function* () {
      const { coordinator, directory } = yield* executing({ spec: { workers: 2 } })
      const gate = Path.join(directory, "gate")
      coordinator.submit([shell(`while [ ! -e ${gate} ]; do sleep 0.01; done`)])
      yield* coordinator.until("a start", () => coordinator.started.has(0))
      for (const index of range(3)) {
        coordinator.say({ _tag: "Release", suiteId: suite })
        // One after the other, and one on the heels of the other.
        if (index === 0) {
          const { length } = coordinator.leaseCalls
          yield* coordinator.until("the end of its calls", () => coordinator.leaseCalls.length > length)
        }
        if (index === 2) {
          coordinator.assign(suite, { workers: 2 })
          coordinator.say({ _tag: "Release", suiteId: suite })
        }
        coordinator.assign(suite, { workers: 2 })
        coordinator.submit([noop])
        yield* coordinator.until(`result ${index + 1}`, () => coordinator.results.has(index + 1))
      }
      assert.isFalse(coordinator.results.has(0))
      assert.deepStrictEqual(coordinator.activities, ["preparing", "executing"])
      coordinator.say({ _tag: "Release", suiteId: suite })
      yield* Effect.promise(() => FileSystem.writeFile(gate, ""))
      yield* coordinator.until("release", () => coordinator.released.length === 1)
      assert.strictEqual(coordinator.results.get(0)?.outcome, "succeeded")
      assert.deepStrictEqual(coordinator.activities, ["preparing", "executing", "cleanup", "idle"])
    })
  )

  it.live("a suite that has ended is released without being told", () =>
    Effect.gen(function* () {
      const { coordinator } = yield* executing()
      coordinator.ended = true
      coordinator.wake()
      yield* coordinator.until("release", () => coordinator.released.length === 1)
    })
  )

  it.live("a draining manager gives back what waits and takes nothing until it drains no more", () =>
    Effect.gen(function* () {
      const { coordinator } = yield* executing()
      coordinator.submit([shell("sleep 0.3"), noop])
      yield* coordinator.until("a start", () => coordinator.started.has(0))
      coordinator.say({ _tag: "Drain", draining: true })
      yield* coordinator.until("a return", () => coordinator.returned.length === 1)
      coordinator.submit([noop])
      yield* coordinator.until("the result of what ran", () => coordinator.results.has(0))
      const heartbeats = coordinator.heartbeats
      yield* coordinator.until("time to pass", () => coordinator.heartbeats > heartbeats + 1)
      assert.strictEqual(coordinator.results.size, 1)
      coordinator.say({ _tag: "Drain", draining: false })
      yield* coordinator.until("the result of what waited", () => coordinator.results.has(2))
    })
  )

  it.live("logs are read while a task runs and afterwards", () =>
    Effect.gen(function* () {
      const { coordinator } = yield* executing()
      coordinator.submit([shell("echo first; sleep 60"), shell("true")])
      yield* coordinator.until("a start", () => coordinator.started.has(0))
      const read = Effect.fnUntraced(function* (requestId: string, index: number, of = suite) {
        const what = { suiteId: of, index, attempt: 1, stream: "stdout" as const, offset: 0, limit: 100 }
        coordinator.say({ _tag: "ReadLog", requestId, ...what })
        yield* coordinator.until(`log ${requestId}`, () => coordinator.logs.has(requestId))
        const { data, ...rest } = coordinator.logs.get(requestId) ?? { data: new Uint8Array(0) }
        return { ...rest, text: Buffer.from(data).toString() }
      })
      let asked = 0
      const live = read(`live ${asked++}`, 0).pipe(
        Effect.filterOrFail(({ text }) => text !== ""),
        Effect.retry(Schedule.spaced("20 millis").pipe(Schedule.upTo({ duration: "25 seconds" })))
      )
      assert.deepStrictEqual(yield* live, { text: "first\n", size: 6, ended: false, missing: false })
      coordinator.say({ _tag: "CancelTasks", suiteId: suite, tasks: [[0, 1]] })
      yield* coordinator.until("all results", () => coordinator.results.size === 2)
      assert.deepStrictEqual(yield* read("over", 0), { text: "first\n", size: 6, ended: true, missing: false })
      assert.deepStrictEqual(yield* read("silent", 1), { text: "", size: 0, ended: true, missing: false })
      assert.deepStrictEqual(yield* read("gone", 1, otherSuite), { text: "", size: 0, ended: true, missing: true })
    })
  )
})

describe("dead workers", () => {
  it.live("a task whose worker is killed has crashed with the signal, and another worker takes over", () =>
    Effect.gen(function* () {
      const { coordinator, directory } = yield* executing()
      const file = Path.join(directory, "task-pid")
      coordinator.submit([shell(`echo $$ > ${file}; exec sleep 60`)])
      const task = yield* numberIn(file)
      const [worker = 0] = workerPids(coordinator)
      const killedAt = Date.now()
      process.kill(worker, "SIGKILL")
      yield* coordinator.until("a result", () => coordinator.results.has(0))
      assert.isFalse(isAlive(task))
      const result = coordinator.results.get(0)
      assert.deepInclude(result, { outcome: "crashed", signal: "SIGKILL" })
      assert.isAtMost(result?.startedAt ?? Infinity, killedAt)
      assert.isBelow((result?.finishedAt ?? Infinity) - killedAt, 1_000)
      coordinator.submit([noop])
      yield* coordinator.until("a result of the next worker", () => coordinator.results.has(1))
      assert.isBelow(Date.now() - killedAt, 4_000)
      const changes = coordinator.workers.filter(({ slot }) => slot === 0).map(({ change }) => change)
      assert.deepStrictEqual(changes, ["started", "crashed", "started"])
    })
  )

  it.live("of many handler tasks in a worker exactly the one that kills it is blamed", () =>
    Effect.gen(function* () {
      const { coordinator } = yield* executing()
      // First some that are quick, so that the next come in one batch.
      coordinator.submit(range(500).map(() => noop))
      yield* coordinator.until("the quick ones", () => coordinator.results.size === 500)
      coordinator.submit(range(60).map((place) => (place === 40 ? { handler: "exit", input: 9 } : noop)))
      yield* coordinator.until("all results", () => coordinator.results.size === 560)
      const crashed = [...coordinator.results.values()].filter(({ outcome }) => outcome !== "succeeded")
      assert.deepStrictEqual(
        crashed.map(({ exitCode, index, outcome }) => ({ exitCode, index, outcome })),
        [{ exitCode: 9, index: 540, outcome: "crashed" }]
      )
    })
  )

  it.live("a handler that blocks its thread past its time is ended with its worker", () =>
    Effect.gen(function* () {
      const { coordinator } = yield* executing({ env: { MUSTER_BEAT_TIMEOUT: "2s" } })
      coordinator.submit([{ handler: "block", input: null, timeout: 300, grace: 100 }])
      yield* coordinator.until("a result", () => coordinator.results.has(0))
      assert.strictEqual(coordinator.results.get(0)?.outcome, "timed_out")
      coordinator.submit([noop, { handler: "deaf", input: null, timeout: 300, grace: 100 }])
      yield* coordinator.until("a result of the next worker", () => coordinator.results.has(1))
      // So is one that does not heed its interruption, and not before it has ended.
      yield* coordinator.until("its end", () => coordinator.results.has(2))
      assert.deepInclude(coordinator.results.get(2), { outcome: "timed_out" })
      assert.include(coordinator.results.get(2)?.message ?? "", "did not heed")
    })
  )
})

describe("a coordinator that goes and comes back", () => {
  it.live("finds everything done, and gets each result once", () =>
    Effect.gen(function* () {
      const { coordinator } = yield* executing({ spec: { workers: 2 } })
      coordinator.submit(range(6).map((index) => (index % 2 === 0 ? sleep(400) : shell("sleep 0.4; echo done"))))
      yield* coordinator.until("a start", () => coordinator.started.size > 0)
      // Reports arrive, but their answers do not: these must come again, under the same ids.
      coordinator.reporting = "unanswered"
      yield* coordinator.until("a result", () => coordinator.results.size > 0)
      const unanswered = [...coordinator.reports.values()].filter(({ ended }) => ended.length > 0)
      yield* coordinator.close
      coordinator.reporting = "answered"
      yield* coordinator.open
      yield* coordinator.until("all results", () => coordinator.results.size === 6)
      const again = () => unanswered.every(({ commandId }) => (coordinator.deliveries.get(commandId) ?? 0) === 2)
      yield* coordinator.until("the unanswered reports again", again)
      const reported = [...coordinator.reports.values()].flatMap(({ ended }) => ended)
      assert.strictEqual(reported.length, 6)
      assert.deepStrictEqual(
        reported.filter(({ outcome }) => outcome !== "succeeded"),
        []
      )
      assert.strictEqual(new Set(coordinator.connects.map(({ instance }) => instance)).size, 1)
      assert.deepStrictEqual(coordinator.ready, [1, 1])
    })
  )

  it.live("and says that the session is over: what runs is ended, and another session begins", () =>
    Effect.gen(function* () {
      const { coordinator, directory, manager } = yield* executing()
      const file = Path.join(directory, "task-pid")
      coordinator.submit([shell(`echo $$ > ${file}; exec sleep 60`)])
      const task = yield* numberIn(file)
      coordinator.suite = undefined
      coordinator.fenced.add(1)
      yield* coordinator.until("another session", () => coordinator.ready.includes(2))
      assert.isFalse(isAlive(task))
      assert.isTrue(isAlive(manager.pid))
      assert.strictEqual(coordinator.results.size, 0)
      coordinator.assign(otherSuite)
      coordinator.submit([noop])
      yield* coordinator.until("a result in the new session", () => coordinator.results.has(1))
      const reports = [...coordinator.reports.values()].filter(({ ended }) => ended.length > 0)
      assert.deepStrictEqual(
        reports.map(({ epoch }) => epoch),
        [2]
      )
    })
  )
})

describe("the end of a manager", () => {
  it.live("TERM: what runs is finished, what waits is given back, exit code 0", () =>
    Effect.gen(function* () {
      const { coordinator, manager } = yield* executing()
      coordinator.submit([shell("sleep 0.7; echo done"), noop, noop])
      yield* coordinator.until("a start", () => coordinator.started.has(0))
      manager.child.kill("SIGTERM")
      assert.deepStrictEqual(yield* manager.exited, { code: 0, signal: null })
      assert.deepInclude(coordinator.results.get(0), { outcome: "succeeded", stdout: "done\n" })
      assert.deepStrictEqual(coordinator.returned, [1, 2])
      assert.deepStrictEqual(coordinator.left, [1])
      for (const pid of workerPids(coordinator)) assert.isFalse(isAlive(pid))
    })
  )

  it.live("TERM in a flood of commands: each has run and is reported, or has not begun and is given back", () =>
    Effect.gen(function* () {
      const { coordinator, directory, manager } = yield* executing({
        env: { MUSTER_SHUTDOWN_LIMIT: "1ms" },
        spec: { workers: 2 }
      })
      const journal = Path.join(directory, "ran")
      const count = 600
      coordinator.submit(range(count).map((place) => shell(`echo ${place} >> ${journal}`)))
      yield* coordinator.until("some results", () => coordinator.results.size > 100)
      manager.child.kill("SIGTERM")
      assert.deepStrictEqual(yield* manager.exited, { code: 0, signal: null })
      const ran = new Set((yield* Effect.promise(() => FileSystem.readFile(journal, "utf8"))).split("\n").map(Number))
      for (const index of coordinator.returned) {
        assert.isFalse(coordinator.results.has(index))
        assert.isFalse(ran.has(index) && index > 0, `${index} ran and was given back`)
      }
      const leased = [...coordinator.leases.values()].flat().length
      assert.strictEqual(coordinator.returned.length + coordinator.results.size, leased)
    })
  )

  it.live("KILL in a flood of commands leaves no process behind", () =>
    Effect.gen(function* () {
      const { coordinator, manager } = yield* executing({ spec: { workers: 2 } })
      const seconds = `100${Math.floor(Math.random() * 1e6)}`
      coordinator.submit(range(400).map(() => shell(`setsid sleep ${seconds} >/dev/null 2>&1 & exit 0`)))
      yield* coordinator.until("some results", () => coordinator.results.size > 50)
      manager.child.kill("SIGKILL")
      yield* eventually("the end of all", () => sleepers(seconds) === 0)
      for (const pid of workerPids(coordinator)) yield* eventually(`the end of worker ${pid}`, () => !isAlive(pid))
      assert.strictEqual(sleepers(seconds), 0)
    })
  )

  it.live("TERM: what does not end in time is lost, so that it runs elsewhere, and its processes are gone", () =>
    Effect.gen(function* () {
      const { coordinator, directory, manager } = yield* executing({ env: { MUSTER_SHUTDOWN_LIMIT: "200ms" } })
      const file = Path.join(directory, "task-pid")
      coordinator.submit([shell(`trap '' TERM; echo $$ > ${file}; while :; do sleep 0.1; done`)])
      const task = yield* numberIn(file)
      manager.child.kill("SIGTERM")
      assert.deepStrictEqual(yield* manager.exited, { code: 0, signal: null })
      assert.strictEqual(coordinator.results.get(0)?.outcome, "lost")
      assert.isFalse(isAlive(task))
    })
  )

  it.live("a directive: force does not wait", () =>
    Effect.gen(function* () {
      const { coordinator, manager } = yield* executing()
      coordinator.submit([shell("sleep 60")])
      yield* coordinator.until("a start", () => coordinator.started.has(0))
      coordinator.say({ _tag: "Shutdown", mode: "force" })
      assert.deepStrictEqual(yield* manager.exited, { code: 0, signal: null })
      assert.strictEqual(coordinator.results.get(0)?.outcome, "lost")
    })
  )

  it.live("KILL: nothing of it is left, and its successor hands in the results before it is ready", () =>
    Effect.gen(function* () {
      const { coordinator, directory, manager, start } = yield* executing({ spec: { workers: 2 } })
      const file = Path.join(directory, "task-pid")
      coordinator.reporting = "unheard"
      coordinator.submit([shell("echo kept"), shell(`echo $$ > ${file}; exec sleep 60`)])
      const task = yield* numberIn(file)
      const journal = Path.join(directory, "journal")
      yield* Effect.tryPromise(async () => {
        const [name = "none yet"] = await FileSystem.readdir(journal)
        return FileSystem.readFile(Path.join(journal, name), "utf8")
      }).pipe(
        Effect.filterOrFail((text) => text.includes("kept")),
        Effect.retry(Schedule.spaced("20 millis").pipe(Schedule.upTo({ duration: "25 seconds" })))
      )
      manager.child.kill("SIGKILL")
      yield* manager.exited
      for (const pid of [...workerPids(coordinator), task]) yield* eventually("its end", () => !isAlive(pid))
      coordinator.suite = undefined
      coordinator.reporting = "answered"
      const successor = yield* start
      yield* successor.ready
      assert.deepInclude(coordinator.results.get(0), { outcome: "succeeded", stdout: "kept\n" })
      assert.deepStrictEqual(coordinator.log, ["ready 1", "report of epoch 1", "ready 2"])
      assert.strictEqual((yield* successor.ready).managerId, (yield* manager.ready).managerId)
      // It has seen that nothing of the one before is left.
      const [first, second] = coordinator.connects
      assert.deepStrictEqual([first?.gone, second?.gone], [[], [first?.instance]])
    })
  )
})

describe("a suite that asks for a lease", () => {
  const spec: SuiteSpec = { workers: 1, onDisconnect: "stop", leaseDuration: 5_000, defaults: { grace: 100 } }

  it.live("is ended when nobody renews it, gives back what nobody began, and goes on when it is renewed", () =>
    Effect.gen(function* () {
      const { coordinator, directory } = yield* executing({ spec })
      const file = Path.join(directory, "task-pid")
      const stubborn = shell(`trap '' TERM; echo $$ > ${file}; while :; do sleep 0.1; done`)
      coordinator.submit([stubborn, shell("sleep 60"), shell("sleep 60")])
      const task = yield* numberIn(file)
      yield* coordinator.until("a start", () => coordinator.started.has(0))
      coordinator.proofAge = undefined
      yield* coordinator.until("the end of the lease", () => coordinator.results.has(0))
      assert.isFalse(isAlive(task))
      const result = coordinator.results.get(0)
      assert.deepInclude(result, { outcome: "lease_lost", attempt: 1 })
      assert.include(result?.message ?? "", "cut off")
      yield* coordinator.until("what was not begun", () => coordinator.returned.length >= 2)
      coordinator.proofAge = 0
      coordinator.submit([shell("exit 0")])
      yield* coordinator.until("the next result", () => coordinator.results.has(3))
      assert.strictEqual(coordinator.results.get(3)?.outcome, "succeeded")
      assert.deepStrictEqual(
        coordinator.connects.map((connect) => connect.epoch),
        [1]
      )
    })
  )

  it.live("begins nothing while too little is left of it", () =>
    Effect.gen(function* () {
      const { coordinator } = yield* executing()
      assert.strictEqual(coordinator.renewals, 0)
      coordinator.say({ _tag: "Release", suiteId: suite })
      yield* coordinator.until("its release", () => coordinator.released.length === 1)
      // So old that the lease is over when it is heard of.
      coordinator.proofAge = 4_000
      coordinator.assign(suite, spec)
      coordinator.submit([shell("exit 0")])
      const before = coordinator.renewals
      yield* coordinator.until("some renewals", () => coordinator.renewals > before + 4)
      assert.strictEqual(coordinator.results.size, 0)
      coordinator.proofAge = 0
      yield* coordinator.until("its result", () => coordinator.results.size === 1)
    })
  )
})

describe("a manager that cannot run says why in one line", () => {
  it.live("another one has the directory", () =>
    Effect.gen(function* () {
      const { manager, start } = yield* executing()
      const second = yield* start
      assert.strictEqual((yield* second.exited).code, 6)
      assert.match(
        second.log(),
        new RegExp(`^muster manager: the directory .* is in use by .* process id ${manager.pid}; .*\n$`)
      )
    })
  )

  it.live("the token is refused", () =>
    Effect.gen(function* () {
      const coordinator = yield* ScriptedCoordinator.make
      const directory = yield* ManagerProcess.temporaryDirectory
      const env = { MUSTER_TOKEN: "wrong" }
      const manager = yield* ManagerProcess.start({ port: coordinator.port, directory, env })
      assert.strictEqual((yield* manager.exited).code, 3)
      assert.match(manager.log(), /^muster manager: the coordinator at ws:.* refuses the token \(MUSTER_TOKEN\): .*\n$/)
    })
  )

  it.live("a setting is wrong", () =>
    Effect.gen(function* () {
      const directory = yield* ManagerProcess.temporaryDirectory
      const env = { MUSTER_MANAGER_WORKERS: "1000" }
      const manager = yield* ManagerProcess.start({ port: 1, directory, env })
      assert.strictEqual((yield* manager.exited).code, 2)
      assert.strictEqual(
        manager.log(),
        `muster manager: MUSTER_MANAGER_WORKERS is "1000"; allowed: a whole number from 1 to 256\n`
      )
    })
  )
})
