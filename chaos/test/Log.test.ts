import { assert, describe, it } from "@effect/vitest"
import type { Recorded } from "@muster/domain/Recorded"
import * as Log from "../Log.ts"

const id = "0123456789abcdef"
const stream = `suite-${id}`

/** Events of one suite as the store gives them; answers with all that is wrong. */
const take = (...events: ReadonlyArray<readonly [type: string, data: object]>) => {
  const log = Log.make()
  const found = events.flatMap(([type, data], place) =>
    log.take({
      position: place + 1,
      stream,
      version: place + 1,
      type,
      data: data as Recorded["data"], // events are JSON
      metadata: { actor: "test", schemaVersion: 1 },
      recordedAt: 1_000 + place
    })
  )
  return { log, found }
}

const created = ["SuiteCreated", { id, spec: { name: "planted" } }] as const
const submitted = (count: number) =>
  ["TasksSubmitted", { firstIndex: 0, tasks: Array.from({ length: count }, () => ({ program: "true" })) }] as const
const leased = (manager: string, epoch: number, ...leases: ReadonlyArray<readonly [number, number, number]>) =>
  ["TasksLeased", { manager, epoch, leases }] as const
const started = (manager: string, epoch: number, index: number, attempt: number) =>
  ["TasksStarted", { manager, epoch, tasks: [[index, attempt, 0]] }] as const
const ended = (
  manager: string,
  epoch: number,
  index: number,
  attempt: number,
  outcome = "succeeded",
  next = "succeeded"
) => ["AttemptsEnded", { manager, epoch, attempts: [{ index, attempt, outcome, next, finishedAt: 0 }] }] as const
const lost = (manager: string, epoch: number, ...ranges: ReadonlyArray<readonly [number, number]>) =>
  ["LeasesReturned", { manager, epoch, ranges, reason: "manager_lost" }] as const

const base = [created, submitted(2)]

/** The only thing that is wrong. */
const onlyOne = (found: ReadonlyArray<string>): string =>
  found.length === 1 ? String(found[0]) : JSON.stringify(found)

describe("a log that is as it should be", () => {
  it("has tasks that are leased, lost, leased again and settled", () => {
    const { found, log } = take(
      ...base,
      leased("a", 1, [0, 1, 1]),
      started("a", 1, 0, 1),
      ended("a", 1, 0, 1, "lost", "retry"),
      lost("a", 1, [1, 1]),
      leased("b", 1, [0, 0, 2], [1, 1, 1]),
      ended("b", 1, 0, 2),
      ended("b", 1, 1, 1, "failed", "failed"),
      ["SuiteCompleted", {}]
    )
    assert.deepStrictEqual(found, [])
    const suite = log.suites.get(id)
    assert.deepInclude(suite === undefined ? {} : Log.counts(suite), { total: 2, succeeded: 1, failed: 1, pending: 0 })
  })

  it("may have the result of a lost attempt after all, in place of the loss", () => {
    const { found } = take(
      ...base,
      leased("a", 1, [0, 1, 1]),
      started("a", 1, 0, 1),
      ended("a", 1, 0, 1, "lost", "retry"),
      lost("a", 1, [1, 1]),
      ended("a", 1, 0, 1),
      ended("a", 1, 1, 1)
    )
    assert.deepStrictEqual(found, [])
  })

  it("may have the result of a lost manager after another one gave the lease back unused", () => {
    const { found } = take(
      ...base,
      leased("a", 1, [0, 0, 1]),
      lost("a", 1, [0, 0]),
      leased("b", 1, [0, 0, 1]),
      ["LeasesReturned", { manager: "b", epoch: 1, ranges: [[0, 0]], reason: "returned" }],
      ended("a", 1, 0, 1)
    )
    assert.deepStrictEqual(found, [])
  })

  it("tells what was committed", () => {
    const log = Log.make()
    const committed: Array<Log.Committed> = []
    log.onCommitted((each) => committed.push(each))
    for (const [place, [type, data]] of [...base, leased("a", 1, [0, 0, 1]), ended("a", 1, 0, 1)].entries()) {
      log.take({
        position: place + 1,
        stream,
        version: place + 1,
        type,
        data,
        metadata: { actor: "test", schemaVersion: 1 },
        recordedAt: 7
      })
    }
    assert.deepStrictEqual(committed, [
      { suiteId: id, index: 0, attempt: 1, outcome: "succeeded", isSettled: true, at: 7 }
    ])
  })
})

describe("a planted fault is found in the log", () => {
  it("leases that overlap", () => {
    assert.match(onlyOne(take(...base, leased("a", 1, [0, 1, 1]), leased("b", 1, [1, 1, 1])).found), /leases overlap/)
  })

  it("a lease to a session that is over", () => {
    assert.match(
      onlyOne(take(...base, leased("a", 1, [0, 0, 1]), lost("a", 1, [0, 0]), leased("a", 1, [1, 1, 1])).found),
      /is over/
    )
  })

  it("a lease under a number that was used", () => {
    const { found } = take(
      ...base,
      leased("a", 1, [0, 0, 1]),
      ended("a", 1, 0, 1, "failed", "retry"),
      leased("a", 1, [0, 0, 1])
    )
    assert.match(onlyOne(found), /leased as attempt 1/)
  })

  it("two outcomes of one attempt", () => {
    const { found } = take(
      ...base,
      leased("a", 1, [0, 0, 1]),
      ended("a", 1, 0, 1, "failed", "retry"),
      ended("a", 1, 0, 1, "succeeded", "succeeded")
    )
    assert.match(onlyOne(found), /a second outcome \(succeeded\) of attempt 1/)
  })

  it("a task that is settled twice", () => {
    const { found } = take(...base, leased("a", 1, [0, 0, 1]), ended("a", 1, 0, 1), ended("a", 1, 0, 2))
    assert.match(onlyOne(found), /settled twice/)
  })

  it("an outcome from a manager that does not have the task", () => {
    assert.match(onlyOne(take(...base, leased("a", 1, [0, 0, 1]), ended("b", 1, 0, 1)).found), /does not hold it/)
    assert.match(onlyOne(take(...base, leased("a", 2, [0, 0, 1]), ended("a", 1, 0, 1)).found), /does not hold it/)
  })

  it("a start at a manager that does not have the task", () => {
    assert.match(onlyOne(take(...base, leased("a", 1, [0, 0, 1]), started("b", 1, 0, 1)).found), /does not hold it/)
  })

  it("a task that is given back as not begun though it has", () => {
    const { found } = take(...base, leased("a", 1, [0, 0, 1]), started("a", 1, 0, 1), [
      "LeasesReturned",
      { manager: "a", epoch: 1, ranges: [[0, 0]], reason: "returned" }
    ])
    assert.match(onlyOne(found), /given back as not begun/)
  })

  it("a suite that is complete with a task left", () => {
    assert.match(onlyOne(take(...base, ["SuiteCompleted", {}]).found), /complete with tasks/)
  })

  it("tasks under indexes that were given before", () => {
    assert.match(onlyOne(take(...base, submitted(1)).found), /submits from index 0/)
  })

  it("a running task that is cancelled as if it were queued", () => {
    assert.match(
      onlyOne(take(...base, leased("a", 1, [0, 0, 1]), ["TasksCancelled", { ranges: [[0, 0]], reason: "" }]).found),
      /cancelled, though/
    )
  })

  it("a settled task that is queued again without having failed", () => {
    const { found } = take(...base, leased("a", 1, [0, 0, 1]), ended("a", 1, 0, 1), [
      "TasksRequeued",
      { ranges: [[0, 0]] }
    ])
    assert.match(onlyOne(found), /queued again/)
  })

  it("a hole in a stream", () => {
    const log = Log.make()
    const event = {
      stream,
      type: "SuiteCreated",
      data: { id, spec: {} },
      metadata: { actor: "test", schemaVersion: 1 },
      recordedAt: 0
    }
    assert.deepStrictEqual(log.take({ ...event, position: 1, version: 1 }), [])
    assert.match(
      onlyOne(log.take({ ...event, type: "SuitePaused", data: {}, position: 2, version: 3 })),
      /follows version 1/
    )
  })

  it("tasks that are left, with what they wait for", () => {
    const { log } = take(...base, leased("a", 1, [0, 0, 1]), ended("a", 1, 0, 1))
    const suite = log.suites.get(id)
    assert.deepStrictEqual(
      (suite === undefined ? [] : Log.pending(suite)).map(([index]) => index),
      [1]
    )
  })
})
