import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as Supervisor from "../src/dev/Supervisor.ts"

/** Something that runs until the test ends it. */
const makeWorld = () => {
  const starts: Array<Deferred.Deferred<string>> = []
  const said: Array<string> = []
  const alive = new Set<number>()
  const start = Effect.gen(function* () {
    const end = yield* Deferred.make<string>()
    starts.push(end)
    return { pid: starts.length, ended: Deferred.await(end) }
  })
  const end = (how: string) => {
    const last = starts.at(-1)
    return last === undefined ? Effect.die(new Error("nothing runs")) : Deferred.succeed(last, how)
  }
  const options = {
    name: "thing",
    say: (line: string) => Effect.sync(() => void said.push(line)),
    onStarted: (pid: number) => Effect.sync(() => void alive.add(pid)),
    onEnded: (pid: number) => Effect.sync(() => void alive.delete(pid))
  }
  return { starts, said, alive, start, end, options }
}

describe("a supervisor", () => {
  it("waits ever longer, up to ten seconds", () => {
    assert.deepStrictEqual([1, 2, 3, 4, 8, 30].map(Supervisor.pauseAfter), [100, 200, 400, 800, 10_000, 10_000])
  })

  it.effect("starts again what has ended, says so, and is patient again with what ran well", () =>
    Effect.gen(function* () {
      const { alive, end, options, said, start, starts } = makeWorld()
      yield* Supervisor.keep({ ...options, start })
      assert.deepStrictEqual([...alive], [1])
      yield* end("SIGKILL")
      yield* TestClock.adjust(99)
      assert.deepStrictEqual([starts.length, [...alive]], [1, []])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual([starts.length, [...alive]], [2, [2]])
      assert.deepStrictEqual(said, ["thing (process 1) ended with SIGKILL; starting it again"])
      yield* end("exit code 1")
      yield* TestClock.adjust(199)
      assert.strictEqual(starts.length, 2)
      yield* TestClock.adjust(1)
      assert.strictEqual(starts.length, 3)
      yield* TestClock.adjust("1 minute")
      yield* end("exit code 1")
      yield* TestClock.adjust(100)
      assert.strictEqual(starts.length, 4)
    })
  )

  it.effect("fails when the first start fails, and goes on when a later one does", () =>
    Effect.gen(function* () {
      const { alive, end, options, said, start, starts } = makeWorld()
      const first = yield* Effect.flip(Supervisor.keep({ ...options, start: Effect.fail(new Error("no disk")) }))
      assert.strictEqual(first.message, "no disk")
      assert.deepStrictEqual(said, [])

      let isBroken = false
      const sometimes = Effect.suspend(() => (isBroken ? Effect.fail(new Error("no memory")) : start))
      yield* Supervisor.keep({ ...options, start: sometimes })
      isBroken = true
      yield* end("SIGKILL")
      yield* TestClock.adjust(100)
      assert.strictEqual(said.at(-1), "thing does not start: no memory")
      isBroken = false
      yield* TestClock.adjust(200)
      assert.deepStrictEqual([starts.length, [...alive]], [2, [2]])
    })
  )

  it.effect("ends with its scope", () =>
    Effect.gen(function* () {
      const { alive, options, start } = makeWorld()
      const fiber = yield* Effect.forkChild(
        Effect.scoped(Effect.andThen(Supervisor.keep({ ...options, start }), Effect.never)),
        { startImmediately: true }
      )
      yield* TestClock.adjust(1)
      assert.deepStrictEqual([...alive], [1])
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual([...alive], [])
    })
  )
})
