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

  // A seed stands for other messages in another order after most changes of the code: which one is the first to show it moves.
  it("of a store that takes what was decided on an old version is found within some seeds", () => {
    const seeds = Array.from({ length: 40 }, (_, place) => 115 + place)
    assert.isTrue(seeds.some((seed) => broken("store-does-not-fence", seed) !== undefined))
  })
})
