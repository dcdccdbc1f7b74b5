import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import * as Wait from "../../test/e2e/support/Wait.ts"
import type { work as Work } from "../handlers.ts"

const notes = mkdtempSync(join(tmpdir(), "muster-chaos-test-"))
let work: typeof Work

beforeAll(async () => {
  process.env["CHAOS_NOTES"] = notes
  process.env["CHAOS_MANAGER"] = "1"
  // It reads where its notes go when it is loaded.
  ;({ work } = await import("../handlers.ts"))
})
afterAll(() => rmSync(notes, { recursive: true, force: true }))

const context = (attempt: number) => ({
  taskId: "0123456789abcdef.3",
  suiteId: "0123456789abcdef",
  attempt,
  signal: new AbortController().signal
})

const lines = (what: string) =>
  readFileSync(join(notes, "notes"), "utf8")
    .split("\n")
    .filter((line) => line.startsWith(what))
const overlaps = () => lines("overlap")
const starts = () => lines("start").length

describe("a handler of the load", () => {
  it.live("notes that another attempt of its task is alive, and only then", () =>
    Effect.gen(function* () {
      yield* work.run({ seconds: 0, fails: false }, context(1))
      const first = yield* Effect.forkChild(work.run({ seconds: 0.2, fails: false }, context(2)), {
        startImmediately: true
      })
      yield* Wait.until("it has begun", Effect.sync(starts), (count) => count === 2, 5_000)
      assert.deepStrictEqual(overlaps(), [])
      yield* work.run({ seconds: 0, fails: false }, context(3))
      assert.strictEqual(overlaps().length, 1)
      yield* Fiber.join(first)
    })
  )
})
