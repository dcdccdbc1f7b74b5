/** Each of the smaller checks finds what was planted for it. */
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { SuiteId } from "@muster/domain/Suite/Id"
import * as Process from "../../test/e2e/support/Process.ts"
import * as Counters from "../Counters.ts"
import * as Leftovers from "../Leftovers.ts"
import * as Ledger from "../Ledger.ts"
import type * as Log from "../Log.ts"
import * as Recovery from "../Recovery.ts"
import * as Strays from "../Strays.ts"

const id = SuiteId.make("0123456789abcdef")

const task = (phase: Log.Phase, more: Partial<Log.Task> = {}): Log.Task => ({
  phase,
  holder: undefined,
  isRunning: false,
  ended: 0,
  last: undefined,
  lostLeases: new Set(),
  isCancelRequested: false,
  retryAt: undefined,
  ...more
})

const suite = (...tasks: Array<Log.Task>): Log.Suite => ({
  id,
  name: "planted",
  tasks,
  state: "open",
  paused: false,
  version: 1,
  fences: new Map()
})

const logOf = (...suites: ReadonlyArray<Log.Suite>) => ({ suites: new Map(suites.map((each) => [each.id, each])) })

describe("the ledger", () => {
  const ledger = (...accepted: ReadonlyArray<{ readonly firstIndex: number; readonly count: number }>) => {
    const made = Ledger.make()
    made.created({ id, name: "planted", stops: false }).accepted.push(...accepted)
    return made
  }

  it("is content when all that was answered is in the log", () => {
    const log = logOf(suite(task("queued"), task("queued"), task("queued")))
    assert.deepStrictEqual(Ledger.violations(ledger({ firstIndex: 0, count: 2 }, { firstIndex: 2, count: 1 }), log), [])
  })

  it("misses a suite, and tasks", () => {
    assert.match(Ledger.violations(ledger(), logOf())[0] ?? "", /is not in the log/)
    const log = logOf(suite(task("queued")))
    assert.match(Ledger.violations(ledger({ firstIndex: 0, count: 2 }), log)[0] ?? "", /the log has 1/)
  })

  it("sees an index that was given twice", () => {
    const log = logOf(suite(task("queued"), task("queued")))
    const twice = ledger({ firstIndex: 0, count: 2 }, { firstIndex: 1, count: 1 })
    assert.match(Ledger.violations(twice, log)[0] ?? "", /accepted twice: index 1/)
  })
})

describe("counters", () => {
  const counts = { total: 1, queued: 1, running: 0 }

  it("are the same by every account, or it is told who says what", () => {
    assert.deepStrictEqual(Counters.differences(suite(), { rows: counts, log: { ...counts, more: 1 } }), [])
    const found = Counters.differences(suite(), { rows: counts, counters: { ...counts, queued: 0 }, log: counts })
    assert.match(found[0] ?? "", /counters \{"total":1,"queued":0/)
  })
})

describe("processes without a lease", () => {
  const process: Strays.TaskProcess = {
    pid: 10,
    command: "sleep 300",
    taskId: `${id}.0`,
    attempt: 1,
    manager: 2,
    isDaemon: false
  }
  const look = (strays: Strays.Strays, now: number, impairedUntil = 0) =>
    strays.look(
      now,
      [process],
      () => false,
      () => impairedUntil
    )

  it("have one while their manager holds the task under that attempt", () => {
    const held = (more: Partial<Log.Task>) =>
      logOf(suite(task("held", { holder: { manager: "m", epoch: 1 }, ...more })))
    assert.isTrue(Strays.hasLease(process, "m", held({})))
    assert.isFalse(Strays.hasLease(process, "other", held({})))
    assert.isFalse(Strays.hasLease(process, "m", held({ ended: 1 })))
    assert.isFalse(Strays.hasLease(process, "m", logOf(suite(task("succeeded")))))
    assert.isFalse(Strays.hasLease(process, "m", logOf()))
  })

  it("are told of when they have lived too long", () => {
    const strays = Strays.make()
    assert.deepStrictEqual(look(strays, 100), [])
    assert.deepStrictEqual(look(strays, 100 + Strays.patience), [])
    assert.match(look(strays, 101 + Strays.patience)[0] ?? "", /alive without a lease/)
  })

  it("have time from when their manager could hear again", () => {
    const strays = Strays.make()
    look(strays, 100)
    assert.deepStrictEqual(look(strays, 101 + Strays.patience, 110), [])
    assert.strictEqual(look(strays, 111 + Strays.patience, 110).length, 1)
  })
})

describe("files", () => {
  it.effect("that tasks left, and sockets, are found; what is kept on purpose is not", () =>
    Effect.gen(function* () {
      const directory = yield* Process.directory("chaos-test")
      const place = join(directory, "work", "worker-0")
      mkdirSync(join(place, "0", "exec"), { recursive: true })
      for (const name of ["current", "guardian.sh"]) writeFileSync(join(place, name), "")
      writeFileSync(join(directory, "manager-id"), "")
      assert.deepStrictEqual(Leftovers.ofManager(directory), [])
      const planted = [join(directory, "workers.sock"), join(place, "stdin-1"), join(place, "0", "exec", "a")]
      for (const path of planted) writeFileSync(path, "")
      assert.deepStrictEqual(Leftovers.ofManager(directory).toSorted(), planted.toSorted())

      const temporary = yield* Process.directory("chaos-test")
      mkdirSync(join(temporary, "node-compile-cache"))
      assert.deepStrictEqual(Leftovers.ofTemporary(temporary), [])
      mkdirSync(join(temporary, "muster-1"))
      assert.strictEqual(Leftovers.ofTemporary(temporary).length, 1)
    })
  )
})

describe("recovery", () => {
  const committed = (index: number, at: number): Log.Committed => ({
    suiteId: id,
    index,
    attempt: 1,
    outcome: "succeeded",
    isSettled: true,
    at
  })

  it("is the time to the next outcome of what the victim was concerned with", () => {
    const recovery = Recovery.make()
    recovery.began("kill worker", 1_000, new Set([`${id}.1`]))
    recovery.committed(committed(1, 900))
    recovery.committed(committed(2, 1_100))
    recovery.committed({ ...committed(1, 1_150), outcome: "lost" })
    recovery.committed(committed(1, 1_250))
    recovery.committed(committed(1, 1_400))
    assert.deepStrictEqual(recovery.summary(), { "kill worker": { count: 1, p50: 250, p99: 250, longest: 250 } })
  })
})
