import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { fileURLToPath } from "node:url"
import type { Recorded } from "@muster/domain/Recorded"
import * as Replay from "@muster/domain/Replay"
import * as BundleFile from "@muster/server/BundleFile"
import { walker } from "../../src/replay/Interactive.ts"
import * as Stepper from "../../src/replay/Stepper.ts"
import * as Style from "../../src/Style.ts"

/** What a real system has recorded, with all that can happen. */
const golden = Stream.runCollect(
  BundleFile.events(fileURLToPath(new URL("../../../../test/golden/logs/0.1.0.jsonl.gz", import.meta.url)))
)

/** The state after so many events, folded from the first. */
const folded = (log: ReadonlyArray<Recorded>, place: number) => {
  const world = Replay.make()
  for (const event of log.slice(0, place)) Replay.step(world, Stepper.happened(event))
  return Replay.summary(world)
}

describe("a stepper", () => {
  it.effect("shows at each place what the events up to it come to, from whichever side it comes", () =>
    Effect.gen(function* () {
      const log = yield* golden
      const stepper = Stepper.make(log)
      const expected = Array.from({ length: log.length + 1 }, (_, place) => folded(log, place))
      const check = (place: number) => {
        assert.strictEqual(stepper.place(), place)
        assert.deepStrictEqual(stepper.after(), expected[place])
        if (place > 0) assert.deepStrictEqual(stepper.before(), expected[place - 1])
        assert.deepStrictEqual(stepper.event(), log[place - 1])
      }
      check(0)
      for (let place = 1; place <= log.length; place++) {
        stepper.goTo(place)
        check(place)
      }
      for (let place = log.length - 1; place >= 0; place--) {
        stepper.goTo(place)
        check(place)
      }
      // Far ones, in an order that hits copies and places between them.
      for (const place of [250, 3, 199, 100, 101, 99, 200, 255, 1, 254]) {
        stepper.goTo(place)
        check(Math.min(place, log.length))
      }
      stepper.goTo(log.length + 10)
      check(log.length)
      stepper.goTo(-3)
      check(0)
    })
  )

  it.effect("jumps to a task, a type, a time", () =>
    Effect.gen(function* () {
      const log = yield* golden
      const stepper = Stepper.make(log)
      const ask = (key: string, text: string) => Stepper.questions[key]?.answer(stepper, text)
      assert.isUndefined(ask("t", "4"))
      assert.strictEqual(stepper.event()?.type, "TasksSubmitted")
      assert.isUndefined(ask("t", "4"))
      assert.strictEqual(stepper.event()?.type, "TasksLeased")
      assert.isUndefined(ask("/", "late"))
      assert.strictEqual(stepper.event()?.type, "LateResultsRecorded")
      const place = stepper.place()
      assert.strictEqual(ask("t", "99999"), "no later event speaks of task 99999")
      assert.strictEqual(ask("t", "x"), '"x" is no index of a task')
      assert.strictEqual(ask("@", "when"), '"when" is no time')
      assert.match(ask("e", "first") ?? "", /is not a number from 0 to/)
      assert.strictEqual(stepper.place(), place)
      // The last event of a millisecond: all that was recorded up to it has happened.
      const time = log[100]?.recordedAt ?? 0
      assert.isUndefined(ask("@", new Date(time).toISOString()))
      assert.strictEqual(stepper.place(), log.filter(({ recordedAt }) => recordedAt <= time).length)
      assert.isUndefined(ask("e", "7"))
      assert.strictEqual(stepper.place(), 7)
    })
  )
})

describe("the keys of a walk", () => {
  it.effect("go on and back, ask, and end it", () =>
    Effect.gen(function* () {
      const log = yield* golden
      const walk = walker(log)
      const shown = () => walk.lines(100, Style.plain)
      const first = shown()
      assert.match(first[0] ?? "", /^event 1 of \d+ {2}ManagerRegistered/)
      for (const key of ["n", " ", "\u001B[C", "\r"]) assert.isTrue(walk.press(key))
      assert.match(shown()[0] ?? "", /^event 5 of/)
      for (const key of ["b", "\u001B[D", "k", "\u007F"]) walk.press(key)
      assert.deepStrictEqual(shown(), first)
      walk.press("G")
      assert.match(shown()[0] ?? "", new RegExp(`^event ${log.length} of`))
      walk.press("g")
      assert.match(shown()[0] ?? "", /^before the first of/)
      walk.press("/")
      walk.press("suitep")
      assert.strictEqual(shown().at(-1), "next event with this in its type or stream: suitep")
      // While it asks, letters are text and no moves; one too many is taken back.
      walk.press("n")
      walk.press("\u007F")
      walk.press("\r")
      assert.match(shown()[0] ?? "", /SuitePaused/)
      assert.include(shown().join("\n"), "open, paused (was open)")
      walk.press("/")
      walk.press("nothing like it\r")
      assert.include(shown(), 'no later event has "nothing like it"')
      for (const line of walk.lines(60, Style.plain).slice(0, 6)) assert.isAtMost(line.length, 80)
      assert.isFalse(walk.press("q"))
      assert.isFalse(walk.press("\u0003"))
    })
  )
})
