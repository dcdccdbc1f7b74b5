import { assert, describe, it } from "@effect/vitest"
import type { WorkItem } from "@muster/domain/Rpc/WorkLists"
import { WorkBuffer } from "@muster/manager/WorkBuffer"
import type { Taker } from "@muster/manager/WorkBuffer"
import { command, item, noop, range, suite } from "./support/Fixtures.ts"

const leases = (count: number, spec = noop, from = 0) =>
  range(count).map((index) => ({ index: from + index, attempt: 1, spec }))

const worker = (batch = 100) => {
  const got: Array<{ readonly indexes: ReadonlyArray<number>; readonly alone: boolean }> = []
  const state = { readiness: "idle" as ReturnType<Taker["readiness"]> }
  const taker: Taker = {
    readiness: () => state.readiness,
    batch: () => batch,
    given: (items, alone) => got.push({ indexes: items.map(({ index }) => index), alone })
  }
  return { ...taker, state, got }
}

const buffer = () => new WorkBuffer(() => {})
const ask = (from: WorkBuffer, taker: Taker, max = 1_000) => {
  const answers: Array<ReadonlyArray<WorkItem>> = []
  const withdraw = from.take(taker, max, (items) => answers.push(items))
  return { answers, withdraw }
}

describe("the buffer of leased tasks", () => {
  it("gives tasks of one kind in batches, in their order", () => {
    const work = buffer()
    const taker = worker(3)
    work.add(suite, [...leases(4), ...leases(5, command, 4), ...leases(1, noop, 9)])
    for (let call = 0; call < 5; call++) ask(work, taker)
    assert.deepStrictEqual(
      taker.got.map(({ indexes }) => indexes),
      [[0, 1, 2], [3], [4, 5, 6], [7, 8], [9]]
    )
    assert.strictEqual(work.size, 0)
  })

  it("gives a worker no more commands than its share of what is there", () => {
    const work = new WorkBuffer(
      () => {},
      () => 4
    )
    const takers = range(5).map(() => worker(10))
    work.add(suite, leases(9, command))
    for (const taker of takers) ask(work, taker)
    assert.deepStrictEqual(
      takers.map(({ got }) => got[0]?.indexes.length),
      [3, 2, 1, 1, 1]
    )
    work.add(suite, leases(100, command, 9))
    const one = worker(10)
    ask(work, one)
    assert.strictEqual(one.got[0]?.indexes.length, 10)
  })

  it("gives commands, which take all of a worker, only to one that has nothing else", () => {
    const work = buffer()
    const taker = worker()
    taker.state.readiness = "busy"
    work.add(suite, leases(2, command))
    const { answers } = ask(work, taker)
    assert.strictEqual(answers.length, 0)
    taker.state.readiness = "idle"
    work.serve()
    assert.deepStrictEqual(taker.got[0]?.indexes, [0, 1])
  })

  it("gives what comes back before everything else, and at once to those who wait", () => {
    const work = buffer()
    const taker = worker(2)
    work.add(suite, leases(5, command))
    ask(work, taker)
    ask(work, taker)
    work.giveBack([item(2, command), item(3, command)])
    ask(work, taker)
    ask(work, taker)
    const waits = ask(work, taker)
    work.giveBack([item(3, command)])
    assert.deepStrictEqual(
      taker.got.map(({ indexes }) => indexes),
      [[0, 1], [2, 3], [2, 3], [4], [3]]
    )
    assert.strictEqual(waits.answers.length, 1)
  })

  it("puts no more standard input into one message than it can carry", () => {
    const work = buffer()
    const taker = worker()
    work.add(suite, leases(10, { ...command, stdin: "x".repeat(300_000) }))
    ask(work, taker)
    assert.strictEqual(taker.got[0]?.indexes.length, 4)
  })

  it("never gives more than was asked for", () => {
    const work = buffer()
    work.add(suite, leases(10))
    assert.deepStrictEqual(
      ask(work, worker(), 4).answers.map((items) => items.length),
      [4]
    )
    assert.strictEqual(work.size, 6)
  })

  it("lets workers wait, and serves them in the order in which they came", () => {
    const work = buffer()
    const [first, second] = [worker(1), worker(1)]
    const one = ask(work, first)
    const two = ask(work, second)
    assert.strictEqual(work.waiting, 2)
    work.add(suite, leases(3))
    assert.deepStrictEqual(
      [one.answers, two.answers].map(([items]) => items?.[0]?.index),
      [0, 1]
    )
    assert.deepStrictEqual([work.waiting, work.size, work.hits, work.misses], [0, 1, 0, 2])
  })

  it("forgets a worker that went, and answers one that is dismissed with nothing", () => {
    const work = buffer()
    const [gone, dismissed] = [worker(), worker()]
    const one = ask(work, gone)
    const two = ask(work, dismissed)
    one.withdraw?.()
    work.dismiss(dismissed)
    work.add(suite, leases(1))
    assert.deepStrictEqual([one.answers.length, two.answers, work.size], [0, [[]], 1])
  })

  it("gives tasks that were in a dead worker first, each alone, and only to workers that have nothing else", () => {
    const work = buffer()
    const [busy, idle] = [worker(), worker()]
    busy.state.readiness = "busy"
    work.add(suite, leases(2))
    work.putBack([item(7), item(8)])
    ask(work, idle)
    ask(work, busy)
    assert.deepStrictEqual(idle.got, [{ indexes: [7], alone: true }])
    assert.deepStrictEqual(busy.got, [{ indexes: [0, 1], alone: false }])
  })

  it("gives nothing to a worker that is closed until it is open", () => {
    const work = buffer()
    const taker = worker()
    taker.state.readiness = "closed"
    work.add(suite, leases(1))
    const { answers } = ask(work, taker)
    assert.strictEqual(answers.length, 0)
    taker.state.readiness = "idle"
    work.serve()
    assert.strictEqual(answers.length, 1)
  })

  it("takes out cancelled attempts and leaves other attempts of the same tasks", () => {
    const work = buffer()
    work.add(suite, leases(4))
    const removed = work.remove([
      [1, 1],
      [2, 2]
    ])
    assert.deepStrictEqual(
      removed.map(({ index }) => index),
      [1]
    )
    assert.deepStrictEqual(
      work.clear().map(({ index }) => index),
      [0, 2, 3]
    )
  })

  it("keeps the order over many thousands of tasks in small portions", () => {
    const work = buffer()
    const taker = worker(7)
    let next = 0
    for (const round of range(50)) {
      work.add(suite, leases(300, noop, round * 300))
      for (const _ of range(35)) ask(work, taker)
    }
    while (work.size > 0) ask(work, taker)
    for (const { indexes } of taker.got) for (const index of indexes) assert.strictEqual(index, next++)
    assert.strictEqual(next, 15_000)
  })
})
