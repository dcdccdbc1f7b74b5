/**
 * What Postgres does to those who need it: its primary dies and a standby takes over; it has no connection to give.
 */
import { assert, describe, it } from "@effect/vitest"
import { PgConnection } from "@effect/sql-pg"
import { Effect, Exit, Fiber, Redacted, Scope, Stream } from "effect"
import { statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Notes from "./support/Notes.ts"
import * as Process from "./support/Process.ts"
import * as Standby from "./support/Standby.ts"
import * as System from "./support/System.ts"
import * as Wait from "./support/Wait.ts"

const get = (url: string, token?: string) =>
  Effect.promise(async () => {
    const response = await fetch(url, token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } })
    return { status: response.status, body: await response.text() }
  })

describe("a database that fails over", () => {
  it.live("to a streaming standby loses nothing that was accepted, and nobody has to restart anything", () =>
    Effect.gen(function* () {
      const system = yield* System.make
      const notes = yield* Notes.workspace
      const home = yield* Process.directory("standby")
      const standby = yield* Standby.make(system.postgres, join(home, "postgres"))
      const [one, two] = [new URL(system.postgres.url), new URL(standby.url)]
      const url = `postgresql://${two.username}:${two.password}@${two.host},${one.host}${one.pathname}?target_session_attrs=read-write`
      const env = { MUSTER_DATABASE_URL: url }
      const coordinators = [yield* system.coordinator({ env }), yield* system.coordinator({ env })]
      const urls = coordinators.map((coordinator) => coordinator.url)
      yield* system.manager({ urls, workers: 2 })
      const client = yield* system.client(urls)
      const suite = yield* client.createSuite({ name: "failover" })
      const half = 100
      const tasks = (first: number) =>
        Array.from({ length: half }, (_, index) => Notes.noting(notes, first + index, 0.02))
      yield* client.submit(suite.id, tasks(0))
      yield* Wait.until("some tasks have ended", Notes.settled(client, suite.id), (count) => count > 20)

      yield* system.postgres.kill
      // What is asked while there is no primary waits for the next one.
      const submitting = yield* Effect.forkChild(client.submit(suite.id, tasks(half)))
      yield* standby.promote
      yield* Fiber.join(submitting)

      const done = yield* client.wait(suite.id, { timeout: "60 seconds" })
      assert.deepInclude(done.tasks, { total: 2 * half, succeeded: 2 * half, pending: 0 })
      Notes.assertEachOnce(Notes.runs(notes), 2 * half)
      Notes.assertEachOnce(yield* Notes.outcomes(client, suite.id), 2 * half)
    })
  )

  it.live(
    "has no connection to give: requests fail clearly or wait, running work goes on, and so does all else afterwards",
    () =>
      Effect.gen(function* () {
        const system = yield* System.make
        const notes = yield* Notes.workspace
        const coordinator = yield* system.coordinator()
        yield* system.manager({ urls: [coordinator.url], workers: 1 })
        const client = yield* system.client(coordinator.url)
        const suite = yield* client.createSuite({ name: "no connections" })
        // It writes down that it runs until it is told to end.
        const ticks = join(notes, "ticks")
        const end = join(notes, "end")
        const ticking = `while [ ! -e ${end} ]; do echo >> ${ticks}; sleep 0.02; done`
        yield* client.submit(suite.id, [{ program: "/bin/sh", args: ["-c", ticking] }])
        yield* Wait.until("the task runs", client.getSuite(suite.id), ({ tasks }) => tasks.running === 1)

        const greedy = yield* Scope.fork(yield* Effect.scope)
        const take = PgConnection.make({ url: Redacted.make(system.postgres.url) }).pipe(Scope.provide(greedy))
        const one = yield* Effect.orDie(take)
        const takeAll = Effect.ignore(Effect.forever(take))
        const endOthers = Standby.value(
          one,
          "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name like 'muster%'"
        )
        // One that it has got back in between is taken again.
        const { health, refused } = yield* Wait.until(
          "the coordinator has no connection",
          Effect.all([endOthers, takeAll], { concurrency: 2 }).pipe(
            Effect.andThen(
              Effect.all({
                health: get(`${coordinator.url}/readyz`),
                refused: get(`${coordinator.url}/v1/suites`, system.adminToken)
              })
            )
          ),
          (found) => found.health.status === 503 && found.refused.status === 503
        )
        assert.include(health.body, '"database":{"ok":false')
        assert.strictEqual((yield* get(`${coordinator.url}/healthz`)).status, 200)
        assert.include(refused.body, "the database cannot be reached or is too busy")
        // Nobody tells the task that runs to stop; how it ends is kept until somebody can be told.
        const soFar = statSync(ticks).size
        yield* Wait.until(
          "the task goes on",
          Effect.sync(() => statSync(ticks).size),
          (size) => size > soFar + 5
        )
        writeFileSync(end, "")
        const submitting = yield* Effect.forkChild(client.submit(suite.id, [{ program: "true" }]))
        yield* Scope.close(greedy, Exit.void)

        yield* Fiber.join(submitting)
        const done = yield* client.wait(suite.id, { timeout: "30 seconds" })
        assert.deepInclude(done.tasks, { total: 2, succeeded: 2, pending: 0 })
        const [first] = yield* Stream.runCollect(client.listTasks({ suiteId: suite.id, limit: 1 }))
        assert.strictEqual(first?.attempts, 1)
        // Its session is the same: its actor was away with the locks, and it has found it again.
        const managers = yield* Stream.runCollect(client.listManagers())
        assert.deepStrictEqual(
          managers.map(({ epoch }) => Number(epoch)),
          [1]
        )
      })
  )
})
