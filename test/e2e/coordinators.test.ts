/**
 * Coordinators are killed under load: nothing is lost, nothing counted twice.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Notes from "./support/Notes.ts"
import * as System from "./support/System.ts"
import * as Wait from "./support/Wait.ts"

describe("a system whose coordinators are killed", () => {
  it.live("finishes a suite across kill -9 of its coordinator, and starts nothing twice", () =>
    Effect.gen(function* () {
      const system = yield* System.make
      const notes = yield* Notes.workspace
      const coordinator = yield* system.coordinator()
      yield* system.manager({ urls: [coordinator.url], workers: 4 })
      const client = yield* system.client(coordinator.url)
      const suite = yield* client.createSuite({ name: "coordinator killed" })
      const total = 2_000
      yield* client.submit(
        suite.id,
        Array.from({ length: total }, (_, index) => Notes.noting(notes, index, 0.005))
      )
      yield* Wait.until("some tasks have ended", Notes.settled(client, suite.id), (count) => count > 200)
      yield* coordinator.kill("SIGKILL")
      yield* coordinator.exited
      yield* system.coordinator({ port: coordinator.port })
      const done = yield* client.wait(suite.id, { timeout: "60 seconds" })
      assert.deepInclude(done.tasks, { total, succeeded: total, pending: 0 })
      assert.strictEqual(done.state, "complete")
      Notes.assertEachOnce(Notes.runs(notes), total)
      Notes.assertEachOnce(yield* Notes.outcomes(client, suite.id), total)
    })
  )

  it.live("moves a suite to another coordinator in under 10 s when its own is killed", () =>
    Effect.gen(function* () {
      const system = yield* System.make
      const notes = yield* Notes.workspace
      const one = yield* system.coordinator()
      const other = yield* system.coordinator()
      yield* system.manager({ urls: [one.url, other.url], workers: 2 })
      const client = yield* system.client([other.url, one.url])
      const suite = yield* client.createSuite({ name: "one of two killed" })
      const total = 400
      yield* client.submit(
        suite.id,
        Array.from({ length: total }, (_, index) => Notes.noting(notes, index, 0.02))
      )
      const before = yield* Wait.until("some tasks have ended", Notes.settled(client, suite.id), (count) => count > 50)
      yield* one.kill("SIGKILL")
      yield* one.exited
      const from = Date.now()
      // What was on its way may still arrive, so growth counts only well beyond it.
      yield* Wait.until("tasks end again", Notes.settled(client, suite.id), (count) => count > before + 100)
      const took = Date.now() - from
      yield* Effect.logInfo(`taken over in ${took} ms`)
      assert.isBelow(took, 10_000)
      const done = yield* client.wait(suite.id, { timeout: "60 seconds" })
      assert.deepInclude(done.tasks, { total, succeeded: total, pending: 0 })
      Notes.assertEachOnce(yield* Notes.outcomes(client, suite.id), total)
    })
  )
})
