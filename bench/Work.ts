/**
 * What the figures have Muster do, through its client library as a user would.
 */
import { Effect, Stream } from "effect"
import type { MusterClient, TaskInput } from "@muster/client/MusterClient"
import type { SuiteId } from "@muster/domain/Suite/Id"
import * as Wait from "../test/e2e/support/Wait.ts"

export type Client = MusterClient["Service"]

export const noop: TaskInput = { handler: "noop" }
export const command: TaskInput = { program: "/bin/true" }

/** What takes longer hangs: a million no-ops take half a minute, and commands are thousands. */
const limit = 10 * 60_000

export const copies = (task: TaskInput, count: number): Array<TaskInput> => Array.from({ length: count }, () => task)

/** How long this takes, in milliseconds. */
export const timed = <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<number, E, R> =>
  Effect.suspend(() => {
    const began = performance.now()
    return Effect.map(work, () => performance.now() - began)
  })

export const perSecond = (count: number, millis: number): number => (count * 1_000) / millis

/** A suite whose tasks wait until it is resumed. */
export const paused = Effect.fnUntraced(function* (client: Client, name: string) {
  const { id } = yield* client.createSuite({ name: `bench ${name}` })
  yield* client.pauseSuite(id)
  return id
})

export const submit = (client: Client, suiteId: SuiteId, task: TaskInput, count: number) =>
  client.submit(suiteId, copies(task, count))

/** Waits until so many tasks have succeeded, looking 40 times a second. */
export const untilSucceeded = Effect.fnUntraced(function* (client: Client, suiteId: SuiteId, count: number) {
  const { tasks } = yield* Wait.until(
    `${count} tasks have succeeded`,
    client.getSuite(suiteId),
    (suite) => suite.tasks.succeeded >= count || suite.tasks.failed > 0,
    limit
  )
  if (tasks.failed > 0) return yield* Effect.die(new Error(`${tasks.failed} tasks failed`))
  return tasks.succeeded
})

/** Milliseconds from the moment that a paused suite's tasks may run until the end of the last one is recorded. */
export const run = (client: Client, suiteId: SuiteId, count: number) =>
  timed(Effect.andThen(client.resumeSuite(suiteId), untilSucceeded(client, suiteId, count)))

/** Tasks per second that are all there before the first one may run. */
export const drain = Effect.fnUntraced(function* (client: Client, task: TaskInput, count: number) {
  const suiteId = yield* paused(client, `drain ${count}`)
  yield* submit(client, suiteId, task, count)
  const took = yield* run(client, suiteId, count)
  yield* client.cancelSuite(suiteId)
  return perSecond(count, took)
})

export const managers = (client: Client) => Stream.runCollect(client.listManagers())
