/**
 * A slice of `npm run fuzz`, with seeds that are always the same; and that it finds what it looks for.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Fuzz from "../Fuzz.ts"
import { violated } from "../Target.ts"
import type { Opened, Target } from "../Target.ts"
import * as InProcess from "../targets/InProcess.ts"
import * as Sockets from "../targets/Sockets.ts"
import * as Worker from "../targets/Worker.ts"

const slices: ReadonlyArray<readonly [target: Target, cases: number]> = [
  [InProcess.packed, 2_000],
  [InProcess.taskFiles, 400],
  [InProcess.journal, 300],
  [InProcess.profile, 200],
  [Worker.launcher, 40],
  [Sockets.clients, 400]
]

describe("bad input", () => {
  for (const [target, cases] of slices) {
    it.live(`does no harm: ${target.what}`, () => Effect.asVoid(Fuzz.feed(target, cases, 0)))
  }
})

/** A target that has the flaw, and otherwise none. */
const flawed = (flaw: Partial<Opened>): Target => ({
  name: "flawed",
  what: "",
  weight: 1,
  checkEvery: 10,
  open: Effect.succeed({ run: () => Promise.resolve(), check: () => Promise.resolve(), memory: () => 0, ...flaw })
})

describe("the search for bad input that does harm", () => {
  it.live("names the seed of the case that did", () =>
    Effect.gen(function* () {
      const target = flawed({ run: async (seed) => (seed === 57 ? violated("it broke") : undefined) })
      const failed = yield* Effect.flip(Fuzz.feed(target, 100, 0))
      assert.deepInclude(failed, { target: "flawed", seed: 57, reason: "it broke" })
    })
  )

  it.live("finds what is wrong afterwards, and memory that grows", () =>
    Effect.gen(function* () {
      let tried = 0
      const run = async () => void tried++
      const broken = yield* Effect.flip(
        Fuzz.feed(flawed({ run, check: async () => (tried > 35 ? violated("it is gone") : undefined) }), 100, 0)
      )
      assert.deepInclude(broken, { seed: 39, reason: "it is gone" })
      const growing = yield* Effect.flip(Fuzz.feed(flawed({ run, memory: () => tried * 2 ** 20 }), 200, 0))
      assert.include(growing.reason, "memory grew")
    })
  )
})
