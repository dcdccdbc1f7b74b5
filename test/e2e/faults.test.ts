/**
 * Processes die: each kind of process of a real system is killed under load, and nothing is lost and nothing counted
 * twice. The tasks themselves write down what they did, so that the checks do not have to trust our own log.
 */
import { mkdirSync, readFileSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import type { MusterClient } from "@muster/client/MusterClient"
import type { SuiteId } from "@muster/domain/Suite/Id"
import * as Process from "./support/Process.ts"
import * as System from "./support/System.ts"
import * as Wait from "./support/Wait.ts"

type Client = MusterClient["Service"]

/** A task that notes in the file `<index>` each time that it runs, and takes a moment. */
const noting = (directory: string, index: number, seconds = 0.02) => ({
  program: "/bin/sh",
  args: ["-c", `echo "$$" >> ${directory}/${index}; sleep ${seconds}`]
})

/** How often each task ran, by its own account. */
const runs = (directory: string): Map<number, number> =>
  new Map(
    readdirSync(directory).map((name) => [
      Number(name),
      readFileSync(join(directory, name), "utf8").trim().split("\n").length
    ])
  )

const settled = (client: Client, suiteId: SuiteId) =>
  Effect.map(client.getSuite(suiteId), ({ tasks }) => tasks.succeeded + tasks.failed + tasks.cancelled)

/** Number of final outcomes by task, from the log itself. */
const outcomes = (client: Client, suiteId: SuiteId) =>
  client.listEvents({ stream: `suite-${suiteId}` }).pipe(
    Stream.runFold(
      () => new Map<number, number>(),
      (found, { data, type }) => {
        if (type !== "AttemptsEnded") return found
        const { attempts } = data as { attempts: ReadonlyArray<{ index: number; next: string }> } // as the schema says
        for (const { index, next } of attempts) {
          if (next !== "retry") found.set(index, (found.get(index) ?? 0) + 1)
        }
        return found
      }
    )
  )

const assertEachOnce = (counts: ReadonlyMap<number, number>, total: number) => {
  assert.strictEqual(counts.size, total)
  assert.deepStrictEqual(
    [...counts].filter(([, count]) => count !== 1),
    []
  )
}

const workspace = Effect.map(Process.directory("notes"), (directory) => {
  const notes = join(directory, "notes")
  mkdirSync(notes)
  return notes
})

describe("a system whose processes are killed", () => {
  it.live("finishes a suite across kill -9 of its coordinator, and starts nothing twice", () =>
    Effect.gen(function* () {
      const system = yield* System.make
      const notes = yield* workspace
      const coordinator = yield* system.coordinator()
      yield* system.manager({ urls: [coordinator.url], workers: 4 })
      const client = yield* system.client(coordinator.url)
      const suite = yield* client.createSuite({ name: "coordinator killed" })
      const total = 2_000
      yield* client.submit(
        suite.id,
        Array.from({ length: total }, (_, index) => noting(notes, index, 0.005))
      )
      yield* Wait.until("some tasks have ended", settled(client, suite.id), (count) => count > 200)
      yield* coordinator.kill("SIGKILL")
      yield* coordinator.exited
      yield* system.coordinator({ port: coordinator.port })
      const done = yield* client.wait(suite.id, { timeout: "60 seconds" })
      assert.deepInclude(done.tasks, { total, succeeded: total, pending: 0 })
      assert.strictEqual(done.state, "complete")
      assertEachOnce(runs(notes), total)
      assertEachOnce(yield* outcomes(client, suite.id), total)
    })
  )

  it.live("gives the tasks of a killed manager to another one, and leaves no process of it behind", () =>
    Effect.gen(function* () {
      const system = yield* System.make
      const notes = yield* workspace
      const coordinator = yield* system.coordinator()
      const first = yield* system.manager({ urls: [coordinator.url], workers: 2 })
      const client = yield* system.client(coordinator.url)
      const suite = yield* client.createSuite({ name: "manager killed" })
      const total = 60
      yield* client.submit(
        suite.id,
        Array.from({ length: total }, (_, index) => noting(notes, index, 0.3))
      )
      yield* Wait.until("some tasks have ended", settled(client, suite.id), (count) => count >= 4)
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
      assertEachOnce(yield* outcomes(client, suite.id), total)
      assert.isTrue(Process.isAlive(second.pid))
    })
  )

  it.live("records the signal of a killed worker, replaces it, and runs the task again", () =>
    Effect.gen(function* () {
      const system = yield* System.make
      const notes = yield* workspace
      const coordinator = yield* system.coordinator()
      yield* system.manager({ urls: [coordinator.url], workers: 1 })
      const client = yield* system.client(coordinator.url)
      const suite = yield* client.createSuite({ name: "worker killed" })
      yield* client.submit(suite.id, [
        { program: "/bin/sh", args: ["-c", `echo run >> ${notes}/0; [ $(wc -l < ${notes}/0) -gt 1 ] || sleep 60`] }
      ])
      yield* Wait.until("the task runs", client.getSuite(suite.id), ({ tasks }) => tasks.running === 1)
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
      assert.deepStrictEqual(runs(notes), new Map([[0, 2]]))
    })
  )

  it.live("goes on after kill -9 of Postgres and its restart, with nothing lost", () =>
    Effect.gen(function* () {
      const system = yield* System.make
      const notes = yield* workspace
      const coordinator = yield* system.coordinator()
      yield* system.manager({ urls: [coordinator.url], workers: 2 })
      const client = yield* system.client(coordinator.url)
      const suite = yield* client.createSuite({ name: "database killed" })
      const total = 300
      const task = (index: number) => noting(notes, index, 0.02)
      yield* client.submit(
        suite.id,
        Array.from({ length: total / 2 }, (_, index) => task(index))
      )
      yield* Wait.until("some tasks have ended", settled(client, suite.id), (count) => count > 20)
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
      assertEachOnce(runs(notes), total)
      assertEachOnce(yield* outcomes(client, suite.id), total)
    })
  )

  it.live("moves a suite to another coordinator in under 10 s when its own is killed", () =>
    Effect.gen(function* () {
      const system = yield* System.make
      const notes = yield* workspace
      const one = yield* system.coordinator()
      const other = yield* system.coordinator()
      yield* system.manager({ urls: [one.url, other.url], workers: 2 })
      const client = yield* system.client([other.url, one.url])
      const suite = yield* client.createSuite({ name: "one of two killed" })
      const total = 400
      yield* client.submit(
        suite.id,
        Array.from({ length: total }, (_, index) => noting(notes, index, 0.02))
      )
      const before = yield* Wait.until("some tasks have ended", settled(client, suite.id), (count) => count > 50)
      yield* one.kill("SIGKILL")
      yield* one.exited
      const from = Date.now()
      // What was on its way may still arrive, so growth counts only well beyond it.
      yield* Wait.until("tasks end again", settled(client, suite.id), (count) => count > before + 100)
      const took = Date.now() - from
      yield* Effect.logInfo(`taken over in ${took} ms`)
      assert.isBelow(took, 10_000)
      const done = yield* client.wait(suite.id, { timeout: "60 seconds" })
      assert.deepInclude(done.tasks, { total, succeeded: total, pending: 0 })
      assertEachOnce(yield* outcomes(client, suite.id), total)
    })
  )
})
