/**
 * A worker that does nothing with its tasks but to note how long it waited for each. It speaks the real protocol over the
 * real socket, through the real worker's own client; a manager starts it by `MUSTER_WORKER_COMMAND`.
 */
import { setTimeout as sleep } from "node:timers/promises"
import { NodeRuntime } from "@effect/platform-node"
import { Effect, Schedule, Stream } from "effect"
import type { WorkResult } from "@muster/domain/Rpc/WorkLists"
import * as ManagedTaskSource from "@muster/worker/ManagedTaskSource"
import { TaskSource } from "@muster/worker/TaskSource"
import { layerConfig } from "@muster/worker/WorkerConfig"

/** Slower than a manager fills its buffer, so that the next task is always there. Milliseconds. */
const pace = 2

const work = Effect.gen(function* () {
  const source = yield* TaskSource
  // At once: a manager does not answer a worker that has not introduced itself.
  yield* source
    .attach([{ name: "noop", concurrency: 1 }])
    .pipe(Stream.runDrain, Effect.forkScoped({ startImmediately: true }))
  yield* source.beat.pipe(Effect.repeat(Schedule.spaced("1 second")), Effect.forkScoped)
  let ended: ReadonlyArray<WorkResult> = []
  for (;;) {
    const asked = performance.now()
    const items = yield* source.next(1, ended)
    const took = performance.now() - asked
    yield* Effect.promise(() => sleep(pace))
    const now = Date.now()
    ended = items.map(({ attempt, index, suiteId }) => ({
      suiteId,
      result: { index, attempt, outcome: "succeeded", startedAt: now, finishedAt: now, duration: pace, output: took }
    }))
  }
})

NodeRuntime.runMain(work.pipe(Effect.scoped, Effect.provide(ManagedTaskSource.layer), Effect.provide(layerConfig)))
