import { assert, describe, it } from "@effect/vitest"
import * as Cost from "../Cost.ts"
import * as Processes from "../Processes.ts"
import * as Programs from "../Programs.ts"

const usage = (parent: number, own: number, ended = 0, command = "some program"): Processes.Usage => ({
  parent,
  own,
  ended,
  command
})

describe("processor time", () => {
  it("is read behind a name that has brackets and spaces in it", () => {
    const stat = "12 (a ) b) S 7 1 1 0 -1 4194304 1 2 3 4 150 50 30 20 20 0 1 0 99"
    assert.deepStrictEqual(Processes.parseStat(stat), { parent: 7, own: 2, ended: 0.5 })
  })

  it("of each process belongs to one part", () => {
    const seconds = Cost.byPart(
      new Map([
        [1, usage(0, 100)],
        [10, usage(1, 3, 1)],
        [11, usage(1, 2)],
        [20, usage(1, 4, 0.5)],
        [21, usage(20, 5, 0.25, `node ${Programs.worker} `)],
        [22, usage(21, 6, 7)],
        [30, usage(1, 1, 2)],
        [31, usage(30, 8)],
        [40, usage(1, 9, 50)]
      ]),
      { coordinators: [10, 11], managers: [20], postgres: 30 },
      40
    )
    assert.deepStrictEqual(seconds, {
      coordinator: 6,
      manager: 4,
      workers: 5.5,
      launchers: 6,
      commands: 7.25,
      postgres: 11,
      bench: 9
    })
  })

  it("and the log are for so many tasks", () => {
    const cpuSeconds = { coordinator: 4, manager: 0, workers: 2, launchers: 0, commands: 0, postgres: 1, bench: 0 }
    assert.deepStrictEqual(Cost.perThousand({ cpuSeconds, walBytes: 6_000 }, 2_000), {
      cpuSeconds: { ...cpuSeconds, coordinator: 2, workers: 1, postgres: 0.5 },
      walBytes: 3_000
    })
  })

  it("has the median of each part by itself", () => {
    const cost = (coordinator: number, walBytes: number): Cost.Cost => ({
      cpuSeconds: { coordinator, manager: 0, workers: 0, launchers: 0, commands: 0, postgres: 0, bench: 0 },
      walBytes
    })
    const middle = Cost.median([cost(1, 30), cost(2, 10), cost(3, 20)])
    assert.strictEqual(middle.cpuSeconds.coordinator, 2)
    assert.strictEqual(middle.walBytes, 20)
  })
})
