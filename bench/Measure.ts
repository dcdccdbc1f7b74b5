/**
 * One round of each figure, on a system of real processes: coordinator, manager, workers and Postgres with `fsync`, full
 * events and a row per task.
 */
import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { Effect, Stream } from "effect"
import type { MusterClient } from "@muster/client/MusterClient"
import type { SuiteId } from "@muster/domain/Suite/Id"
import * as Wait from "../test/e2e/support/Wait.ts"

type Client = MusterClient["Service"]

const noop = { handler: "noop" }
const trueCommand = { program: "/bin/true" }

const seconds = (since: number) => (performance.now() - since) / 1_000

/** Waits for the end of a suite without costing it anything: looks ten times a second. */
const untilComplete = (client: Client, suiteId: SuiteId) =>
  Wait.until("the suite is complete", client.getSuite(suiteId), ({ tasks }) => tasks.pending === 0, 300_000)

/** A suite of tasks that are all there before the first one may run. */
const prepared = Effect.fnUntraced(function* (client: Client, task: typeof noop | typeof trueCommand, count: number) {
  const suite = yield* client.createSuite({ name: `bench ${count}` })
  yield* client.pauseSuite(suite.id)
  yield* client.submit(
    suite.id,
    Array.from({ length: count }, () => task)
  )
  return suite.id
})

/** Tasks per second from the moment that they may run until the last one is recorded. */
export const drain = Effect.fnUntraced(function* (client: Client, kind: "noop" | "command", count: number) {
  const suiteId = yield* prepared(client, kind === "noop" ? noop : trueCommand, count)
  const began = performance.now()
  yield* client.resumeSuite(suiteId)
  const { tasks } = yield* untilComplete(client, suiteId)
  const took = seconds(began)
  if (tasks.succeeded !== count) return yield* Effect.die(new Error(`${tasks.succeeded} of ${count} succeeded`))
  return count / took
})

/** Tasks per second into a paused suite, in batches of 1,000 through the client library. */
export const submit = Effect.fnUntraced(function* (client: Client, count: number) {
  const suite = yield* client.createSuite({ name: "bench submit" })
  yield* client.pauseSuite(suite.id)
  const began = performance.now()
  yield* client.submit(
    suite.id,
    Array.from({ length: count }, () => noop)
  )
  const took = seconds(began)
  yield* client.cancelSuite(suite.id)
  return count / took
})

/**
 * Milliseconds from submission to start for single tasks on an idle system. Submission is when the client sends, start is
 * when the worker begins, both by clocks of this machine.
 */
export const latencies = Effect.fnUntraced(function* (client: Client, count: number) {
  const suite = yield* client.createSuite({ name: "bench latency" })
  const sent: Array<number> = []
  for (let index = 0; index < count; index++) {
    sent.push(performance.timeOrigin + performance.now())
    yield* client.submit(suite.id, [noop])
    yield* Wait.until("the task is done", client.getSuite(suite.id), ({ tasks }) => tasks.pending === 0)
  }
  const tasks = yield* Stream.runCollect(client.listTasks({ suiteId: suite.id }))
  yield* client.cancelSuite(suite.id)
  return tasks.map(({ index, startedAt }) => Date.parse(startedAt ?? "") - Math.floor(sent[index] ?? 0))
})

/** Resident memory of a process in MB. */
export const memory = (pid: number): number => {
  const found = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))
  return Number(found?.[1]) / 1_024
}

/** Processes per second that `xargs -P` starts and reaps. */
export const xargs = (count: number, parallel: number): number => {
  const began = performance.now()
  execFileSync("sh", ["-c", `seq ${count} | xargs -P ${parallel} -n 1 /bin/true`])
  return count / seconds(began)
}
