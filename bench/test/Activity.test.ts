import { assert, describe, it } from "@effect/vitest"
import * as Activity from "../Activity.ts"

const counters = (
  rows: Record<string, number>,
  statements: Record<string, Activity.Statement> = {}
): Activity.Counters => ({ rows: new Map(Object.entries(rows)), statements: new Map(Object.entries(statements)) })

describe("what a database did", () => {
  it("is what its counters rose by, without tables that nobody wrote", () => {
    const { rows } = Activity.difference(counters({ a: 1, b: 2 }), counters({ a: 4, b: 2, c: 1 }))
    assert.deepStrictEqual(rows, { a: 3, c: 1 })
  })

  it("begins with what was asked most often, and leaves out what the bench asked", () => {
    const { statements } = Activity.difference(
      counters({}, { once: { query: "select 1", calls: 5, millis: 2 } }),
      counters(
        {},
        {
          once: { query: "select 1", calls: 6, millis: 3 },
          often: { query: "select 2", calls: 9, millis: 1 },
          ours: { query: "select * from pg_stat_statements", calls: 20, millis: 9 }
        }
      )
    )
    assert.deepStrictEqual(statements, [
      { query: "select 2", calls: 9, millis: 1 },
      { query: "select 1", calls: 1, millis: 1 }
    ])
  })
})
