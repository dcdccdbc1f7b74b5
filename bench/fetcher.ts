/**
 * A worker that does nothing with its tasks but to note how long it waited for each. It speaks the real protocol over the
 * real socket, through the real worker's own client; a manager starts it by `MUSTER_WORKER_COMMAND`.
 */
import { setTimeout as sleep } from "node:timers/promises"
import { NodeRuntime } from "@effect/platform-node"
import { Effect, Schedule, Stream } from "effect"
import * as ManagedTaskSource from "@muster/worker/ManagedTaskSource"
import { TaskSource } from "@muster/worker/TaskSource"
import { layerConfig } from "@muster/worker/WorkerConfig"

/** Before each fetch, in milliseconds: given as an argument. */
const pause = Number(process.argv[2])

const work = Effect.gen(function* () {
  const source = yield* TaskSource
  // At once: a manager does not answer a worker that has not introduced itself.
  yield* source
    .attach([{ name: "noop", concurrency: 1 }])
    .pipe(Stream.runDrain, Effect.forkScoped({ startImmediately: true }))
  yield* source.beat.pipe(Effect.repeat(Schedule.spaced("1 second")), Effect.forkScoped)
  for (;;) {
    yield* Effect.promise(() => sleep(pause))
    const asked = performance.now()
    const items = yield* source.next(1, [])
    const took = performance.now() - asked
    const now = Date.now()
    yield* source.ended(
      items.map(({ attempt, index, suiteId }) => ({
        suiteId,
        result: { index, attempt, outcome: "succeeded", startedAt: now, finishedAt: now, duration: 0, output: took }
      }))
    )
  }
})

NodeRuntime.runMain(work.pipe(Effect.scoped, Effect.provide(ManagedTaskSource.layer), Effect.provide(layerConfig)))
