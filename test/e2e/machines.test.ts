/**
 * Managers and workers are killed under load: their tasks go on, and nothing of them is left behind.
 */
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import * as Notes from "./support/Notes.ts"
import * as Process from "./support/Process.ts"
import * as System from "./support/System.ts"
import * as Wait from "./support/Wait.ts"

describe("a system whose managers and workers are killed", () => {
  it.live("gives the tasks of a killed manager to another one, and leaves no process of it behind", () =>
    Effect.gen(function* () {
      const system = yield* System.make
      const notes = yield* Notes.workspace
      const coordinator = yield* system.coordinator()
      const first = yield* system.manager({ urls: [coordinator.url], workers: 2 })
      const client = yield* system.client(coordinator.url)
      const suite = yield* client.createSuite({ name: "manager killed" })
      const total = 60
      yield* client.submit(
        suite.id,
        Array.from({ length: total }, (_, index) => Notes.noting(notes, index, 0.3))
      )
      yield* Wait.until("some tasks have ended", Notes.settled(client, suite.id), (count) => count >= 4)
      const second = yield* system.manager({ urls: [coordinator.url], workers: 2 })
      yield* Wait.until(
        "both managers are there",
        Stream.runCollect(client.listManagers()),
        (managers) => managers.length === 2
      )
      yield* first.kill("SIGKILL")
      yield* first.exited
      yield* Wait.until(
        "nothing of the dead manager is left",
        Effect.sync(() => Process.withEnvironment(`MUSTER_WORK_DIR=${first.directory}`)),
        (pids) => pids.length === 0
      )
      const done = yield* client.wait(suite.id, { timeout: "60 seconds" })
      assert.deepInclude(done.tasks, { total, succeeded: total, pending: 0 })
      Notes.assertEachOnce(yield* Notes.outcomes(client, suite.id), total)
      assert.isTrue(Process.isAlive(second.pid))
    })
  )

  it.live("leaves nothing of a suite on a machine that has nothing else to do", () =>
    Effect.gen(function* () {
      const system = yield* System.make
      const coordinator = yield* system.coordinator({ env: { MUSTER_SUITE_LINGER: "100ms" } })
      yield* system.manager({ urls: [coordinator.url], workers: 1 })
      const client = yield* system.client(coordinator.url)
      const suite = yield* client.createSuite({ name: "daemons" })
      const sign = join(yield* Notes.workspace, "sign")
      const daemon = `setsid sh -c 'echo > "$0"; exec sleep 300' ${sign} > /dev/null 2>&1 < /dev/null &`
      yield* client.submit(suite.id, [
        { program: "/bin/sh", args: ["-c", `${daemon} while [ ! -e ${sign} ]; do :; done`] }
      ])
      yield* client.closeSuite(suite.id)
      yield* client.wait(suite.id, { timeout: "30 seconds" })
      yield* Wait.until(
        "what its command left behind is gone",
        Effect.sync(() => Process.withEnvironment(`MUSTER_SUITE_ID=${suite.id}`)),
        (pids) => pids.length === 0
      )
    })
  )

  it.live("goes on with a suite of which one task never ends, however long nothing else was there to do", () =>
    Effect.gen(function* () {
      const system = yield* System.make
      const coordinator = yield* system.coordinator({ env: { MUSTER_SUITE_LINGER: "100ms" } })
      yield* system.manager({ urls: [coordinator.url], workers: 2 })
      const client = yield* system.client(coordinator.url)
      const suite = yield* client.createSuite({ name: "service" })
      yield* client.submit(suite.id, [{ program: "/bin/sleep", args: ["infinity"] }])
      yield* Wait.until("the service runs", client.getSuite(suite.id), ({ tasks }) => tasks.running === 1)
      const wasAskedBack = (times: number) =>
        Wait.until(
          "the pool wants the manager back",
          Stream.runCollect(client.listEvents({ stream: "coordinator-main" })),
          (events) => events.filter(({ type }) => type === "ReleaseRequested").length >= times
        )
      for (const count of [1, 2]) {
        yield* wasAskedBack(count)
        yield* client.submit(suite.id, [{ program: "/bin/true" }])
        yield* Wait.until("the task has run", client.getSuite(suite.id), ({ tasks }) => tasks.succeeded === count)
      }
    })
  )

  it.live("records the signal of a killed worker, replaces it, and runs the task again", () =>
    Effect.gen(function* () {
      const system = yield* System.make
      const notes = yield* Notes.workspace
      const coordinator = yield* system.coordinator()
      yield* system.manager({ urls: [coordinator.url], workers: 1 })
      const client = yield* system.client(coordinator.url)
      const suite = yield* client.createSuite({ name: "worker killed" })
      yield* client.submit(suite.id, [
        { program: "/bin/sh", args: ["-c", `echo run >> ${notes}/0; [ $(wc -l < ${notes}/0) -gt 1 ] || sleep 60`] }
      ])
      yield* Wait.until("the task Notes.runs", client.getSuite(suite.id), ({ tasks }) => tasks.running === 1)
      const [worker] = yield* Stream.runCollect(client.listWorkers())
      assert.isDefined(worker)
      if (worker === undefined) return
      process.kill(worker.pid, "SIGKILL")
      const done = yield* client.wait(suite.id, { timeout: "30 seconds" })
      assert.deepInclude(done.tasks, { succeeded: 1 })
      const [task] = yield* Stream.runCollect(client.listTasks({ suiteId: suite.id }))
      assert.isDefined(task)
      if (task === undefined) return
      const { attempts } = yield* client.getTask(task.id)
      assert.deepStrictEqual(
        attempts.map(({ number, outcome, signal }) => ({ number, outcome, signal })),
        [
          { number: 1, outcome: "crashed", signal: "SIGKILL" },
          { number: 2, outcome: "succeeded", signal: null }
        ]
      )
      const [replaced] = yield* Stream.runCollect(client.listWorkers())
      assert.deepInclude(replaced, { id: worker.id, state: "running", crashes: 1, lastSignal: "SIGKILL" })
      assert.notStrictEqual(replaced?.pid, worker.pid)
      assert.deepStrictEqual(Notes.runs(notes), new Map([[0, 2]]))
    })
  )
})
