/**
 * Pool and managers together: what they say to each other leads somewhere, whatever gets lost on the way.
 */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { Tags } from "./support/Arbitraries.ts"
import { PoolWorld } from "./support/PoolWorld.ts"

const Chance = Schema.Literals([0, 0.05, 0.3])

const Worlds = Schema.Struct({
  seed: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 31 })),
  // The first one has every tag, so that no suite waits for a machine that does not exist.
  managers: Schema.Tuple([
    Schema.Struct({
      tags: Schema.Tuple(["linux", "gpu", "nvlink"].map((tag) => Schema.Literal(tag))),
      workers: Schema.Literal(2)
    }),
    Schema.Struct({ tags: Tags, workers: Schema.Literals([1, 4]) }),
    Schema.Struct({ tags: Tags, workers: Schema.Literals([1, 4]) })
  ]),
  suites: Schema.Array(
    Schema.Struct({
      tags: Tags,
      tasks: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 40 })),
      priority: Schema.Literals([0, 1])
    })
  ).check(Schema.isMaxLength(6))
})

const Weathers = Schema.Struct({ loss: Chance, repetition: Chance, delay: Chance, crash: Chance, disconnect: Chance })

/** Rounds after which managers that were kept for drained suites have been released, with some to spare. */
const settled = 12

describe("a pool", () => {
  it.prop("gets every suite done when the storm is over", [Worlds, Weathers], ([setup, weather]) => {
    const world = new PoolWorld(setup)
    world.pass(30, weather)
    world.until(() => world.unfinished.length === 0, 400, "unfinished suites")
  })

  it.prop("has nothing assigned and writes nothing when all is done", [Worlds, Weathers], ([setup, weather]) => {
    const world = new PoolWorld(setup)
    world.pass(30, weather)
    world.until(() => world.unfinished.length === 0, 400, "unfinished suites")
    world.pass(settled)
    const { written } = world
    world.pass(20)
    assert.strictEqual(world.written, written)
    for (const { assignment } of world.pool.managers.values()) assert.isNull(assignment)
    for (const { state } of world.machines) assert.isNull(state._tag === "Online" ? state.session.assignment : state)
    assert.strictEqual(world.pool.suites.size, 0)
  })

  it("gets five hundred suites done on ten machines, oldest first", () => {
    const world = new PoolWorld({
      seed: 1,
      managers: Array.from({ length: 10 }, () => ({ tags: [], workers: 4 })),
      suites: Array.from({ length: 500 }, () => ({ tags: [], tasks: 6 }))
    })
    // 3,000 tasks at 40 a second, and some seconds between two suites for each machine.
    world.until(() => world.unfinished.length === 0, 400, "unfinished suites")
    const ended = [...world.suites.values()].map(({ endedIn }) => endedIn ?? Number.POSITIVE_INFINITY)
    const median = (from: number, to: number) => ended.slice(from, to).toSorted((a, b) => a - b)[(to - from) / 2] ?? 0
    assert.isBelow(median(0, 100), median(200, 300))
    assert.isBelow(median(200, 300), median(400, 500))
  })

  it("does not hold the machines of the many for the one", () => {
    const world = new PoolWorld({
      seed: 1,
      managers: Array.from({ length: 4 }, () => ({ tags: [], workers: 4 })),
      suites: [
        { tags: [], tasks: 3 },
        { tags: [], tasks: 40 },
        { tags: [], tasks: 4 }
      ]
    })
    world.pass(3)
    const [first, second, third] = [...world.suites.values()]
    assert.deepStrictEqual([first?.queued, third?.queued], [0, 4])
    assert.isBelow(second?.queued ?? 40, 40)
    world.until(() => world.unfinished.length === 0, 20, "unfinished suites")
  })
})
