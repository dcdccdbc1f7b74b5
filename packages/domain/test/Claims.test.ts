import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { Epoch, ManagerId } from "@muster/domain/Manager/Id"
import * as Claims from "@muster/domain/Rpc/Claims"
import { AttemptResult } from "@muster/domain/Task/Attempt"
import { pack } from "@muster/domain/Task/Packed"

const now = 1_800_000_000_000
const managerId = ManagerId.make("0123456789abcdef")

const base = {
  managerId,
  epoch: 3,
  suiteId: "fedcba9876543210",
  commandId: "a",
  started: [[0, 1, now]],
  ended: [[1, 1, 0, now, 2.5]],
  returned: [[2, 1]]
}

const kindOf = (claim: Result.Result<unknown, Claims.Refusal>) =>
  Result.isFailure(claim) ? claim.failure.kind : "believed"

const report = (change: object) => kindOf(Claims.report({ ...base, ...change }, now))

const nested = (depth: number): unknown => JSON.parse("[".repeat(depth) + "]".repeat(depth))

const rest = (more: object) => ({ ended: [[1, 1, 1, now, 2.5, more]] })

describe("what a manager reports", () => {
  it("is believed when it can be", () => {
    const claim = Claims.report(base, now)
    assert.isTrue(Result.isSuccess(claim))
    assert.strictEqual(
      report(rest({ exitCode: 3, stdout: "x".repeat(65_536), output: { a: [1] }, peakMemory: 5 })),
      "believed"
    )
    assert.strictEqual(report({ epoch: 1, ended: [], started: [], returned: [] }), "believed")
  })

  it.each([
    ["another form", { ended: {} }, "malformed"],
    ["no manager", { managerId: "me" }, "malformed"],
    ["no session", { epoch: 0 }, "malformed"],
    ["an endless session", { epoch: 2 ** 31 }, "malformed"],
    ["an endless command id", { commandId: "x".repeat(129) }, "malformed"],
    ["an index that is NaN in JSON", { started: [[null, 1, now]] }, "malformed"],
    ["an index that is text", { returned: [["1", 1]] }, "malformed"],
    ["an index out of range", { returned: [[2 ** 31, 1]] }, "malformed"],
    ["a negative index", { ended: [[-1, 1, 0, now, 1]] }, "malformed"],
    ["a fraction of an index", { ended: [[0.5, 1, 0, now, 1]] }, "malformed"],
    ["an attempt before the first", { started: [[0, 0, now]] }, "malformed"],
    ["an attempt beyond the last", { started: [[0, 40_000, now]] }, "malformed"],
    ["too few numbers", { started: [[0, 1]] }, "malformed"],
    ["an exit code that fits no column", rest({ exitCode: 2 ** 31 }), "malformed"],
    ["a negative number of bytes", rest({ stdoutBytes: -1 }), "malformed"],
    ["a negative duration", { ended: [[1, 1, 0, now, -1]] }, "impossible_duration"],
    ["an absurd duration", { ended: [[1, 1, 0, now, 1e15]] }, "impossible_duration"],
    ["a start in the far future", { ended: [[1, 1, 0, now + 4e10, 1]] }, "impossible_time"],
    ["a start before clocks", { started: [[1, 1, -1]] }, "impossible_time"],
    ["an end that no calendar has", rest({ finishedAt: 9e15 }), "impossible_time"],
    ["a million results", { ended: Array.from({ length: 1_000_000 }, () => 0) }, "too_many"],
    ["more starts than any machine has", { started: Array.from({ length: 100_001 }, () => 0) }, "too_many"],
    ["an output that is nested deeply", rest({ output: nested(1_000) }), "too_large"],
    ["an output that is nested very deeply", rest({ output: nested(200_000) }), "too_large"],
    ["an enormous output", rest({ output: "x".repeat(2_000_000) }), "too_large"],
    ["an enormous message", rest({ message: "x".repeat(70_000) }), "too_large"],
    ["an enormous tail", rest({ stderr: "x".repeat(300_000) }), "too_large"]
  ] as const)("is not with %s", (_, change, kind) => {
    assert.strictEqual(report(change), kind)
    const claim = Claims.report({ ...base, ...change }, now)
    // It says which field, and repeats nothing that is large.
    if (Result.isFailure(claim)) assert.isBelow(claim.failure.error.message.length, 1_000)
  })

  it.prop("is never more than fits into the database, whatever comes", [Schema.Array(AttemptResult)], ([results]) => {
    const raw = JSON.parse(JSON.stringify({ ...base, ended: results.map(pack) }))
    const claim = Claims.report(raw, now)
    if (Result.isFailure(claim)) return
    for (const { duration = 0, exitCode = 0, finishedAt, peakMemory = 0, startedAt = 0 } of claim.success.ended) {
      assert.isTrue(duration >= 0 && duration < 3.4e38)
      assert.strictEqual(exitCode, Math.trunc(exitCode))
      assert.isAtMost(Math.abs(exitCode), 2 ** 31)
      assert.isAtLeast(peakMemory, 0)
      for (const time of [startedAt, finishedAt]) assert.doesNotThrow(() => new Date(time).toISOString())
    }
  })

  it.prop("is refused or believed, never thrown at, whatever comes", [Schema.Json, Schema.Json], ([one, other]) => {
    for (const raw of [
      one,
      { ...base, started: one },
      { ...base, ended: [one, other] },
      { ...base, ended: [[1, 1, 1, now, 1, one]] },
      { ...base, ended: [[one, other, 0, now, 1]] },
      { ...base, returned: [[one, other]], epoch: other }
    ]) {
      Claims.report(raw, now)
      Claims.lease(raw)
      Claims.heartbeat(raw)
      Claims.workers({ ...base, changes: raw }, now)
    }
  })
})

describe("what a manager says of itself", () => {
  const lease = { managerId, epoch: 1, suiteId: base.suiteId, commandId: "a", max: 10, wait: 0 }
  const beat = { managerId, epoch: 1, activity: "idle", running: 0, buffered: 0 }
  const change = { slot: 0, change: "started", pid: 1, at: now }
  const workers = (more: object) =>
    kindOf(Claims.workers({ managerId, epoch: 1, changes: [{ ...change, ...more }] }, now))

  it("is believed when it can be", () => {
    assert.strictEqual(kindOf(Claims.lease(lease)), "believed")
    // So a manager asks what a lease gave whose answer it no longer waits for.
    assert.strictEqual(kindOf(Claims.lease({ ...lease, max: 0 })), "believed")
    assert.strictEqual(kindOf(Claims.heartbeat({ ...beat, prefetchHits: 5 })), "believed")
    assert.strictEqual(workers({ exitCode: 1 }), "believed")
  })

  it("is not when it cannot", () => {
    for (const wrong of [{ max: -1 }, { max: 1e9 }, { wait: -1 }, { wait: 1e12 }, { commandId: "" }]) {
      assert.strictEqual(kindOf(Claims.lease({ ...lease, ...wrong })), "malformed")
    }
    for (const wrong of [{ prefetchHits: -1 }, { prefetchMisses: 1e12 }, { running: -1 }, { activity: "dancing" }]) {
      assert.strictEqual(kindOf(Claims.heartbeat({ ...beat, ...wrong })), "malformed")
    }
    for (const wrong of [
      { slot: -1 },
      { slot: 256 },
      { pid: 2 ** 31 },
      { exitCode: 2 ** 40 },
      { signal: "x".repeat(99) }
    ]) {
      assert.strictEqual(workers(wrong), "malformed")
    }
    assert.strictEqual(workers({ at: 9e15 }), "impossible_time")
    const many = Array.from({ length: 5_000 }, () => change)
    assert.strictEqual(kindOf(Claims.workers({ managerId, epoch: 1, changes: many }, now)), "too_many")
  })

  it("speaks for the sessions that its connection has opened", () => {
    const sessions = new Map([[managerId, Epoch.make(3)]])
    const kind = (id: ManagerId, epoch: number) =>
      Claims.identity(sessions, { managerId: id, epoch: Epoch.make(epoch) })?.kind
    assert.isUndefined(kind(managerId, 3))
    // What an earlier process of this manager has left.
    assert.isUndefined(kind(managerId, 2))
    assert.strictEqual(kind(managerId, 4), "other_epoch")
    assert.strictEqual(kind(ManagerId.make("f123456789abcdef"), 3), "other_manager")
  })
})
