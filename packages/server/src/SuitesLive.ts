/**
 * `Suites` through the suite entities of the cluster, and past it where a suite's actor lives in this process.
 */
import { Effect, Layer } from "effect"
import type { Sharding } from "effect/cluster/Sharding"
import { SuiteEntity } from "@muster/domain/Entities/SuiteEntity"
import type { Unavailable } from "@muster/domain/Errors"
import type { SuiteError } from "@muster/domain/Suite/Errors"
import type { SuiteId } from "@muster/domain/Suite/Id"
import { untilAnswered } from "./Entities/EntityCall.ts"
import { ResidentSuites } from "./ResidentSuites.ts"
import type { Resident } from "./ResidentSuites.ts"
import { Suites } from "./Suites.ts"
import type { Answer } from "./Suites.ts"

export const layer: Layer.Layer<Suites, never, Sharding | ResidentSuites> = Layer.effect(
  Suites,
  Effect.gen(function* () {
    const suite = yield* SuiteEntity.client
    const residents = yield* ResidentSuites

    const scope = yield* Effect.scope

    const touch = (suiteId: SuiteId) => Effect.forkIn(Effect.ignore(suite(suiteId).Describe()), scope)

    /** Asks the actor if it is here, and else, or if it is just leaving, wherever it is. */
    const nearest = <A>(
      suiteId: SuiteId,
      here: (resident: Resident) => Effect.Effect<A, SuiteError | Unavailable>,
      anywhere: Answer<A>
    ): Answer<A> =>
      Effect.suspend(() => {
        const resident = residents.find(suiteId)
        if (resident === undefined) return anywhere
        const direct = Effect.catchTag(here(resident), "Unavailable", () => anywhere)
        return residents.isTouchDue(suiteId, performance.now()) ? Effect.andThen(touch(suiteId), direct) : direct
      })

    return Suites.of({
      create: ({ suiteId, ...payload }) => untilAnswered(suite(suiteId).Create(payload)),
      submit: ({ suiteId, ...payload }) =>
        nearest(suiteId, (resident) => resident.submit(payload), untilAnswered(suite(suiteId).Submit(payload))),
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
      lease: ({ suiteId, ...payload }) =>
        nearest(suiteId, (resident) => resident.lease(payload), untilAnswered(suite(suiteId).Lease(payload))),
      report: ({ suiteId, ...payload }) =>
        nearest(suiteId, (resident) => resident.report(payload), untilAnswered(suite(suiteId).Report(payload)))
    })
  })
)
