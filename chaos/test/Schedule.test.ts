import { assert, describe, it } from "@effect/vitest"
import * as Fault from "../Fault.ts"
import * as Schedule from "../Schedule.ts"

const shape: Schedule.Shape = {
  coordinators: 3,
  managers: 4,
  workers: 2,
  smallDisk: 2,
  movableClocks: { coordinator: 3, manager: 4 }
}

describe("the schedule of faults", () => {
  it("is a function of the seed", () => {
    assert.deepStrictEqual(Schedule.make(7, 5, shape), Schedule.make(7, 5, shape))
    assert.notDeepEqual(Schedule.make(7, 5, shape), Schedule.make(8, 5, shape))
  })

  it("begins the same however long it goes on", () => {
    const short = Schedule.make(7, 2, shape).filter(({ at }) => at < 90_000)
    assert.deepStrictEqual(
      Schedule.make(7, 30, shape).filter(({ at }) => at < 90_000),
      short
    )
  })

  it("has everything in half an hour, all of it over at the end", () => {
    const faults = Schedule.make(1, 30, shape)
    assert.deepStrictEqual([...new Set(faults.map(({ kind }) => kind))].toSorted(), [...Fault.kinds].toSorted())
    assert.strictEqual(new Set(faults.map(Fault.group)).size, 22)
    for (const { at, lasts } of faults) assert.isAtMost(at + lasts, 30 * 60_000)
  })

  it("makes no full disk and moves no clock where that cannot be done", () => {
    const faults = Schedule.make(1, 30, { ...shape, smallDisk: undefined, movableClocks: undefined })
    assert.isFalse(faults.some(({ kind }) => kind === "full-disk" || kind === "clock-jump"))
  })

  it("does nothing to what is under a fault already", () => {
    const faults = Schedule.make(3, 30, shape)
    for (const [place, { at, lasts, target }] of faults.entries()) {
      const name = JSON.stringify(target)
      const during = faults
        .slice(place + 1)
        .filter((next) => JSON.stringify(next.target) === name && next.at < at + lasts)
      assert.deepStrictEqual(during, [])
    }
  })
})
