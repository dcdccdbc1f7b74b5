/**
 * Pool and managers together: what they say to each other leads somewhere, whatever gets lost on the way.
 */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { releasePatience } from "@muster/domain/Placement"
import { Tags, manager, suite } from "./support/Arbitraries.ts"
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

/** Suites with tasks that never end beside others, and who gets another task in which round. */
const Services = Schema.Struct({
  seed: Worlds.fields.seed,
  managers: Worlds.fields.managers,
  suites: Schema.Array(
    Schema.Struct({
      tags: Tags,
      tasks: Schema.Literals([0, 1, 5]),
      endless: Schema.Literals([0, 1, 2]),
      priority: Schema.Literals([0, 1])
    })
  ).check(Schema.isMaxLength(4))
})
const Trickle = Schema.Array(
  Schema.Struct({ wait: Schema.Literals([1, 3, 12]), to: Schema.Literals([1, 2, 3, 4]) })
).check(Schema.isMaxLength(12))

const Weathers = Schema.Struct({ loss: Chance, repetition: Chance, delay: Chance, crash: Chance, disconnect: Chance })

/** Rounds after which managers that were kept for drained suites have been released, with some to spare. */
const settled = 12

/** Rounds after which nobody counts any more on a manager that cannot give its suite back, with some to spare. */
const despaired = 2 * (releasePatience / 1_000) + settled

/** One manager of two workers, on which a task of the first suite never ends. Nobody has had work for a while. */
const withService = (priority: number): PoolWorld => {
  const world = new PoolWorld({
    seed: 1,
    managers: [{ tags: [], workers: 2 }],
    suites: [
      { tags: [], tasks: 3, endless: 1 },
      { tags: [], tasks: 0, priority }
    ]
  })
  world.pass(settled)
  assert.deepInclude(world.suites.get(suite(1)), { queued: 0, running: 1 })
  assert.deepInclude(world.pool.managers.get(manager(1))?.assignment, { releasing: true })
  return world
}

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

  it.prop(
    "leaves no worker free for which a task waits, whatever never ends",
    [Services, Weathers, Trickle],
    ([setup, weather, trickle]) => {
      const world = new PoolWorld(setup)
      // Old news, that a manager had nothing, has the pool wait for what never ends there. No actor's news is so late.
      world.pass(30, { ...weather, delay: 0 })
      for (const { to, wait } of trickle) {
        if (to <= setup.suites.length) world.submit(to)
        world.pass(wait)
      }
      world.pass(despaired)
      assert.deepStrictEqual(world.neglected, [])
    }
  )

  it("goes on with a suite that a manager cannot give back because of a task that never ends", () => {
    const world = withService(0)
    for (let n = 0; n < 10; n++) {
      world.submit(1)
      world.until(() => world.suites.get(suite(1))?.queued === 0, 3, "a queued task")
      assert.deepInclude(world.machines[0], { running: 2, endless: 1 })
      world.pass(n)
    }
  })

  it("does so while another suite waits that could not have the manager before", () => {
    const world = withService(0)
    world.submit(2)
    world.pass(2)
    world.submit(1)
    world.until(() => world.suites.get(suite(1))?.queued === 0, 3, "a queued task")
    assert.deepInclude(world.machines[0], { running: 2, endless: 1 })
  })

  it("lets a better suite wait for the manager, but not for ever", () => {
    const world = withService(1)
    world.submit(2)
    world.submit(1)
    const { round } = world
    world.pass(10)
    assert.strictEqual(world.suites.get(suite(1))?.queued, 1)
    world.until(() => world.suites.get(suite(1))?.queued === 0, releasePatience / 1_000, "a queued task")
    assert.isAbove(world.round - round, 10)
  })

  it("writes little while a suite trickles beside a task that never ends and another suite waits", () => {
    const world = withService(0)
    world.submit(2)
    const { written } = world
    for (let n = 0; n < 60; n++) {
      world.submit(1)
      world.pass(2)
    }
    world.pass(3)
    assert.deepInclude(world.suites.get(suite(1)), { queued: 0, running: 1 })
    // Each task is two events of the pool; each time that the manager is asked in vain is four more, every few seconds.
    assert.isBelow(world.written - written, 2 * 60 + 4 * (125 / 5))
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
