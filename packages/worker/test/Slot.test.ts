import { assert, describe, it } from "@effect/vitest"
import { SuiteId } from "@muster/domain/Suite/Id"
import { isCommand } from "@muster/domain/Task"
import type { AttemptResult, TaskSpec } from "@muster/domain/Task"
import { Effect } from "effect"
import type { Attempt, Progress, Shape } from "../src/Executor.ts"
import { maxBatch, Slot } from "../src/Slot.ts"
import { suiteId } from "./support/TestManager.ts"

const otherSuite = SuiteId.make("zzzzzzzz12345678")

/** An executor whose attempts end when the test says so; handlers named `now` end within their start. */
const makeWorld = (capacity = 1) => {
  const started: Array<number> = []
  const cancelled: Array<number> = []
  const expired: Array<readonly [index: number, grace: number]> = []
  const limits: Array<number | undefined> = []
  const clock = { now: 0 }
  const settlers = new Map<number, Progress & { readonly end: () => void }>()
  let changes = 0
  let giveBacks = 0
  const executor: Shape = {
    handlers: [],
    capacity,
    share: (spec) => (isCommand(spec) ? 1 : spec.handler === "half" ? 0.5 : 0.25),
    start: (one: Attempt, progress) => {
      const { attempt, index, spec } = one.item
      started.push(index)
      one.startedAt = isCommand(spec) ? undefined : Date.now()
      const result: AttemptResult = { index, attempt, outcome: "succeeded", finishedAt: 0 }
      if (!isCommand(spec) && spec.handler === "now") return progress.settle(result)
      const begun = () => {
        one.startedAt = Date.now()
        progress.begun()
      }
      settlers.set(index, { ...progress, begun, end: () => progress.settle(result) })
    },
    giveBack: () => void giveBacks++,
    leave: () => {},
    cancel: ({ item }) => void cancelled.push(item.index),
    expire: ({ item }, grace) => void expired.push([item.index, grace]),
    limit: (kill) => void limits.push(kill),
    processId: ({ item }) => 1_000 + item.index,
    endAll: Effect.void
  }
  const slot = new Slot(
    executor,
    () => void changes++,
    () => clock.now
  )
  slot.use(suiteId, {})
  return {
    clock,
    expired,
    limits,
    slot,
    started,
    cancelled,
    changes: () => changes,
    add: (...specs: ReadonlyArray<readonly [index: number, spec: TaskSpec]>) =>
      slot.add(specs.map(([index, spec]) => ({ suiteId, index, attempt: 1, spec }))),
    end: (index: number) => settlers.get(index)?.end(),
    begin: (index: number) => settlers.get(index)?.begun(),
    abandon: (index: number) => settlers.get(index)?.abandon(),
    giveBack: (index: number, mayHaveBegun = false) => settlers.get(index)?.giveBack(mayHaveBegun),
    giveBacks: () => giveBacks,
    results: () => slot.takeResults().map(({ result }) => [result.index, result.outcome])
  }
}

const command: TaskSpec = { program: "true" }
const now: TaskSpec = { handler: "now" }
const half: TaskSpec = { handler: "half" }
const quarter: TaskSpec = { handler: "quarter" }

describe("Slot", () => {
  it("runs one command at a time", () => {
    const { add, end, results, slot, started } = makeWorld()
    assert.strictEqual(slot.room, maxBatch)
    add([0, command], [1, command])
    assert.deepStrictEqual(started, [0])
    assert.strictEqual(slot.room, 0)
    end(0)
    assert.deepStrictEqual(started, [0, 1])
    end(1)
    assert.deepStrictEqual(results(), [
      [0, "succeeded"],
      [1, "succeeded"]
    ])
    assert.isTrue(slot.isIdle)
  })

  it("runs handlers side by side up to their concurrency", () => {
    const { add, end, slot, started } = makeWorld()
    add([0, half], [1, quarter], [2, quarter], [3, quarter])
    assert.deepStrictEqual(started, [0, 1, 2])
    assert.strictEqual(slot.room, 0)
    end(1)
    assert.deepStrictEqual(started, [0, 1, 2, 3])
    end(0)
    assert.strictEqual(slot.room, maxBatch)
  })

  it("keeps the order of mixed tasks, and all of them run", () => {
    const { add, end, started } = makeWorld()
    add([0, half], [1, command], [2, quarter], [3, command], [4, now])
    assert.deepStrictEqual(started, [0])
    end(0)
    assert.deepStrictEqual(started, [0, 1])
    end(1)
    assert.deepStrictEqual(started, [0, 1, 2])
    end(2)
    end(3)
    assert.deepStrictEqual(started, [0, 1, 2, 3, 4])
  })

  it("lets the executor have as many commands as it takes, and nothing else beside them", () => {
    const { add, end, slot, started } = makeWorld(3)
    add(...[0, 1, 2, 3].map((index) => [index, command] as const), [4, quarter])
    assert.deepStrictEqual([started, slot.room], [[0, 1, 2], 0])
    end(0)
    assert.deepStrictEqual(started, [0, 1, 2, 3])
    end(1)
    end(2)
    assert.deepStrictEqual([started, slot.room], [[0, 1, 2, 3], 0])
    end(3)
    assert.deepStrictEqual(started, [0, 1, 2, 3, 4])
  })

  it("lets no command begin beside a handler", () => {
    const { add, end, started } = makeWorld(3)
    add([0, half], [1, command], [2, command])
    assert.deepStrictEqual(started, [0])
    end(0)
    assert.deepStrictEqual(started, [0, 1, 2])
  })

  it("gives back what waits behind a long command, and asks the executor for the rest", () => {
    const { add, begin, end, giveBack, giveBacks, results, slot } = makeWorld(2)
    add(...[0, 1, 2, 3].map((index) => [index, command] as const))
    assert.deepStrictEqual([slot.hasUntold, slot.hasReturned], [false, false])
    begin(0)
    assert.deepStrictEqual([slot.hasUntold, slot.hasReturned, giveBacks()], [true, true, 1])
    assert.deepStrictEqual(
      slot.takeReturned().map(({ index, mayHaveBegun }) => [index, mayHaveBegun]),
      [
        [2, false],
        [3, false]
      ]
    )
    giveBack(1)
    assert.deepStrictEqual(
      slot.takeReturned().map(({ index }) => index),
      [1]
    )
    assert.strictEqual(slot.room, 0)
    end(0)
    assert.deepStrictEqual([results(), slot.isIdle, slot.room], [[[0, "succeeded"]], true, maxBatch])
  })

  it("gets through a long row of tasks that end within their start", () => {
    const { add, changes, slot } = makeWorld()
    add(...Array.from({ length: 50_000 }, (_, index) => [index, now] as const))
    let count = 0
    while (slot.hasResults) count += slot.takeResults().length
    assert.strictEqual(count, 50_000)
    assert.strictEqual(changes(), 0)
    assert.isTrue(slot.isIdle)
  })

  it("waits for the defaults of a suite", () => {
    const { results, slot, started } = makeWorld()
    slot.add([{ suiteId: otherSuite, index: 7, attempt: 1, spec: now }])
    assert.deepStrictEqual([started, slot.isHeldUp, slot.room], [[], true, 0])
    slot.use(otherSuite, {})
    assert.deepStrictEqual(results(), [[7, "succeeded"]])
    assert.isFalse(slot.isHeldUp)
  })

  it("cancels what runs through the executor, and what waits at once", () => {
    const { add, cancelled, results, slot, started } = makeWorld()
    add([0, command], [1, command], [2, command])
    slot.cancel({ suiteId, index: 2, attempt: 1 })
    slot.cancel({ suiteId, index: 0, attempt: 1 })
    slot.cancel({ suiteId, index: 1, attempt: 2 })
    assert.deepStrictEqual(cancelled, [0])
    assert.deepStrictEqual(results(), [[2, "cancelled"]])
    assert.deepStrictEqual(started, [0])
  })

  it("cancels what is yet to come, once", () => {
    const { add, results, slot, started } = makeWorld()
    slot.cancel({ suiteId, index: 3, attempt: 1 })
    add([3, now], [4, now])
    assert.deepStrictEqual(started, [4])
    assert.deepStrictEqual(results(), [
      [3, "cancelled"],
      [4, "succeeded"]
    ])
  })

  it("tells of what began to run once, and only after a while", () => {
    const { add, slot } = makeWorld()
    const before = Date.now()
    add([0, half], [1, quarter])
    assert.isTrue(slot.hasUntold)
    assert.deepStrictEqual(slot.takeStarted(before, 1_000), [])
    const told = slot.takeStarted(before + 5_000, 1_000)
    assert.deepStrictEqual(
      told.map(({ index, pid }) => [index, pid]),
      [
        [0, undefined],
        [1, undefined]
      ]
    )
    assert.isFalse(slot.hasUntold)
    assert.deepStrictEqual(slot.takeStarted(before + 9_000, 1_000), [])
  })

  it("tells the process group of a command", () => {
    const { add, begin, slot } = makeWorld()
    add([5, command])
    begin(5)
    assert.strictEqual(slot.takeStarted(Date.now(), 0)[0]?.pid, 1_005)
  })

  it("hands in no more at once than a message should carry", () => {
    const results = Array.from({ length: 300 }, (_, index): AttemptResult => {
      const stdout = "x".repeat(64 * 1024)
      return { index, attempt: 1, outcome: "succeeded", finishedAt: 0, stdout }
    })
    const executor: Shape = {
      handlers: [],
      capacity: 1,
      share: () => 1,
      giveBack: () => {},
      leave: () => {},
      start: ({ item }, { settle }) => settle(results[item.index] ?? { ...item, outcome: "failed", finishedAt: 0 }),
      cancel: () => {},
      expire: () => {},
      limit: () => {},
      processId: () => undefined,
      endAll: Effect.void
    }
    const slot = new Slot(executor, () => {})
    slot.use(suiteId, {})
    slot.add(results.map(({ index }) => ({ suiteId, index, attempt: 1, spec: now })))
    const first = slot.takeResults()
    assert.isAtLeast(first.length, 10)
    assert.isBelow(JSON.stringify(first).length, 8 * 1024 * 1024)
    const all = [...first]
    while (slot.hasResults) all.push(...slot.takeResults())
    assert.deepStrictEqual(
      all.map(({ result }) => result.index),
      results.map(({ index }) => index)
    )
  })
})

describe("a suite on a lease", () => {
  const deadline = { begin: 1_000, term: 1_100, kill: 2_000 }

  /** A worker at work on such a suite. */
  const limited = (capacity = 1) => {
    const world = makeWorld(capacity)
    world.slot.use(suiteId, {}, deadline)
    return world
  }

  it("has its worker watched, until another suite comes", () => {
    const { limits, slot } = limited()
    slot.renew(suiteId, { begin: 2_000, term: 2_100, kill: 3_000 })
    // Older news, and news of other suites, are none.
    slot.renew(suiteId, deadline)
    slot.renew(otherSuite, { begin: 5_000, term: 5_100, kill: 6_000 })
    slot.use(otherSuite, {})
    assert.deepStrictEqual(limits, [2_000, 3_000, undefined])
  })

  it("begins no task when too little is left, until its lease is renewed", () => {
    const { add, clock, slot, started } = limited()
    clock.now = 999
    add([0, now])
    clock.now = 1_000
    add([1, now], [2, now])
    assert.deepStrictEqual([started, slot.room], [[0], 0])
    slot.renew(suiteId, { begin: 2_000, term: 2_100, kill: 3_000 })
    assert.deepStrictEqual(started, [0, 1, 2])
  })

  it("ends what runs and gives back what waits when its time comes, once", () => {
    const { add, clock, end, expired, slot } = limited()
    add([0, half], [1, half], [2, half], [3, now])
    assert.strictEqual(slot.keepTime(), 1_100)
    assert.deepStrictEqual(expired, [])
    clock.now = 1_150
    assert.strictEqual(slot.keepTime(), 850)
    assert.deepStrictEqual(expired, [
      [0, 600],
      [1, 600]
    ])
    assert.deepStrictEqual(
      slot.takeReturned().map(({ index, mayHaveBegun }) => [index, mayHaveBegun]),
      [
        [2, false],
        [3, false]
      ]
    )
    slot.keepTime()
    assert.lengthOf(expired, 2)
    end(0)
    end(1)
  })

  it("is watched no more when nothing of it runs, and again when it is renewed", () => {
    const { add, clock, end, limits, slot } = limited()
    add([0, half])
    clock.now = 1_100
    slot.keepTime()
    end(0)
    assert.isUndefined(slot.keepTime())
    slot.renew(suiteId, { begin: 2_000, term: 2_100, kill: 3_000 })
    assert.deepStrictEqual(limits, [2_000, undefined, 3_000])
    assert.strictEqual(slot.keepTime(), 1_000)
  })

  it("that does not end in time takes its worker with it", () => {
    const { add, clock, slot } = limited()
    add([0, half])
    clock.now = 1_999
    assert.strictEqual(slot.keepTime(), 1)
    clock.now = 2_000
    assert.strictEqual(slot.keepTime(), "over")
  })

  it("takes its worker with it also when what does not end was given up before", () => {
    const { abandon, add, clock, slot } = limited()
    add([0, half])
    abandon(0)
    assert.isTrue(slot.isIdle)
    assert.isFalse(slot.hasResults)
    clock.now = 2_000
    assert.strictEqual(slot.keepTime(), "over")
  })

  it("that was never renewed begins nothing", () => {
    const { add, limits, slot, started } = makeWorld()
    slot.use(suiteId, {}, { begin: 0, term: 0, kill: 0 })
    add([0, now])
    assert.isUndefined(slot.keepTime())
    assert.deepStrictEqual([started, limits], [[], [undefined]])
    assert.deepStrictEqual(slot.takeReturned().length, 1)
  })

  it("leaves the tasks of other suites alone", () => {
    const { clock, slot, started } = limited()
    slot.use(otherSuite, {})
    clock.now = 5_000
    slot.add([{ suiteId: otherSuite, index: 0, attempt: 1, spec: now }])
    assert.deepStrictEqual([slot.keepTime(), started], [undefined, [0]])
  })
})
