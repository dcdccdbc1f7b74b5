/**
 * All coordinators are replaced, one after the other, under load: nobody notices who asks again.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Ref, Scope } from "effect"
import * as Notes from "./support/Notes.ts"
import * as System from "./support/System.ts"
import * as Wait from "./support/Wait.ts"

describe("a rolling restart", () => {
  it.live("loses no request, does nothing twice and stops nothing that runs; each stop takes no timeout", () =>
    Effect.gen(function* () {
      const system = yield* System.make
      const notes = yield* Notes.workspace
      const outer = yield* Effect.scope
      const start = (port?: number) =>
        Effect.gen(function* () {
          const scope = yield* Scope.fork(outer)
          const coordinator = yield* system
            .coordinator(port === undefined ? {} : { port })
            .pipe(Effect.provideService(Scope.Scope, scope))
          return { scope, coordinator }
        })
      const running = [yield* start(), yield* start()]
      const urls = running.map(({ coordinator }) => coordinator.url)
      yield* system.manager({ urls, workers: 2 })
      yield* system.manager({ urls, workers: 1, tags: ["long"] })
      const client = yield* system.client(urls)
      // Runs from before the first stop until after the last one.
      const long = yield* client.createSuite({ name: "long", tags: ["long"] })
      yield* client.submit(long.id, [{ program: "sleep", args: ["infinity"] }])
      yield* Wait.until("it runs", client.getSuite(long.id), ({ tasks }) => tasks.running === 1)

      const suite = yield* client.createSuite({ name: "rolling" })
      const submitted = yield* Ref.make(0)
      let isOver = false
      const submitting = yield* Effect.gen(function* () {
        const index = yield* Ref.get(submitted)
        yield* client.submit(suite.id, [Notes.noting(notes, index, 0.01)])
        yield* Ref.set(submitted, index + 1)
      }).pipe(Effect.delay(20), Effect.repeat({ while: () => Effect.succeed(!isOver) }), Effect.forkChild)
      const enough = (more: number) =>
        Effect.flatMap(Ref.get(submitted), (before) =>
          Wait.until("more is submitted", Ref.get(submitted), (count) => count > before + more)
        )

      const stops: Array<number> = []
      for (const { coordinator, scope } of running) {
        yield* enough(10)
        const began = performance.now()
        yield* coordinator.kill("SIGTERM")
        const { code } = yield* coordinator.exited
        stops.push(Math.round(performance.now() - began))
        assert.strictEqual(code, 130)
        assert.notMatch(coordinator.output(), /ERROR|FATAL/)
        yield* Scope.close(scope, Exit.void)
        yield* start(coordinator.port)
      }
      yield* enough(10)
      isOver = true
      yield* Fiber.join(submitting)
      yield* Effect.logInfo(`stops took ${stops.join(" and ")} ms`)
      assert.isBelow(Math.max(...stops), 1_000)

      const total = yield* Ref.get(submitted)
      const done = yield* client.wait(suite.id, { timeout: "30 seconds" })
      assert.deepInclude(done.tasks, { total, succeeded: total, pending: 0 })
      Notes.assertEachOnce(Notes.runs(notes), total)
      Notes.assertEachOnce(yield* Notes.outcomes(client, suite.id), total)
      assert.deepInclude((yield* client.getSuite(long.id)).tasks, { total: 1, running: 1 })
    })
  )
})
