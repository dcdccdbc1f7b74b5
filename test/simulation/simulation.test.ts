/**
 * A small part of what `npm run simulate` does, in each run of the tests: some fixed seeds, and every seed that has found
 * a bug.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Simulation from "./support/Simulation.ts"

/** Seeds that need nothing but to go well. */
const fixed = Array.from({ length: 12 }, (_, number) => number + 1)

/** Seeds that have found a bug. Each has a line in docs/simulation.md. */
const named = [
  // A manager waited for a frozen coordinator's word for longer than its session lasted without a connection.
  101
]

describe("a simulated Muster", () => {
  for (const seed of [...fixed, ...named]) {
    it(`is as it must be, whatever happens (seed ${seed})`, () => {
      const { events, executions, violations } = Simulation.run(seed)
      assert.deepStrictEqual(violations, [], `npm run simulate -- --seed ${seed} --verbose`)
      assert.isAbove(events, 0)
      assert.isAbove(executions, 0)
    })
  }

  it("runs the same way again with the same seed, and another way with another one", () => {
    const first = Simulation.run(5)
    const second = Simulation.run(5)
    const other = Simulation.run(6)
    assert.deepStrictEqual(second, first)
    assert.notStrictEqual(other.hash, first.hash)
  })
})
