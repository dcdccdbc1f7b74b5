import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as HeldItem from "@muster/manager/HeldItem"
import type { Death } from "@muster/manager/HeldItem"
import { command, item } from "./support/Fixtures.ts"

const held = (index: number, given: Partial<HeldItem.HeldItem> = {}): HeldItem.HeldItem => ({
  item: item(index),
  handedOutAt: 1_000,
  startedAt: undefined,
  isCancelled: false,
  ...given
})

const killed: Death = { pid: 77, exitCode: undefined, signal: "SIGKILL", at: 9_000, reason: "died" }
const noTimeout = () => undefined
const indexes = (items: ReadonlyArray<{ readonly index: number }>) => items.map(({ index }) => index)

describe("the tasks of a dead worker", () => {
  it("the only one is the one that crashed, with the worker's signal", () => {
    const { again, results } = HeldItem.settle([held(3, { item: item(3, command) })], killed, noTimeout)
    assert.deepStrictEqual(again, [])
    assert.deepStrictEqual(results, [
      {
        index: 3,
        attempt: 1,
        outcome: "crashed",
        startedAt: 1_000,
        finishedAt: 9_000,
        signal: "SIGKILL",
        message: "worker process 77 was ended by SIGKILL"
      }
    ])
  })

  it("of several nobody is blamed without proof: all run again", () => {
    const { again, results } = HeldItem.settle([held(1), held(2), held(3)], killed, noTimeout)
    assert.deepStrictEqual([indexes(again), results], [[1, 2, 3], []])
  })

  it("of several the ones that were told to run crashed, the others run again", () => {
    const { again, results } = HeldItem.settle([held(1), held(2, { startedAt: 5_000 }), held(3)], killed, noTimeout)
    assert.deepStrictEqual(indexes(again), [1, 3])
    assert.deepStrictEqual(
      results.map(({ index, outcome, startedAt }) => [index, outcome, startedAt]),
      [[2, "crashed", 5_000]]
    )
  })

  it("what did not heed its interruption is told when it has ended: why, and that it did not heed", () => {
    const hanging: Death = { ...killed, exitCode: 75, signal: undefined }
    const message = "its handler did not heed its interruption, and was ended with its worker"
    const outcomes = [held(1, { startedAt: 5_000 }), held(2, { startedAt: 5_000, isCancelled: true })].map((one) => {
      const { results } = HeldItem.settle([one], hanging, () => 1_000)
      return results.map((result) => [result.outcome, result.message])
    })
    assert.deepStrictEqual(outcomes, [[["timed_out", message]], [["cancelled", message]]])
  })

  it("of a lease that was over has ended with it, and of several the others run again", () => {
    const lost: Death = { ...killed, reason: "lease_lost" }
    const { again, results } = HeldItem.settle([held(1), held(2, { startedAt: 5_000 })], lost, noTimeout)
    assert.deepStrictEqual(indexes(again), [1])
    assert.deepStrictEqual(
      results.map(({ index, outcome, signal }) => [index, outcome, signal]),
      [[2, "lease_lost", undefined]]
    )
  })

  it("what somebody wanted to end is cancelled, begun or not", () => {
    const tasks = [held(1, { isCancelled: true }), held(2, { isCancelled: true, startedAt: 5_000 }), held(3)]
    const { again, results } = HeldItem.settle(tasks, killed, noTimeout)
    assert.deepStrictEqual(indexes(again), [3])
    assert.deepStrictEqual(
      results.map(({ index, outcome }) => [index, outcome]),
      [
        [1, "cancelled"],
        [2, "cancelled"]
      ]
    )
  })

  it("what blocked its worker past its time is timed out, before it crashed", () => {
    const blocked: Death = { ...killed, reason: "blocked" }
    const outcome = (startedAt: number) =>
      HeldItem.settle([held(1, { startedAt })], blocked, () => 3_000).results[0]?.outcome
    assert.strictEqual(outcome(6_000), "timed_out")
    assert.strictEqual(outcome(6_001), "crashed")
  })

  it("what a manager ends to go itself is lost", () => {
    const { results } = HeldItem.settle([held(1)], { ...killed, reason: "dismissed" }, noTimeout)
    assert.deepStrictEqual(
      results.map(({ outcome }) => outcome),
      ["lost"]
    )
  })

  const AnyHeld = Schema.Array(
    Schema.Struct({ startedAt: Schema.UndefinedOr(Schema.Int), isCancelled: Schema.Boolean })
  )
  const AnyReason = Schema.Literals(["died", "blocked", "dismissed"])

  it.prop("each of them gets exactly one fate", [AnyHeld, AnyReason], ([given, reason]) => {
    const tasks = given.map((one, index) => held(index, one))
    const { again, results } = HeldItem.settle(tasks, { ...killed, reason }, noTimeout)
    const fates = [...indexes(again), ...indexes(results)].toSorted((one, other) => one - other)
    assert.deepStrictEqual(
      fates,
      tasks.map(({ item: { index } }) => index)
    )
  })
})

describe("a silent worker", () => {
  const patience = (limit: number | undefined) => () => limit

  it("is left alone without a task, and with one that may run for ever", () => {
    assert.isFalse(HeldItem.isStuck([], 60_000, 100_000, patience(1)))
    assert.isFalse(HeldItem.isStuck([held(1)], 60_000, 100_000, patience(undefined)))
  })

  it("is stuck when its only task is past its time", () => {
    assert.isFalse(HeldItem.isStuck([held(1, { startedAt: 50_001 })], 11_000, 100_000, patience(50_000)))
    assert.isTrue(HeldItem.isStuck([held(1, { startedAt: 50_000 })], 11_000, 100_000, patience(50_000)))
  })

  it("is stuck with several when each of them would be past its time", () => {
    const tasks = [held(1), held(2)]
    const limits = (index: number) => (index === 1 ? 5_000 : 20_000)
    const stuck = (silence: number) => HeldItem.isStuck(tasks, silence, 100_000, ({ index }) => limits(index))
    assert.isFalse(stuck(19_999))
    assert.isTrue(stuck(20_000))
  })

  it("is left alone with several when one of them may run for ever", () => {
    assert.isFalse(HeldItem.isStuck([held(1), held(2)], 99_000, 100_000, ({ index }) => (index === 1 ? 1 : undefined)))
  })
})
