import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import type { SuiteView } from "@muster/domain/Suite/View"
import { SuiteId } from "@muster/domain/Suite/Id"
import * as Output from "../src/Output.ts"
import { Screen } from "../src/Screen.ts"
import * as Suites from "../src/views/Suites.ts"
import * as FakeScreen from "./support/FakeScreen.ts"

const suite = (place: number, more: Partial<SuiteView> = {}): SuiteView => ({
  id: SuiteId.make(`06a1b2c3d4e5f6g${place}`),
  name: `suite ${place}`,
  description: null,
  tags: [],
  labels: [],
  priority: 0,
  workers: null,
  maxFails: null,
  state: "open",
  paused: false,
  tasks: { total: 0, pending: 0, queued: 0, assigned: 0, running: 0, succeeded: 0, failed: 0, cancelled: 0 },
  createdAt: "2026-11-20T23:10:48.123Z",
  lastSubmittedAt: null,
  completedAt: null,
  version: 1,
  ...more
})

const busy = suite(1, {
  name: "a name that is rather long and goes on and on until it would not fit any more",
  state: "closed",
  tags: ["linux", "gpu"],
  tasks: {
    total: 12_345,
    pending: 2_345,
    queued: 2_000,
    assigned: 300,
    running: 45,
    succeeded: 9_990,
    failed: 10,
    cancelled: 0
  }
})

const print = (
  format: Output.Format,
  items: ReadonlyArray<SuiteView>,
  options?: FakeScreen.Options & { readonly limit?: number }
) => {
  const screen = FakeScreen.make(options)
  return Effect.as(
    Effect.provideService(
      Output.list(format, Suites.view, Stream.fromIterable(items), options?.limit),
      Screen,
      screen.screen
    ),
    screen
  )
}

describe("a list", () => {
  it.effect("is a table for people, without columns that would be empty", () =>
    Effect.gen(function* () {
      const { out } = yield* print("table", [suite(1), suite(2, { name: null, paused: true })])
      assert.strictEqual(
        out(),
        [
          "ID                NAME     STATE          TASKS  PENDING  RUNNING  FAILED  CREATED",
          "06a1b2c3d4e5f6g1  suite 1  open               0        0        0       0  2026-11-20T23:10:48Z",
          "06a1b2c3d4e5f6g2           open (paused)      0        0        0       0  2026-11-20T23:10:48Z",
          ""
        ].join("\n")
      )
    })
  )

  it.effect("fits the terminal: names are cut, then the least important columns go, ids stay whole", () =>
    Effect.gen(function* () {
      const wide = yield* print("table", [busy], { isTerminal: true, columns: 120 })
      assert.strictEqual(
        wide.out(),
        [
          "ID                NAME                         STATE    TASKS  PENDING  RUNNING  FAILED  TAGS       CREATED",
          "06a1b2c3d4e5f6g1  a name that is rather long…  closed  12,345    2,345       45      10  linux,gpu  2026-11-20T23:10:48Z",
          ""
        ].join("\n")
      )
      for (const columns of [200, 120, 80, 60, 40]) {
        const { out } = yield* print("table", [busy, suite(2)], { isTerminal: true, columns })
        const lines = out().trimEnd().split("\n")
        assert.isTrue(
          lines.every((line) => line.includes("06a1b2c3d4e5f6g") || line.startsWith("ID")),
          out()
        )
        if (columns >= 60)
          assert.isTrue(
            lines.every((line) => line.length <= columns),
            `${columns}:\n${out()}`
          )
      }
    })
  )

  it.effect("shows no more rows than asked for and says that there are more", () =>
    Effect.gen(function* () {
      const many = Array.from({ length: 9 }, (_, place) => suite(place))
      const limited = yield* print("table", many, { limit: 3 })
      assert.strictEqual(limited.out().trimEnd().split("\n").length, 4)
      const lots = Array.from({ length: Output.tableLimit + 1 }, () => suite(1))
      const { err, out } = yield* print("table", lots)
      assert.strictEqual(out().trimEnd().split("\n").length, Output.tableLimit + 1)
      assert.include(err(), `the first ${Output.tableLimit} are shown`)
      const json: unknown = JSON.parse((yield* print("json", lots)).out())
      assert.strictEqual(Array.isArray(json) && json.length, Output.tableLimit + 1)
    })
  )

  it.effect("is whole JSON for programs, an empty one too", () =>
    Effect.gen(function* () {
      const items = [busy, suite(2)]
      const json = yield* print("json", items, { isTerminal: true, columns: 20 })
      assert.deepStrictEqual(JSON.parse(json.out()), items)
      assert.strictEqual((yield* print("json", [])).out(), "[]\n")
      const lines = (yield* print("jsonl", items)).out().trimEnd().split("\n")
      assert.deepStrictEqual(
        lines.map((line): unknown => JSON.parse(line)),
        items
      )
      assert.strictEqual((yield* print("ids", items)).out(), "06a1b2c3d4e5f6g1\n06a1b2c3d4e5f6g2\n")
    })
  )

  it.effect("is coloured only where colours are wanted", () =>
    Effect.gen(function* () {
      const { out: colored } = yield* print("table", [suite(1, { state: "complete" })], { colors: true })
      assert.include(colored(), "\u001B[32mcomplete")
      const { out: plain } = yield* print("table", [suite(1, { state: "complete" })])
      assert.notInclude(plain(), "\u001B")
    })
  )

  it.effect("keeps to its lines when a name holds control characters", () =>
    Effect.gen(function* () {
      const { out } = yield* print("table", [suite(1, { name: "evil\u001B[2J\r\nname" })])
      assert.include(out(), "evil [2J name")
    })
  )
})
