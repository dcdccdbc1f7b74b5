import { assert, describe, it } from "@effect/vitest"
import * as Statements from "../src/Statements.ts"

describe("renumbering of parameters", () => {
  const cases: ReadonlyArray<readonly [name: string, text: string, expected: string]> = [
    ["each parameter, also with several digits", "values ($1, $2, $10, $1)", "values ($6, $7, $15, $6)"],
    ["no string literal", "set a = 'costs $1', b = $1", "set a = 'costs $1', b = $6"],
    ["no literal with a doubled quote", "set a = 'it''s $1', b = $1", "set a = 'it''s $1', b = $6"],
    ["no literal with escapes", String.raw`set a = E'it\'s $1', b = $1`, String.raw`set a = E'it\'s $1', b = $6`],
    ["no backslash in a plain literal", String.raw`set a = '\', b = $1`, String.raw`set a = '\', b = $6`],
    ["no quoted name", `set "a""$1" = $1`, `set "a""$1" = $6`],
    ["no dollar quote", "select $$ $1 $$, $x$ $1 $$ $x$, $1", "select $$ $1 $$, $x$ $1 $$ $x$, $6"],
    ["no comment", "select $1 -- $1\n, $1 /* $1\n$1 */, $1", "select $6 -- $1\n, $6 /* $1\n$1 */, $6"],
    ["no name with a dollar sign", "select a$1, $1 from t$2", "select a$1, $6 from t$2"],
    ["a parameter beside operators", "where a=$1 and b=any($2::int[])", "where a=$6 and b=any($7::int[])"]
  ]
  for (const [name, text, expected] of cases) {
    it(`changes ${name}`, () => assert.strictEqual(Statements.renumber(text, 5), expected))
  }

  it("joins statements so that each keeps its own parameters", () => {
    const { params, text } = Statements.combine(
      "head",
      { text: "insert into a values ($1, $2) returning b", params: [1, 2] },
      [
        { text: "update c set d = $2 where e = $1", params: [3, 4] },
        { text: "delete from f", params: [] },
        { text: "delete from g where h = $1", params: [5] }
      ],
      "select b from head"
    )
    assert.strictEqual(
      text,
      "with head as (insert into a values ($1, $2) returning b), write_0 as (update c set d = $4 where e = $3), " +
        "write_1 as (delete from f), write_2 as (delete from g where h = $5) select b from head"
    )
    assert.deepStrictEqual(params, [1, 2, 3, 4, 5])
  })
})
