import { assert, describe, it } from "@effect/vitest"
import { Exit, Schema } from "effect"
import { AttemptResult, EndedAttempt } from "@muster/domain/Task/Attempt"
import { AttemptResults, finishedAt, pack, unpackEnded } from "@muster/domain/Task/Packed"

const json = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

const encode = Schema.encodeSync(Schema.toCodecJson(AttemptResults))
const decode = Schema.decodeUnknownExit(Schema.toCodecJson(AttemptResults))

const plain = {
  index: 7,
  attempt: 1,
  outcome: "succeeded",
  startedAt: 1_000,
  finishedAt: 1_002,
  duration: 2.25
} as const

describe("packed results", () => {
  it("are five numbers for a success that says nothing", () => {
    assert.deepStrictEqual(encode([plain]), [[7, 1, 0, 1_000, 2.25]])
  })

  it("name what else there is", () => {
    const failed = { ...plain, outcome: "failed", exitCode: 3, stderr: "no", finishedAt: 1_007 } as const
    assert.deepStrictEqual(encode([failed]), [[7, 1, 1, 1_000, 2.25, { exitCode: 3, stderr: "no", finishedAt: 1_007 }]])
  })

  it.prop("lose nothing on the way", [Schema.Array(AttemptResult)], ([results]) => {
    assert.deepStrictEqual(json(decode(json(encode(results)))), json(Exit.succeed(results)))
  })

  it.prop("lose nothing in an event", [EndedAttempt], ([attempt]) => {
    assert.deepStrictEqual(json(unpackEnded(pack(attempt))), json(attempt))
  })

  it.prop("lose nothing when they are told as workers tell them", [AttemptResult], ([result]) => {
    const startedAt = result.startedAt ?? 0
    const duration = (result.duration ?? 0) % 1e9
    const told = { ...result, startedAt, duration, finishedAt: finishedAt(startedAt, duration) }
    assert.deepStrictEqual(json(decode(json(encode([told])))), json(Exit.succeed([told])))
  })

  it.each([
    ["no list", { 0: [7, 1, 0, 1_000, 2.25] }],
    ["no row", [plain]],
    ["a short row", [[7, 1, 0, 1_000]]],
    ["a long row", [[7, 1, 0, 1_000, 2.25, {}, 1]]],
    ["a negative index", [[-1, 1, 0, 1_000, 2.25]]],
    ["an index beyond the highest", [[2 ** 31, 1, 0, 1_000, 2.25]]],
    ["an attempt before the first", [[7, 0, 0, 1_000, 2.25]]],
    ["an attempt that is a text", [[7, "1", 0, 1_000, 2.25]]],
    ["an unknown outcome", [[7, 1, 99, 1_000, 2.25]]],
    ["a fraction of an outcome", [[7, 1, 0.5, 1_000, 2.25]]],
    ["an end beyond all numbers", [[7, 1, 0, 1_000, 1e300]]],
    ["a start that is no time", [[7, 1, 0, "now", 2.25]]],
    // JSON can say it, and calculating with it throws.
    ["a duration that cannot even be compared", [[7, 1, 0, 1_000, JSON.parse('{"valueOf":1,"toString":1}')]]],
    ["a start that is a list", [[7, 1, 0, [1_000], 2.25]]],
    ["no start and no end", [[7, 1, 0, null, 2.25]]],
    ["an exit code that is none", [[7, 1, 1, 1_000, 2.25, { exitCode: "3" }]]],
    ["a rest that is none", [[7, 1, 1, 1_000, 2.25, 3]]]
  ])("with %s are refused", (_, rows) => {
    assert.isTrue(Exit.isFailure(decode(rows)))
  })
})
