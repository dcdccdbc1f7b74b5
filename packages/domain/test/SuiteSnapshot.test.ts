/**
 * Snapshots of suites: a state that comes back from bytes behaves as the one that went into them.
 */
import { assert, describe, it } from "@effect/vitest"
import { decider } from "@muster/domain/Suite/Decider"
import * as Snapshot from "@muster/domain/Suite/Snapshot"
import type { Existing, SuiteState } from "@muster/domain/Suite/State"
import { run, step } from "./support/GivenWhenThen.ts"
import { dump } from "./support/SuiteDump.ts"
import * as S from "./support/SuiteFixtures.ts"
import { lives, thorough } from "./support/SuiteMoves.ts"

const existing = (state: SuiteState | undefined): Existing => {
  if (state?._tag !== "Existing") throw new Error("there is no suite")
  return state
}

const there = (state: SuiteState): Uint8Array => Snapshot.encode(existing(state))

const busy = () =>
  run(decider, [
    S.create({ name: "nightly ✓", defaults: { retry: { limit: 2, jitter: 0.3 } } }),
    S.submit(S.times(500)),
    S.lease(S.a, 200),
    S.lease(S.session(2, 7), 100),
    S.report(S.a, {
      started: [[0, 1]],
      ended: Array.from({ length: 50 }, (_, k) => S.result(10 + k, 1, k % 2 === 0 ? "failed" : "succeeded"))
    }),
    S.reclaim(S.session(2, 7)),
    S.cancelTasks([0, 1, 2]),
    S.submit(S.times(3, { ...S.spec, priority: 9 }))
  ]).state

it.prop(
  "a state comes back the same, at every point of its life",
  [lives(60)],
  ([commands]) => {
    let state = decider.initial()
    for (const command of commands) {
      state = step(decider, state, command).state
      assert.deepStrictEqual(dump(existing(Snapshot.decode(there(state)))), dump(state))
    }
  },
  { arbitrary: { ...thorough.arbitrary, runs: 100 } }
)

it.prop(
  "a state that came back decides as the one that stayed",
  [lives(60)],
  ([commands]) => {
    let stayed = decider.initial()
    let moved = decider.initial()
    for (const command of commands) {
      const here = step(decider, stayed, command)
      const away = step(decider, moved, command)
      assert.deepStrictEqual(away.step, here.step)
      stayed = here.state
      moved = existing(Snapshot.decode(there(away.state)))
    }
  },
  thorough
)

describe("bytes", () => {
  it("may stand anywhere in memory", () => {
    const bytes = there(busy())
    const room = new Uint8Array(bytes.length + 3)
    room.set(bytes, 3)
    assert.deepStrictEqual(dump(existing(Snapshot.decode(room.subarray(3)))), dump(busy()))
  })

  it("of another version are not read", () => {
    const bytes = there(busy())
    bytes[0] = (bytes[0] ?? 0) + 1
    assert.isUndefined(Snapshot.decode(bytes))
  })

  it("in another byte order are not read", () => {
    const bytes = there(busy())
    bytes.subarray(0, 4).reverse()
    assert.isUndefined(Snapshot.decode(bytes))
  })

  it("that are not whole are not read", () => {
    const bytes = there(busy())
    for (const length of [0, 1, 7, 8, 9, 100, bytes.length - 1]) {
      assert.isUndefined(Snapshot.decode(bytes.subarray(0, length)), `${length} bytes`)
    }
    const longer = new Uint8Array(bytes.length + 8)
    longer.set(bytes)
    assert.isUndefined(Snapshot.decode(longer))
  })

  it("whose header is no header are not read", () => {
    const bytes = there(busy())
    bytes.set(new TextEncoder().encode("no header"), 8)
    assert.isUndefined(Snapshot.decode(bytes))
    assert.isUndefined(Snapshot.decode(Uint8Array.from({ length: 100 }, (_, k) => k)))
  })
})
