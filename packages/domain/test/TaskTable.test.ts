/**
 * The tables of a suite: tasks, queue, delays, holders, and what lost managers may still say.
 */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { Delays } from "@muster/domain/Suite/Delays"
import { Holders } from "@muster/domain/Suite/Holders"
import { Outstanding } from "@muster/domain/Suite/Outstanding"
import { TaskQueue } from "@muster/domain/Suite/TaskQueue"
import { Flag, Phase, TaskTable } from "@muster/domain/Suite/TaskTable"
import { epoch, manager } from "./support/Arbitraries.ts"

const between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))
const long = { arbitrary: { runs: 200, size: 60 } }

describe("the task table", () => {
  it("keeps its rows when it grows", () => {
    const table = new TaskTable(2)
    for (let index = 0; index < 1_000; index++) {
      assert.strictEqual(table.add(index + 100_000), index)
      table.attempts[index] = index
      table.setFlag(index, Flag.delayed, index % 2 === 0)
    }
    assert.strictEqual(table.size, 1_000)
    for (let index = 0; index < 1_000; index++) {
      assert.strictEqual(table.phaseOf(index), Phase.queued)
      assert.strictEqual(table.profile[index], index + 100_000)
      assert.strictEqual(table.attemptsOf(index), index)
      assert.strictEqual(table.hasFlag(index, Flag.delayed), index % 2 === 0)
    }
  })

  it("knows which rows it has", () => {
    const table = new TaskTable()
    table.add(0)
    assert.isTrue(table.has(0))
    for (const index of [1, -1, 0.5, Number.NaN, Infinity]) assert.isFalse(table.has(index), String(index))
  })

  it("keeps flags apart", () => {
    const table = new TaskTable()
    table.add(0)
    table.setFlag(0, Flag.cancelRequested, true)
    table.setFlag(0, Flag.delayed, true)
    table.setFlag(0, Flag.cancelRequested, false)
    assert.isFalse(table.hasFlag(0, Flag.cancelRequested))
    assert.isTrue(table.hasFlag(0, Flag.delayed))
  })

  it("counts no further than its columns hold", () => {
    const table = new TaskTable()
    table.add(0)
    table.count("crashes", 0, -1)
    assert.strictEqual(table.crashes[0], 0)
    for (let k = 0; k < 300; k++) table.count("failures", 0, 1)
    assert.strictEqual(table.failures[0], 255)
    table.count("failures", 0, -1)
    assert.strictEqual(table.failures[0], 254)
  })
})

describe("the queue", () => {
  it.prop(
    "gives what it holds, higher priority first, then older",
    [Schema.Array(Schema.Struct({ adds: Schema.Boolean, index: between(0, 40), max: between(0, 50) }))],
    ([changes]) => {
      // A task has one priority for all of its life.
      const priorityOf = (index: number) => (index * 7) % 5
      const queue = new TaskQueue()
      const expected = new Set<number>()
      for (const { adds, index, max } of changes) {
        if (adds) queue.add(priorityOf(index), index, index)
        else queue.delete(priorityOf(index), index)
        if (adds) expected.add(index)
        else expected.delete(index)
        const sorted = [...expected].toSorted((x, y) => priorityOf(y) - priorityOf(x) || x - y)
        assert.deepStrictEqual(queue.first(max), sorted.slice(0, max))
        assert.deepStrictEqual(queue.first(Infinity), sorted)
      }
    },
    long
  )

  it("takes extreme priorities", () => {
    const queue = new TaskQueue()
    queue.add(-(2 ** 31), 0, 1)
    queue.add(2 ** 31 - 1, 2, 3)
    queue.add(0, 4, 4)
    assert.deepStrictEqual(queue.first(9), [2, 3, 4, 0, 1])
    assert.deepStrictEqual(queue.first(0), [])
    assert.deepStrictEqual(queue.first(-1), [])
  })
})

describe("delays", () => {
  const Change = Schema.Union([
    Schema.TaggedStruct("set", { index: between(0, 20), time: between(0, 15) }),
    Schema.TaggedStruct("set", { index: between(0, 20), time: between(0, 15) }),
    Schema.TaggedStruct("delete", { index: between(0, 20) }),
    Schema.TaggedStruct("take", { now: between(0, 15) })
  ])

  it.prop(
    "know who waits until when",
    [Schema.Array(Change)],
    ([changes]) => {
      const delays = new Delays()
      const expected = new Map<number, number>()
      const due = (now: number) => [...expected].filter(([, time]) => time <= now).map(([index]) => index)
      for (const change of changes) {
        if (change._tag === "set") {
          delays.set(change.index, change.time)
          expected.set(change.index, change.time)
        } else if (change._tag === "delete") {
          delays.delete(change.index)
          expected.delete(change.index)
        } else {
          assert.sameMembers([...delays.take(change.now)], due(change.now))
          for (const index of due(change.now)) expected.delete(index)
        }
        assert.strictEqual(delays.size, expected.size)
        assert.sameDeepMembers([...delays.entries()], [...expected])
        assert.strictEqual(delays.first(), expected.size === 0 ? undefined : Math.min(...expected.values()))
        for (const now of [-1, 0, 5, 15]) assert.sameMembers([...delays.due(now)], due(now))
      }
    },
    long
  )
})

describe("holders", () => {
  const Change = Schema.Struct({
    gains: Schema.Boolean,
    manager: between(1, 3),
    epoch: between(1, 2),
    tasks: between(1, 3)
  })

  it.prop(
    "know who has how many tasks, by places that stay while there are any",
    [Schema.Array(Change)],
    ([changes]) => {
      const holders = new Holders()
      const expected = new Map<string, { readonly place: number; tasks: number }>()
      for (const change of changes) {
        const who = [manager(change.manager), epoch(change.epoch)] as const
        const known = expected.get(who.join())
        if (change.gains) {
          const place = holders.gain(...who, change.tasks)
          if (known !== undefined) assert.strictEqual(place, known.place)
          expected.set(who.join(), { place, tasks: (known?.tasks ?? 0) + change.tasks })
        } else if (known !== undefined) {
          holders.lose(known.place)
          known.tasks--
          if (known.tasks === 0) expected.delete(who.join())
        }
        assert.strictEqual(holders.place(...who), expected.get(who.join())?.place)
        for (const { place, tasks } of expected.values()) assert.strictEqual(holders.at(place)?.tasks, tasks)
        assert.strictEqual(new Set([...expected.values()].map(({ place }) => place)).size, expected.size)
        const epochs = holders.of(who[0]).map(([, holder]) => Number(holder.epoch))
        assert.deepStrictEqual(
          epochs,
          [1, 2].filter((number) => expected.has([who[0], number].join()))
        )
      }
    },
    long
  )

  it("use places again", () => {
    const holders = new Holders()
    for (let number = 1; number < 1_000; number++) {
      const place = holders.gain(manager(number), epoch(1), 1)
      holders.lose(place)
    }
    assert.strictEqual(holders.list().length, 1)
    holders.lose(0)
    holders.lose(99)
    assert.strictEqual(holders.at(0)?.tasks, 0)
  })
})

describe("outstanding attempts", () => {
  it("are told apart by manager, task and number", () => {
    const outstanding = new Outstanding()
    outstanding.addRange(manager(1), 2, 5, 9)
    outstanding.add(manager(1), 10, 2)
    outstanding.add(manager(2), 5, 1)
    assert.isTrue(outstanding.has(manager(1), 7, 2))
    assert.isFalse(outstanding.has(manager(1), 7, 1))
    assert.isFalse(outstanding.has(manager(2), 7, 2))
    assert.isFalse(outstanding.has(manager(3), 7, 2))
    assert.deepStrictEqual(outstanding.entries(), [
      [manager(1), 2, [[5, 10]]],
      [manager(2), 1, [[5, 5]]]
    ])
  })

  it("leave nothing behind when they are heard of", () => {
    const outstanding = new Outstanding()
    outstanding.addRange(manager(1), 1, 0, 2)
    for (const index of [1, 0, 2, 2]) outstanding.delete(manager(1), index, 1)
    outstanding.delete(manager(2), 0, 1)
    assert.deepStrictEqual(outstanding.entries(), [])
  })
})
