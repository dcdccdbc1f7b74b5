/**
 * Bugs that are put in on purpose are found: by the seeds that were the first to show them.
 */
import { assert, describe, it } from "@effect/vitest"
import type { Planted } from "./support/Planted.ts"
import * as Simulation from "./support/Simulation.ts"

/** The first rule that is broken in this run. */
const broken = (plant: Planted, seed: number): string | undefined => Simulation.run(seed, { plant }).violations[0]?.rule

describe("a bug that is put in", () => {
  it("of a suite that leases what is held is found", () => {
    assert.strictEqual(broken("suite-leases-what-is-held", 1), "leases never overlap")
  })

  it("of a store that takes what was decided on an old version is found (the first seed that shows it)", () => {
    assert.strictEqual(broken("store-does-not-fence", 92), "every task ends")
  })
})
