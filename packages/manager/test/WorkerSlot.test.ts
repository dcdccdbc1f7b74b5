import { assert, describe, it } from "@effect/vitest"
import type { AttemptResult } from "@muster/domain/Task"
import { Pace } from "@muster/manager/Pace"
import * as SuiteLease from "@muster/manager/SuiteLease"
import { WorkerSlot } from "@muster/manager/WorkerSlot"
import { command, item, range, succeeded, suite } from "./support/Fixtures.ts"

/** The place of a worker that has been given commands 0 to `count - 1`. */
const slotWith = (count: number) => {
  const slot = new WorkerSlot(
    0,
    new Pace(),
    () => undefined,
    SuiteLease.make(),
    () => {}
  )
  slot.given(
    range(count).map((index) => item(index, command)),
    false
  )
  return slot
}

const cancelled = (index: number, startedAt?: number): AttemptResult => ({
  index,
  attempt: 1,
  outcome: "cancelled",
  finishedAt: 2_000,
  ...(startedAt === undefined ? {} : { startedAt })
})

const results = (...some: ReadonlyArray<AttemptResult>) => some.map((result) => ({ suiteId: suite, result }))
const back = (index: number, mayHaveBegun = false) => ({ suiteId: suite, index, attempt: 1, mayHaveBegun })
const indexes = (items: ReadonlyArray<{ readonly index: number }>) => items.map(({ index }) => index)

describe("what a worker had", () => {
  it("of what is ended because its manager goes, what ran is lost and what did not is given back", () => {
    const slot = slotWith(3)
    const { ended, unbegun } = slot.accept(results(succeeded(0), cancelled(1, 1_000), cancelled(2)))
    assert.deepStrictEqual(
      ended.map(({ index, outcome }) => [index, outcome]),
      [
        [0, "succeeded"],
        [1, "lost"]
      ]
    )
    assert.deepStrictEqual([indexes(unbegun), slot.held.size], [[2], 0])
  })

  it("is given back once, by the one who has it, and what may have begun is kept apart", () => {
    const slot = slotWith(4)
    const { doubtful, ended, unbegun } = slot.takeBack([back(1), back(2, true), back(7), { ...back(3), attempt: 2 }])
    assert.deepStrictEqual([indexes(unbegun), indexes(doubtful), ended], [[1], [2], []])
    assert.deepStrictEqual([...slot.held.keys()], [0, 3])
    assert.deepStrictEqual(slot.takeBack([back(1)]).unbegun, [])
  })

  it("is cancelled when somebody asked for that before it came back", () => {
    const slot = slotWith(2)
    for (const one of slot.held.values()) one.isCancelled = true
    const { ended, unbegun } = slot.takeBack([back(1)])
    assert.deepStrictEqual(unbegun, [])
    assert.deepStrictEqual(
      ended.map(({ index, outcome }) => [index, outcome]),
      [[1, "cancelled"]]
    )
    assert.strictEqual(slot.accept(results(cancelled(0))).ended[0]?.outcome, "cancelled")
  })
})
