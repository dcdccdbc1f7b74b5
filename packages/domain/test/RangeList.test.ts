import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { RangeList, fromIndexes, ofRanges, without } from "@muster/domain/Suite/RangeList"

const Index = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 30 }))
const Change = Schema.Struct({
  kind: Schema.Literals(["add", "remove", "delete"]),
  first: Index,
  length: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 6 }))
})

const listed = (list: RangeList): ReadonlyArray<number> => {
  const found: Array<number> = []
  list.forEach((index) => found.push(index) > 0)
  return found
}

describe("a list of ranges", () => {
  it.prop(
    "holds what was added and not deleted since, in rising order and in ranges that do not touch",
    [Schema.Array(Change)],
    ([changes]) => {
      const list = new RangeList()
      const expected = new Set<number>()
      for (const { first, kind, length } of changes) {
        const last = first + length - 1
        if (kind === "add") list.add(first, last)
        if (kind === "remove") list.remove(first, last)
        for (let index = first; index <= last; index++) {
          if (kind === "delete") list.delete(index)
          if (kind === "add") expected.add(index)
          else expected.delete(index)
        }
        const sorted = [...expected].toSorted((x, y) => x - y)
        assert.deepStrictEqual(listed(list), sorted)
        assert.deepStrictEqual(list.ranges(), fromIndexes(sorted))
        assert.strictEqual(list.isEmpty, sorted.length === 0)
        assert.strictEqual(list.count, list.ranges().length)
        assert.deepStrictEqual(
          list.within(first, last),
          fromIndexes(sorted.filter((index) => first <= index && index <= last))
        )
        for (let index = -1; index < 40; index++)
          assert.strictEqual(list.has(index), expected.has(index), String(index))
      }
    },
    { arbitrary: { runs: 300, size: 60 } }
  )

  it("is used up from the front without keeping what is gone", () => {
    const list = new RangeList()
    for (let index = 0; index < 10_000; index += 2) list.add(index, index)
    for (let index = 0; index < 9_990; index += 2) list.delete(index)
    assert.deepStrictEqual(listed(list), [9_990, 9_992, 9_994, 9_996, 9_998])
    list.add(0, 3)
    assert.deepStrictEqual(list.ranges()[0], [0, 3])
  })

  it("stops looking when it is told to", () => {
    const list = new RangeList()
    list.add(0, 1_000_000)
    const seen: Array<number> = []
    assert.isFalse(list.forEach((index) => seen.push(index) < 3))
    assert.deepStrictEqual(seen, [0, 1, 2])
  })
})

describe("ranges without others", () => {
  const Indexes = Schema.Array(Index)

  it.prop(
    "are what is in the first and not in the second",
    [Indexes, Indexes],
    ([some, others]) => {
      assert.deepStrictEqual(
        without(fromIndexes(some), fromIndexes(others)),
        fromIndexes(some.filter((index) => !others.includes(index)))
      )
    },
    { arbitrary: { runs: 500, size: 40 } }
  )

  it.prop("make a list, whatever their order", [Indexes], ([indexes]) => {
    assert.deepStrictEqual(ofRanges(indexes.map((index) => [index, index])).ranges(), fromIndexes(indexes))
  })
})

describe("ranges of indexes", () => {
  it("join neighbours, whatever their order, and repetitions", () => {
    assert.deepStrictEqual(fromIndexes([]), [])
    assert.deepStrictEqual(fromIndexes([5]), [[5, 5]])
    assert.deepStrictEqual(fromIndexes([3, 1, 2, 2, 7, 8, 5]), [
      [1, 3],
      [5, 5],
      [7, 8]
    ])
  })

  it("do not change what they are made of", () => {
    const indexes = [3, 1, 2]
    fromIndexes(indexes)
    assert.deepStrictEqual(indexes, [3, 1, 2])
  })
})
