import { assert, describe, it } from "@effect/vitest"
import * as Notes from "../Notes.ts"

const task = "0123456789abcdef.7"
const line = (what: Notes.Note["what"], attempt: number, pid: number, manager: number, at: number) =>
  `${what} ${task} ${attempt} ${pid} ${manager} ${at.toFixed(2)}`

const keep: Notes.Rules = { stops: () => false, impairments: [] }
const stop: Notes.Rules = { ...keep, stops: () => true }
const cut = (manager: number, from: number, to: number): Pick<Notes.Rules, "impairments"> => ({
  impairments: [{ manager, from, to }]
})

const overlap = [line("start", 1, 10, 1, 5), line("overlap", 2, 20, 2, 9), line("start", 2, 20, 2, 9)]

describe("notes of tasks", () => {
  it("are fine when one attempt follows the other, and when one was killed", () => {
    const lines = [
      line("start", 1, 10, 1, 5),
      line("end", 1, 10, 1, 6),
      line("start", 2, 20, 2, 7),
      line("start", 3, 30, 1, 9),
      line("end", 3, 30, 1, 10)
    ]
    assert.deepStrictEqual(Notes.violations(lines, stop), [])
  })

  it("tell of an attempt that met a living one", () => {
    const found = Notes.violations(overlap, keep)
    assert.strictEqual(found.length, 1)
    assert.match(
      found[0] ?? "",
      /two attempts at once: .* attempt 2 .*manager 2\) met attempt 1 \(process 10, manager 1/
    )
  })

  it("tell of two attempts whose own times overlap, without the lock", () => {
    const lines = [line("start", 1, 10, 1, 5), line("start", 2, 20, 2, 6), line("end", 1, 10, 1, 8)]
    assert.strictEqual(Notes.violations(lines, keep).length, 1)
  })

  it("excuse it in a suite that keeps tasks when the earlier one's manager was cut off", () => {
    assert.deepStrictEqual(Notes.violations(overlap, { ...keep, ...cut(1, 6, 20) }), [])
  })

  it("do not excuse it when another manager was cut off, or at another time", () => {
    assert.strictEqual(Notes.violations(overlap, { ...keep, ...cut(2, 6, 20) }).length, 1)
    assert.strictEqual(Notes.violations(overlap, { ...keep, ...cut(1, 9.5, 20) }).length, 1)
    assert.strictEqual(Notes.violations(overlap, { ...keep, ...cut(1, -70, -60) }).length, 1)
  })

  it("do not excuse it in a suite that asked for stop", () => {
    assert.strictEqual(Notes.violations(overlap, { ...stop, ...cut(1, 6, 20) }).length, 1)
  })

  it("tell of a lock that an attempt's child still holds after its end", () => {
    const lines = [line("start", 1, 10, 1, 5), line("end", 1, 10, 1, 6), line("overlap", 2, 20, 2, 7)]
    assert.strictEqual(Notes.violations(lines, stop).length, 1)
  })

  it("tell of a line that no task writes", () => {
    assert.match(Notes.violations(["start somewhere"], keep)[0] ?? "", /no task writes/)
  })
})
