/** The client as a program without Effect uses it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Muster } from "../src/Muster.ts"
import * as MemoryCoordinator from "./support/MemoryCoordinator.ts"

const collect = async <A>(items: AsyncIterable<A>): Promise<ReadonlyArray<A>> => {
  const all: Array<A> = []
  for await (const item of items) all.push(item)
  return all
}

describe("a program without Effect", () => {
  it.live("submits, follows and reads results with promises and async iterables", () =>
    Effect.gen(function* () {
      const coordinator = yield* MemoryCoordinator.make
      const context = yield* Effect.context()
      const work = (id: Parameters<typeof coordinator.work>[0]) =>
        Effect.runPromiseWith(context)(
          coordinator.work(id, (_, index) => ({ outcome: "succeeded", exitCode: 0, stdout: `${index}\n` }))
        )
      yield* Effect.promise(async () => {
        await using muster = await Muster.connect({ url: coordinator.url, token: MemoryCoordinator.token })
        const suite = await muster.createSuite({ name: "plain" })
        const submitted = await suite.submit(
          (async function* () {
            yield { program: "echo", args: ["a"] }
            yield { program: "echo", args: ["b"] }
          })()
        )
        assert.strictEqual(submitted.count, 2)
        await suite.close()
        await work(suite.id)
        const views = await collect(suite.watch())
        assert.strictEqual(views.at(-1)?.state, "complete")
        const results = await collect(suite.results())
        assert.deepStrictEqual(
          results.map(({ stdout }) => stdout),
          ["0\n", "1\n"]
        )
        assert.strictEqual((await suite.wait()).tasks.succeeded, 2)
        const again = await muster.suite(suite.id)
        assert.strictEqual((await again.get()).name, "plain")
        assert.deepStrictEqual(
          (await collect(muster.suites())).map(({ id }) => id),
          [suite.id]
        )
      })
    })
  )

  it.live("gets errors with a tag and a message", () =>
    Effect.gen(function* () {
      const coordinator = yield* MemoryCoordinator.make
      const failure = (promise: Promise<unknown>) =>
        Effect.promise(() =>
          promise.then(
            () => assert.fail("it did not fail"),
            (error: unknown) => error
          )
        )
      const wrongToken = yield* failure(Muster.connect({ url: coordinator.url, token: "wrong" }))
      assert.deepInclude(wrongToken, { _tag: "Unauthorized" })
      const muster = yield* Effect.promise(() =>
        Muster.connect({ url: coordinator.url, token: MemoryCoordinator.token, repeatFor: 0 })
      )
      assert.deepInclude(yield* failure(muster.suite("nonsense")), { _tag: "InvalidInput", field: "suite id" })
      const unknown = yield* Effect.promise(() => muster.suite("0000000000000000"))
      assert.deepInclude(yield* failure(unknown.get()), { _tag: "SuiteNotFound" })
      const suite = yield* Effect.promise(() => muster.createSuite())
      const own = new Error("of the caller's own making")
      const broken = (async function* () {
        yield { program: "true" }
        throw own
      })()
      assert.strictEqual(yield* failure(suite.submit(broken)), own)
      yield* coordinator.stop
      const unreachable = yield* failure(suite.get())
      assert(unreachable instanceof Error)
      assert.strictEqual(unreachable.message, `cannot reach ${coordinator.url}: connection refused`)
      yield* Effect.promise(() => muster.close())
    })
  )
})
