/**
 * The database is killed under load: requests wait, and all goes on when it is back.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Notes from "./support/Notes.ts"
import * as System from "./support/System.ts"
import * as Wait from "./support/Wait.ts"

describe("a system whose database is killed", () => {
  it.live("goes on after kill -9 of Postgres and its restart, with nothing lost", () =>
    Effect.gen(function* () {
      const system = yield* System.make
      const notes = yield* Notes.workspace
      const coordinator = yield* system.coordinator()
      yield* system.manager({ urls: [coordinator.url], workers: 2 })
      const client = yield* system.client(coordinator.url)
      const suite = yield* client.createSuite({ name: "database killed" })
      const total = 300
      const task = (index: number) => Notes.noting(notes, index, 0.02)
      yield* client.submit(
        suite.id,
        Array.from({ length: total / 2 }, (_, index) => task(index))
      )
      yield* Wait.until("some tasks have ended", Notes.settled(client, suite.id), (count) => count > 20)
      yield* system.postgres.kill
      // A submission while the database is away waits for it.
      const [submitted] = yield* Effect.all(
        [
          client.submit(
            suite.id,
            Array.from({ length: total / 2 }, (_, index) => task(total / 2 + index))
          ),
          system.postgres.restart
        ],
        { concurrency: 2 }
      )
      assert.isDefined(submitted)
      const done = yield* client.wait(suite.id, { timeout: "60 seconds" })
      assert.deepInclude(done.tasks, { total, succeeded: total, pending: 0 })
      Notes.assertEachOnce(Notes.runs(notes), total)
      Notes.assertEachOnce(yield* Notes.outcomes(client, suite.id), total)
    })
  )
})
