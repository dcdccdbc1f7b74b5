/**
 * Leases in a world that is against them: see `LeaseWorld`. The number of schedules can be raised with
 * MUSTER_LEASE_SCHEDULES.
 */
import { assert, describe, it } from "@effect/vitest"
import { LeaseWorld } from "../support/LeaseWorld.ts"
import { randomFrom } from "../support/SuiteLife.ts"

const schedules = Number(process.env["MUSTER_LEASE_SCHEDULES"] ?? 1_000)
const steps = 6_000

describe("a session on a lease", () => {
  it("is over when what it held is handed on, whatever is frozen, late or lost meanwhile", () => {
    const ends = new Map<string, number>()
    let handedOn = 0
    for (let seed = 1; seed <= schedules; seed++) {
      const world = new LeaseWorld(randomFrom(seed), seed % 3 === 0 ? 120_000 : 5_000)
      try {
        world.run(steps)
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error })
      }
      handedOn += world.gaps.length
      for (const end of world.ends) ends.set(end, (ends.get(end) ?? 0) + 1)
    }
    // It would prove nothing if nothing happened.
    assert.isAbove(handedOn, schedules / 10)
    for (const end of ["silent over", "replaced open", "replaced gone"]) assert.isAbove(ends.get(end) ?? 0, 10, end)
  })
})
