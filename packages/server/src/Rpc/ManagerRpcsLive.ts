/**
 * Where managers' calls arrive: passes each on to the actor that it concerns, wherever in the cluster that is.
 */
import { Effect, Stream } from "effect"
import { ManagerEntity } from "@muster/domain/Entities/ManagerEntity"
import { WorkerEntity } from "@muster/domain/Entities/WorkerEntity"
import { Unavailable } from "@muster/domain/Errors"
import type { ManagerId } from "@muster/domain/Manager/Id"
import type { ManagerError } from "@muster/domain/Manager/Refusals"
import { ManagerRpcs } from "@muster/domain/Rpc/ManagerRpcs"
import { workerId } from "@muster/domain/Worker/Id"
import * as EntityCall from "../Entities/EntityCall.ts"
import { untilAnswered } from "../Entities/EntityCall.ts"
import { Heartbeats } from "../Heartbeats.ts"
import { CoordinatorMetrics } from "../Metrics.ts"
import { Suites } from "../Suites.ts"

/**
 * A session's errors as managers know them: that it is over, or that it must connect again. A step of the state machine
 * that is not allowed means that a message was lost on the way: the next step sets it right.
 */
const ofSession = <A, R>(managerId: ManagerId, call: Effect.Effect<A, ManagerError | Unavailable, R>) =>
  call.pipe(
    Effect.catchTags({
      ManagerNotFound: () => new Unavailable({ reason: `manager ${managerId} has no session; connect first` }),
      ActivityNotAllowed: (error) => Effect.as(Effect.logDebug(error.message), undefined),
      ManagerNotAvailable: (error) => Effect.as(Effect.logDebug(error.message), undefined)
    })
  )

const actorOf = (managerId: ManagerId) => `manager:${managerId}`

/** Changes of workers that are recorded at a time. */
const workerConcurrency = 8

export const layer = ManagerRpcs.toLayer(
  Effect.gen(function* () {
    const manager = yield* ManagerEntity.client
    const worker = yield* WorkerEntity.client
    const suites = yield* Suites
    const metrics = yield* CoordinatorMetrics
    const heartbeats = yield* Heartbeats
    return ManagerRpcs.of({
      Connect: ({ gone = [], instance, managerId, spec }) =>
        manager(managerId)
          .Connect({ instance, spec, gone })
          .pipe(
            // Where the actor moves or cannot work now, the manager connects again and finds it.
            Stream.mapError((error) =>
              error._tag === "SessionFenced" || error._tag === "ManagerOffline"
                ? error
                : new Unavailable({ reason: error.message })
            )
          ),
      Ready: ({ epoch, managerId }) =>
        Effect.asVoid(ofSession(managerId, untilAnswered(manager(managerId).Ready({ epoch })))),
      Heartbeat: (heartbeat) => {
        const { activity, buffered, epoch, managerId, prefetchHits = 0, prefetchMisses = 0, renews = false } = heartbeat
        metrics.prefetched(prefetchHits, prefetchMisses)
        return Effect.suspend(() => {
          const noted = heartbeats.note(managerId, epoch)
          if (noted !== undefined) return Effect.succeed(renews ? noted : undefined)
          const { running } = heartbeat
          return ofSession(
            managerId,
            untilAnswered(manager(managerId).Heartbeat({ epoch, activity, running, buffered, renews }))
          )
        })
      },
      ChangeActivity: ({ activity, epoch, managerId, suiteId }) =>
        Effect.asVoid(
          ofSession(managerId, untilAnswered(manager(managerId).ChangeActivity({ epoch, activity, suiteId })))
        ),
      LeaseTasks: ({ commandId, epoch, managerId, max, suiteId, wait }) =>
        suites
          .lease({ suiteId, commandId, actor: actorOf(managerId), managerId, epoch, max, wait })
          .pipe(Effect.catchTag("TooLarge", Effect.die)),
      ReportTasks: ({ commandId, ended, epoch, managerId, returned, started, suiteId }) =>
        suites
          .report({ suiteId, commandId, actor: actorOf(managerId), managerId, epoch, started, ended, returned })
          .pipe(Effect.catchTag("TooLarge", Effect.die)),
      Released: ({ epoch, managerId, suiteId }) =>
        Effect.asVoid(ofSession(managerId, untilAnswered(manager(managerId).Released({ epoch, suiteId })))),
      ReportWorkers: ({ changes, managerId }) =>
        Effect.forEach(
          Map.groupBy(changes, (change) => change.slot),
          ([slot, ofSlot]) =>
            Effect.forEach(ofSlot, (change) => untilAnswered(worker(workerId(managerId, slot)).RecordChange(change)), {
              discard: true
            }),
          { concurrency: workerConcurrency, discard: true }
        ),
      AnswerLog: ({ chunk, managerId, requestId }) =>
        EntityCall.inBackground(manager(managerId).AnswerLog({ requestId, chunk })),
      Leave: ({ epoch, managerId }) =>
        Effect.asVoid(ofSession(managerId, untilAnswered(manager(managerId).Leave({ epoch }))))
    })
  })
)
