/**
 * `Suites` through the suite entities of the cluster.
 */
import { Effect, Layer } from "effect"
import type { Sharding } from "effect/cluster/Sharding"
import { SuiteEntity } from "@muster/domain/Entities/SuiteEntity"
import { untilAnswered } from "./Entities/EntityCall.ts"
import { Suites } from "./Suites.ts"

export const layer: Layer.Layer<Suites, never, Sharding> = Layer.effect(
  Suites,
  Effect.gen(function* () {
    const suite = yield* SuiteEntity.client
    return Suites.of({
      create: ({ suiteId, ...payload }) => untilAnswered(suite(suiteId).Create(payload)),
      submit: ({ suiteId, ...payload }) => untilAnswered(suite(suiteId).Submit(payload)),
      close: ({ suiteId, ...payload }) => untilAnswered(suite(suiteId).Close(payload)),
      pause: ({ suiteId, ...payload }) => untilAnswered(suite(suiteId).Pause(payload)),
      resume: ({ suiteId, ...payload }) => untilAnswered(suite(suiteId).Resume(payload)),
      cancel: ({ suiteId, ...payload }) =>
        Effect.map(untilAnswered(suite(suiteId).Cancel(payload)), ({ suite: view, tasks }) => ({
          suite: view,
          cancelledTasks: tasks
        })),
      retry: ({ suiteId, ...payload }) =>
        Effect.map(untilAnswered(suite(suiteId).Retry(payload)), ({ suite: view, tasks }) => ({
          suite: view,
          retriedTasks: tasks
        })),
      cancelTasks: ({ suiteId, ...payload }) =>
        Effect.map(untilAnswered(suite(suiteId).CancelTasks(payload)), ({ suite: view, tasks }) => ({
          suite: view,
          cancelledTasks: tasks
        })),
      lease: ({ suiteId, ...payload }) => untilAnswered(suite(suiteId).Lease(payload)),
      report: ({ suiteId, ...payload }) => untilAnswered(suite(suiteId).Report(payload))
    })
  })
)
