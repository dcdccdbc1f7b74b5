import { assert, describe, it } from "@effect/vitest"
import * as Query from "../../src/ReadModels/Query.ts"

describe("a run time out of its column", () => {
  it.each([0, 0.68, 1.569, 37.25, 1_234.5, 3_600_000])("is %d as it was told", (millis) => {
    assert.strictEqual(Query.millisOrNull(Math.fround(millis)), millis)
  })

  it("is none where there was none", () => {
    assert.isNull(Query.millisOrNull(null))
  })
})
