/**
 * Bugs that are put in on purpose are found, each within so many seeds.
 */
import { assert, describe, it } from "@effect/vitest"
import type { Planted } from "./support/Planted.ts"
import * as Simulation from "./support/Simulation.ts"

const found = (plant: Planted, within: number): string | undefined => {
  for (let seed = 1; seed <= within; seed++) {
    const [violation] = Simulation.run(seed, { plant }).violations
    if (violation !== undefined) return violation.rule
  }
  return undefined
}

describe("a bug that is put in", () => {
  it("of a suite that leases what is held is found", () => {
    assert.strictEqual(found("suite-leases-what-is-held", 2), "leases never overlap")
  })
})
