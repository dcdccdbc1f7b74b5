/**
 * Where managers' calls arrive: passes each on to the actor that it concerns, wherever in the cluster that is.
 */
import { Clock, Effect, Result, Stream } from "effect"
import type * as Rpc from "effect/rpc/Rpc"
import { ManagerEntity } from "@muster/domain/Entities/ManagerEntity"
import { WorkerEntity } from "@muster/domain/Entities/WorkerEntity"
import { Unavailable } from "@muster/domain/Errors"
import type { InvalidInput } from "@muster/domain/Errors"
import type { Epoch, ManagerId } from "@muster/domain/Manager/Id"
import type { ManagerError } from "@muster/domain/Manager/Refusals"
import * as Claims from "@muster/domain/Rpc/Claims"
import { workerId } from "@muster/domain/Worker/Id"
import * as EntityCall from "../Entities/EntityCall.ts"
import { untilAnswered } from "../Entities/EntityCall.ts"
import { Heartbeats } from "../Heartbeats.ts"
import { CoordinatorMetrics } from "../Metrics.ts"
import { Lies } from "./Lies.ts"
import { ManagerRpcs } from "./UncheckedManagerRpcs.ts"
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
    const lies = yield* Lies

    /** Which sessions were opened over which connection. A connection's goes with it. */
    const sessions = new WeakMap<Rpc.ServerClient, Map<ManagerId, Epoch>>()

    const sessionsOf = (client: Rpc.ServerClient): Map<ManagerId, Epoch> => {
      const known = sessions.get(client)
      if (known !== undefined) return known
      const fresh = new Map<ManagerId, Epoch>()
      sessions.set(client, fresh)
      return fresh
    }

    const refuse = (client: Rpc.ServerClient, { error, kind }: Claims.Refusal, count = 1) => {
      // Who it was is whom the connection belongs to, not whom it names.
      const [managerId] = sessionsOf(client).keys()
      return Effect.andThen(lies.note({ managerId, kind, count, example: error.message }), Effect.fail(error))
    }

    /** Lets through what a connection may say in the name of a session, before anything else is done with it. */
    const speaking = <A, E, R>(
      client: Rpc.ServerClient,
      session: { readonly managerId: ManagerId; readonly epoch: Epoch },
      call: () => Effect.Effect<A, E, R>
    ): Effect.Effect<A, E | InvalidInput | Unavailable, R> => {
      const known = sessionsOf(client)
      // Whoever knows the protocol connects first, so this is a coordinator that has just come into the middle of it.
      if (known.size === 0) {
        return Effect.fail(
          new Unavailable({ reason: `manager ${session.managerId} has no session here; connect first` })
        )
      }
      const refusal = Claims.identity(known, session)
      return refusal === undefined ? call() : refuse(client, refusal)
    }

    /** As `speaking`, for what is checked only now. */
    const claimed = <Claim extends { readonly managerId: ManagerId; readonly epoch: Epoch }, A, E, R>(
      client: Rpc.ServerClient,
      claim: Result.Result<Claim, Claims.Refusal>,
      call: (claim: Claim) => Effect.Effect<A, E, R>
    ): Effect.Effect<A, E | InvalidInput | Unavailable, R> =>
      Result.isFailure(claim)
        ? refuse(client, claim.failure)
        : speaking(client, claim.success, () => call(claim.success))

    return ManagerRpcs.of({
      Connect: ({ gone = [], instance, managerId, spec }, { client }) =>
        manager(managerId)
          .Connect({ instance, spec, gone })
          .pipe(
            Stream.tap((directive) =>
              Effect.sync(() => {
                if (directive._tag === "Welcome") sessionsOf(client).set(managerId, directive.epoch)
              })
            ),
            // Where the actor moves or cannot work now, the manager connects again and finds it.
            Stream.mapError((error) =>
              error._tag === "SessionFenced" || error._tag === "ManagerOffline"
                ? error
                : new Unavailable({ reason: error.message })
            )
          ),
      Ready: ({ epoch, managerId }, { client }) =>
        speaking(client, { managerId, epoch }, () =>
          Effect.asVoid(ofSession(managerId, untilAnswered(manager(managerId).Ready({ epoch }))))
        ),
      Heartbeat: (raw, { client }) =>
        claimed(client, Claims.heartbeat(raw), (heartbeat) => {
          const {
            activity,
            buffered,
            epoch,
            managerId,
            prefetchHits = 0,
            prefetchMisses = 0,
            renews = false
          } = heartbeat
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
        }),
      ChangeActivity: ({ activity, epoch, managerId, suiteId }, { client }) =>
        speaking(client, { managerId, epoch }, () =>
          Effect.asVoid(
            ofSession(managerId, untilAnswered(manager(managerId).ChangeActivity({ epoch, activity, suiteId })))
          )
        ),
      LeaseTasks: (raw, { client }) =>
        claimed(client, Claims.lease(raw), ({ commandId, epoch, managerId, max, suiteId, wait }) =>
          suites
            .lease({ suiteId, commandId, actor: actorOf(managerId), managerId, epoch, max, wait })
            .pipe(Effect.catchTag("TooLarge", Effect.die))
        ),
      ReportTasks: (raw, { client }) =>
        Effect.flatMap(Clock.currentTimeMillis, (now) =>
          claimed(
            client,
            Claims.report(raw, now),
            ({ commandId, ended, epoch, managerId, returned, started, suiteId }) =>
              suites
                .report({ suiteId, commandId, actor: actorOf(managerId), managerId, epoch, started, ended, returned })
                .pipe(
                  Effect.catchTag("TooLarge", Effect.die),
                  Effect.tap(({ refused = 0 }) =>
                    refused === 0
                      ? Effect.void
                      : lies.note({
                          managerId,
                          kind: "not_held",
                          count: refused,
                          example: `${refused} results of suite ${suiteId} for attempts that it was never given`
                        })
                  )
                )
          )
        ),
      Released: ({ epoch, managerId, suiteId }, { client }) =>
        speaking(client, { managerId, epoch }, () =>
          Effect.asVoid(ofSession(managerId, untilAnswered(manager(managerId).Released({ epoch, suiteId }))))
        ),
      ReportWorkers: (raw, { client }) =>
        Effect.flatMap(Clock.currentTimeMillis, (now) =>
          claimed(client, Claims.workers(raw, now), ({ changes, managerId }) =>
            Effect.forEach(
              Map.groupBy(changes, (change) => change.slot),
              ([slot, ofSlot]) =>
                Effect.forEach(
                  ofSlot,
                  (change) => untilAnswered(worker(workerId(managerId, slot)).RecordChange(change)),
                  { discard: true }
                ),
              { concurrency: workerConcurrency, discard: true }
            )
          )
        ),
      AnswerLog: ({ chunk, epoch, managerId, requestId }, { client }) =>
        speaking(client, { managerId, epoch }, () =>
          EntityCall.inBackground(manager(managerId).AnswerLog({ requestId, chunk }))
        ),
      Leave: ({ epoch, managerId }, { client }) =>
        speaking(client, { managerId, epoch }, () =>
          Effect.asVoid(ofSession(managerId, untilAnswered(manager(managerId).Leave({ epoch }))))
        )
    })
  })
)
