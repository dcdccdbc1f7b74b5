import { assert, describe, it } from "@effect/vitest"
import { families, select } from "../Registry.ts"

const names = (selection: Parameters<typeof select>[1]) =>
  select(families, selection).flatMap(({ figures }) => figures.map(({ name }) => name))

describe("the figures", () => {
  it("have names of their own", () => {
    const all = names({ only: [], short: false })
    assert.strictEqual(new Set(all).size, all.length)
  })

  it("are chosen by the beginning of their names", () => {
    assert.deepStrictEqual(names({ only: ["scale-sub", "http"], short: false }), ["scale-submit", "http-p95"])
  })

  it("are meant alone when a name is whole", () => {
    assert.deepStrictEqual(names({ only: ["commands"], short: false }), ["commands"])
    assert.deepStrictEqual(names({ only: ["noop-drain", "fetch-p95"], short: false }), ["noop-drain", "fetch-p95"])
  })

  it("of the form for CI are few, unless others are asked for", () => {
    assert.deepStrictEqual(names({ only: [], short: true }), ["submit", "noop-drain", "commands"])
    assert.deepStrictEqual(names({ only: ["memory-1m"], short: true }), ["memory-1m"])
  })
})
