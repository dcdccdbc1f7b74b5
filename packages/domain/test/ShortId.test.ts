import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import * as ShortId from "@muster/domain/ShortId"
import { SuiteId, TaskId, parseTaskId, taskId } from "@muster/domain/Suite/Id"
import { randomFrom } from "./support/Arbitraries.ts"

const Time = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 32 ** 9 - 1 }))

describe("a short id", () => {
  it.prop("looks as all do, at any time", [Time, Schema.Int], ([now, seed]) => {
    assert.match(ShortId.make(now, randomFrom(seed)), ShortId.pattern)
  })

  it.prop("sorts by age", [Time, Time, Schema.Int], ([one, other, seed]) => {
    const random = randomFrom(seed)
    if (one === other) return
    const [older, newer] = [Math.min(one, other), Math.max(one, other)]
    assert.isTrue(ShortId.make(older, random) < ShortId.make(newer, random))
  })

  it("is another one each time", () => {
    const random = randomFrom(1)
    const ids = Array.from({ length: 10_000 }, () => ShortId.make(1_760_000_000_000, random))
    assert.strictEqual(new Set(ids).size, ids.length)
  })

  it("uses every character that it may", () => {
    const random = randomFrom(2)
    const seen = new Set(Array.from({ length: 1_000 }, () => ShortId.make(0, random)).join(""))
    assert.strictEqual([...seen].toSorted().join(""), "0123456789abcdefghjkmnpqrstvwxyz")
    for (const character of "ilou") assert.notMatch(character.repeat(16), ShortId.pattern)
  })
})

describe("a task id", () => {
  const suite = SuiteId.make("0123456789abcdef")
  const decode = Schema.decodeUnknownResult(TaskId)

  it.each([0, 7, 1_000_000, 2 ** 31 - 2])("is the suite's id and an index: %d", (index) => {
    const id = taskId(suite, index)
    assert.strictEqual(id, `${suite}.${index}`)
    assert.deepStrictEqual(parseTaskId(id), { suiteId: suite, index })
    assert.isTrue(Result.isSuccess(decode(id)))
  })

  it.each([
    suite,
    `${suite}.`,
    `${suite}.-1`,
    `${suite}.1.5`,
    `${suite}.01`,
    `${suite}.00`,
    `${suite}.x`,
    `${suite}.12345678901`,
    `${suite}.1\n`,
    `${suite.slice(1)}.1`,
    `${suite.toUpperCase()}.1`,
    `0123456789abcdei.1`
  ])("is not %j", (text) => {
    assert.isTrue(Result.isFailure(decode(text)))
  })
})
