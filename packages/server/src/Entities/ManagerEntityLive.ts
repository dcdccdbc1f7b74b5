/**
 * A manager's actor: the mailbox around its aggregate, the liveness of its session, and the way to its machine.
 *
 * Who is connected, when it was last heard and what it was asked live in memory only. Nothing of it is needed to decide:
 * a coordinator that takes over starts with "just heard" and finds out. Durations are measured by the boot clock.
 */
import { Deferred, Effect, Option, Queue, Stream } from "effect"
import type { Layer } from "effect"
import { CurrentAddress } from "effect/cluster/Entity"
import type { Sharding } from "effect/cluster/Sharding"
import { defaultPool } from "@muster/domain/Coordinator/Id"
import { CoordinatorEntity } from "@muster/domain/Entities/CoordinatorEntity"
import { ManagerEntity } from "@muster/domain/Entities/ManagerEntity"
import { SuiteEntity } from "@muster/domain/Entities/SuiteEntity"
import { Unavailable } from "@muster/domain/Errors"
import type { ManagerCommand } from "@muster/domain/Manager/Commands"
import { decider, owedReclaims } from "@muster/domain/Manager/Decider"
import type { Directive } from "@muster/domain/Manager/Directive"
import { ManagerOffline } from "@muster/domain/Manager/Errors"
import { schemaVersion } from "@muster/domain/Manager/Events"
import type { ManagerEvent } from "@muster/domain/Manager/Events"
import { ManagerId, stream } from "@muster/domain/Manager/Id"
import type { Epoch } from "@muster/domain/Manager/Id"
import * as Lies from "@muster/domain/Manager/Lies"
import type { ManagerError } from "@muster/domain/Manager/Refusals"
import type { State } from "@muster/domain/Manager/State"
import type { HeartbeatReply, LogChunk } from "@muster/domain/Rpc/ManagerRpcs"
import type { SuiteId } from "@muster/domain/Suite/Id"
import { leaseOf } from "@muster/domain/Suite/Spec"
import type { SuiteSpec } from "@muster/domain/Suite/Spec"
import * as Aggregate from "../Aggregate.ts"
import type { Versioned } from "../Aggregate.ts"
import * as BootClock from "../BootClock.ts"
import type { EventStore } from "../EventStore.ts"
import * as ManagerRows from "../Projections/ManagerRows.ts"
import { manager } from "../StreamStates.ts"
import { Heartbeats } from "../Heartbeats.ts"
import type { Listener } from "../Heartbeats.ts"
import { Tenure } from "../Tenure.ts"
import { Timings } from "../Timings.ts"
import * as Announcer from "./Announcer.ts"
import * as EntityCall from "./EntityCall.ts"
import * as Liveness from "./Liveness.ts"

/** Wait before something is tried again that failed. Milliseconds. */
const retryInterval = 1_000

/** How often the pool hears how a connected manager is although nothing has changed. Milliseconds. */
const announceInterval = 30_000

/** How long a machine may take to answer for a log. Milliseconds. */
const logPatience = 10_000

/** Events between two snapshots. */
const snapshotEvery = 100

/** The connection that carries the current session's directives. */
interface Connection {
  readonly epoch: Epoch
  readonly directives: Queue.Queue<Directive, ManagerError | Unavailable>
}

export const layer: Layer.Layer<never, never, Sharding | EventStore | Heartbeats | Tenure> = ManagerEntity.toLayer(
  Effect.gen(function* () {
    const address = yield* CurrentAddress
    const managerId = ManagerId.make(address.entityId)
    const coordinator = (yield* CoordinatorEntity.client)(defaultPool)
    const suiteOf = yield* SuiteEntity.client
    const timings = yield* Timings
    const heartbeats = yield* Heartbeats
    const tenure = yield* Tenure
    const loadedAt = BootClock.now()
    const holding = tenure.of(address.shardId)

    let connection: Connection | undefined
    let lastHeard = loadedAt
    // The suspicion that holds, and when it was first seen here.
    let suspicion: { readonly epoch: Epoch; readonly since: number; readonly seenAt: number } | undefined
    // The suite that was last asked what it is: that never changes.
    let described: { readonly suiteId: SuiteId; readonly spec: SuiteSpec } | undefined
    // The suite that the manager was last told to run on this connection.
    let toldToRun: SuiteId | undefined
    // Lies that no event tells of yet.
    let unrecorded: Lies.LieCounts = {}
    const questions = new Map<string, Deferred.Deferred<LogChunk>>()

    const aggregate: Aggregate.Aggregate<State, ManagerCommand, ManagerEvent, ManagerError> = yield* Aggregate.make({
      stream: stream(managerId),
      decider,
      schemaVersion,
      decode: manager.decode,
      rows: ManagerRows.rows,
      snapshot: { ...manager.snapshot, every: () => snapshotEvery },
      committed: (state, events) => Effect.suspend(() => committed(state, events))
    })

    const tell = (directive: Directive) =>
      connection === undefined ? Effect.void : Effect.asVoid(Queue.offer(connection.directives, directive))

    const release = (suiteId: SuiteId) => {
      toldToRun = undefined
      return tell({ _tag: "Release", suiteId })
    }

    /** Tells the pool how the manager is. */
    const announcer = yield* Announcer.make(
      Effect.gen(function* () {
        const state = yield* aggregate.look((current) => current)
        switch (state._tag) {
          case "Unknown":
            return undefined
          case "Offline":
            yield* EntityCall.untilAnswered(coordinator.ManagerGone({ managerId, epoch: state.epoch }))
            return undefined
          case "Online":
          case "Suspected": {
            const { session, spec } = state
            yield* EntityCall.untilAnswered(
              coordinator.AnnounceManager({
                managerId,
                epoch: session.epoch,
                tags: spec.tags,
                workers: spec.workers,
                ready: state._tag === "Online" && session.ready,
                draining: state.draining || session.shutdown !== null,
                assignedSuite: session.assignment?.suiteId ?? null,
                ...(session.assignment?.releasing === true ? { releasing: true } : {})
              })
            )
            return announceInterval
          }
        }
      }).pipe(
        Effect.catch((error) =>
          Effect.logDebug("announcement of a manager failed", error).pipe(Effect.as(retryInterval))
        )
      )
    )

    // Sessions whose leases have been taken back since this actor was loaded, and when others were first seen to be over.
    const reclaimed = new Set<Epoch>()
    const seenOver = new Map<Epoch, number>()

    /**
     * Takes back what sessions held that are over. A process that replaced another one first hands in what that one had
     * done, so its leases are taken when it is ready; and where what they held may still run, when it cannot any more.
     */
    const reclaimer = yield* Announcer.make(
      Effect.gen(function* () {
        const state = yield* aggregate.look((current) => current)
        if (state._tag === "Unknown") return undefined
        if (state._tag !== "Offline" && !state.session.ready) return undefined
        const waits = new Map<SuiteId, number>()
        for (const { epoch, lease, suiteId } of owedReclaims(state)) {
          if (suiteId === null || reclaimed.has(epoch)) continue
          if (lease !== undefined) {
            const now = BootClock.now()
            const seenAt = seenOver.get(epoch) ?? now
            seenOver.set(epoch, seenAt)
            // Its last renewal was before its end was stored.
            const wait = Liveness.untilOver(lease, { heard: seenAt, knownAt: seenAt, provenAt: provenAt() }, now)
            if (wait > 0) waits.set(suiteId, Math.max(wait, waits.get(suiteId) ?? 0))
          }
          // With a session goes what those before it held.
          if (waits.has(suiteId)) continue
          yield* EntityCall.untilAnswered(suiteOf(suiteId).Reclaim({ managerId, epoch }))
          reclaimed.add(epoch)
        }
        return waits.size === 0 ? undefined : Math.min(...waits.values())
      }).pipe(
        Effect.catch((error) => Effect.logDebug("taking leases back failed", error).pipe(Effect.as(retryInterval)))
      )
    )

    let listener: Listener | undefined

    /** Heartbeats of a session that is open and connected here need no message; any other has to be looked at. */
    const listen = (state: State) => {
      const epoch = state._tag === "Online" && connection?.epoch === state.session.epoch ? connection.epoch : undefined
      if (listener?.epoch === epoch) return
      if (listener !== undefined) heartbeats.forget(listener)
      listener = epoch === undefined ? undefined : { managerId, epoch, heard }
      if (listener !== undefined) heartbeats.listen(listener)
    }

    const listenNoMore = Effect.sync(() => {
      if (listener !== undefined) heartbeats.forget(listener)
      listener = undefined
    })

    const committed = (state: State, events: ReadonlyArray<Versioned<ManagerEvent>>) =>
      Effect.gen(function* () {
        listen(state)
        for (const { event } of events) {
          if (event._tag === "ManagerReleased") {
            const { epoch, suiteId } = event
            // The word to run it again may have crossed the word that it is gone.
            if (toldToRun === suiteId) yield* release(suiteId)
            yield* Effect.forkDetach(
              EntityCall.inBackground(coordinator.AssignmentReleased({ managerId, epoch, suiteId }))
            )
          }
        }
        yield* announcer.poke
        yield* reclaimer.poke
        yield* watcher.poke
      })

    const ask = <A>(
      make: (now: number) => ManagerCommand,
      answer: (state: State) => A,
      asked: { readonly actor: string; readonly commandId?: string } = { actor: `manager:${managerId}` }
    ) =>
      aggregate
        .ask({ ...asked, command: make, answer: (_events, state) => answer(state) })
        // Where the store refuses, somebody else may have the manager by now.
        .pipe(Effect.onError(() => listenNoMore))

    const nothing = () => undefined
    const byCoordinator = { actor: "coordinator" }

    /** When it was last certain that nobody else speaks for the manager since this actor does. */
    const provenAt = (): number | undefined => {
      const current = tenure.of(address.shardId)
      return current !== undefined && current.number === holding?.number ? current.provenAt : undefined
    }

    /** The answer to a heartbeat, which says how long ago it was certain that nobody else gives one. */
    const heard = (): HeartbeatReply => {
      lastHeard = BootClock.now()
      const certain = provenAt()
      return certain === undefined ? {} : { age: lastHeard - certain }
    }

    /** Whatever a session says is a sign of life. */
    const heardNow = Effect.sync(() => void heard())

    const describe = (suiteId: SuiteId) =>
      Effect.suspend(() =>
        described?.suiteId === suiteId
          ? Effect.succeed(described.spec)
          : Effect.tap(EntityCall.untilAnswered(suiteOf(suiteId).Describe()), (spec) =>
              Effect.sync(() => {
                described = { suiteId, spec }
              })
            )
      )

    /** What a suite asks for of whoever runs it. */
    const leaseFor = (suiteId: SuiteId) =>
      Effect.mapBoth(describe(suiteId), {
        onSuccess: leaseOf,
        onFailure: (error) => new Unavailable({ reason: error.message })
      })

    const assignment = aggregate.look((state) => ("session" in state ? state.session.assignment : null))

    /** Tells the manager what to run, until it has been told. What the suite is may take a while to find out. */
    const assigner = yield* Announcer.make(
      Effect.gen(function* () {
        const wanted = yield* assignment
        if (wanted === null || wanted.releasing || connection === undefined || toldToRun === wanted.suiteId) {
          return undefined
        }
        const { suiteId } = wanted
        const asked = connection
        const spec = yield* describe(suiteId)
        const current = yield* assignment
        if (current?.suiteId !== suiteId || current.releasing || connection !== asked) return 0
        toldToRun = suiteId
        yield* tell({ _tag: "Assigned", suiteId, spec })
        return undefined
      }).pipe(
        Effect.catchTag("SuiteNotFound", (error) => Effect.as(Effect.logWarning(error.message), undefined)),
        Effect.catch((error) => Effect.logDebug("an assignment was not told", error).pipe(Effect.as(retryInterval)))
      )
    )

    /** Says all that holds now: what a manager needs that has just connected. */
    const greet = Effect.fnUntraced(function* (epoch: Epoch) {
      yield* tell({ _tag: "Welcome", epoch, heartbeatInterval: timings.heartbeatInterval })
      const state = yield* aggregate.look((current) => current)
      if (state._tag !== "Online" && state._tag !== "Suspected") return
      const { session } = state
      // What it heard before may have changed while it was not connected.
      yield* tell({ _tag: "Drain", draining: state.draining })
      if (session.assignment?.releasing === true) yield* release(session.assignment.suiteId)
      else yield* assigner.poke
      if (session.shutdown !== null) yield* tell({ _tag: "Shutdown", mode: session.shutdown })
    })

    const disconnected = (mine: Connection) =>
      Effect.suspend(() => {
        if (connection !== mine) return Effect.void
        connection = undefined
        return ask(
          (now) => ({ _tag: "Disconnect", managerId, epoch: mine.epoch, reason: "disconnected", now }),
          nothing,
          byCoordinator
        ).pipe(Effect.ignore, Effect.andThen(listenNoMore), Effect.andThen(watcher.poke))
      })

    /** Does what time asks for, and sleeps until it may ask for something again. */
    const watcher = yield* Announcer.make(
      Effect.gen(function* () {
        const state = yield* aggregate.look((current) => current)
        if (state._tag !== "Online" && state._tag !== "Suspected") return undefined
        const { epoch } = state.session
        const now = BootClock.now()
        const since = state._tag === "Suspected" ? state.since : undefined
        if (since === undefined) suspicion = undefined
        else if (suspicion?.epoch !== epoch || suspicion.since !== since) suspicion = { epoch, since, seenAt: now }
        const verdict = Liveness.judge(
          state,
          {
            connected: connection !== undefined,
            lastHeard,
            loadedAt,
            suspectedAt: suspicion?.seenAt ?? now,
            provenAt: provenAt()
          },
          timings,
          now
        )
        if (verdict._tag === "Wait") return verdict.milliseconds
        const { reason } = verdict
        if (verdict._tag === "Suspect") {
          yield* ask((at) => ({ _tag: "Disconnect", managerId, epoch, reason, now: at }), nothing, byCoordinator)
        } else if (since !== undefined) {
          yield* Effect.logInfo(`manager ${managerId} is lost (${reason})`)
          yield* ask((at) => ({ _tag: "Lose", managerId, epoch, reason, since, now: at }), nothing, byCoordinator)
        }
        // What was decided wakes this one, if it changed anything.
        return undefined
      }).pipe(
        Effect.catch((error) => Effect.logDebug("check of a manager failed", error).pipe(Effect.as(retryInterval)))
      )
    )

    yield* Effect.addFinalizer(() => listenNoMore)
    yield* watcher.poke
    yield* reclaimer.poke

    return ManagerEntity.of({
      Connect: ({ payload: { gone = [], instance, spec } }) =>
        Stream.unwrap(
          Effect.gen(function* () {
            const epoch = yield* ask(
              (now) => ({ _tag: "Connect", managerId, instance, spec, gone, now }),
              (state) => ("session" in state ? state.session.epoch : undefined)
            )
            if (epoch === undefined) return Stream.fail(new Unavailable({ reason: "the session did not open" }))
            yield* heardNow
            const directives = yield* Queue.unbounded<Directive, ManagerError | Unavailable>()
            const mine: Connection = { epoch, directives }
            // The newest connection is the manager's; one before it is a leftover of a broken network.
            if (connection !== undefined) {
              yield* Queue.fail(
                connection.directives,
                new Unavailable({ reason: "the session moved to another connection" })
              )
            }
            connection = mine
            toldToRun = undefined
            // The end of the connection before may have been noticed only now.
            listen(
              yield* ask(
                (now) => ({ _tag: "Resume", managerId, epoch, now }),
                (state) => state
              )
            )
            yield* Effect.forkScoped(greet(epoch).pipe(Effect.catch((error) => Queue.fail(directives, error))))
            return Stream.fromQueue(directives).pipe(Stream.ensuring(disconnected(mine)))
          })
        ),
      Ready: ({ payload: { epoch } }) =>
        Effect.andThen(
          heardNow,
          ask((now) => ({ _tag: "Ready", managerId, epoch, now }), nothing)
        ),
      Heartbeat: ({ payload: { epoch, renews = false } }) =>
        Effect.gen(function* () {
          const answer = () => {
            const reply = heard()
            return renews ? reply : undefined
          }
          const state = yield* aggregate.look((current) => current)
          if (state._tag === "Online" && state.session.epoch === epoch && connection?.epoch === epoch) {
            listen(state)
            return answer()
          }
          // Not the session that is open and connected here: let the rules say what it is.
          const resumed = yield* ask(
            (now) => ({ _tag: "Resume", managerId, epoch, now }),
            (current) => current
          )
          if (connection?.epoch !== epoch) return yield* new ManagerOffline({ managerId })
          listen(resumed)
          return answer()
        }),
      ChangeActivity: ({ payload: { activity, epoch, suiteId } }) =>
        Effect.andThen(
          heardNow,
          ask((now) => ({ _tag: "ChangeActivity", managerId, epoch, activity, suiteId, now }), nothing)
        ),
      Released: ({ payload: { epoch, suiteId } }) =>
        Effect.andThen(
          heardNow,
          ask((now) => ({ _tag: "Released", managerId, epoch, suiteId, now }), nothing)
        ),
      Leave: ({ payload: { epoch } }) => ask((now) => ({ _tag: "Leave", managerId, epoch, now }), nothing),
      AnswerLog: ({ payload: { chunk, requestId } }) => {
        const question = questions.get(requestId)
        return question === undefined ? Effect.void : Effect.asVoid(Deferred.succeed(question, chunk))
      },
      Assign: ({ payload: { epoch, suiteId } }) =>
        Effect.gen(function* () {
          const before = yield* assignment
          // How long the manager may be alone with it has to be known before it has it.
          const lease = before?.suiteId === suiteId ? before.lease : yield* leaseFor(suiteId)
          const after = yield* ask(
            (now) => ({ _tag: "Assign", managerId, epoch, suiteId, lease, now }),
            (state) => ("session" in state ? state.session.assignment : null),
            byCoordinator
          )
          if (after === null) return
          yield* after.releasing ? release(after.suiteId) : assigner.poke
        }),
      Unassign: ({ payload: { epoch, suiteId } }) =>
        ask(
          (now) => ({ _tag: "Unassign", managerId, epoch, suiteId, now }),
          (state) => ("session" in state ? state.session.assignment : null),
          byCoordinator
        ).pipe(
          Effect.flatMap((current) =>
            current?.suiteId === suiteId
              ? release(suiteId)
              : // It has been given back already, and the pool has not heard.
                EntityCall.inBackground(coordinator.AssignmentReleased({ managerId, epoch, suiteId })).pipe(
                  Effect.forkDetach,
                  Effect.asVoid
                )
          )
        ),
      CancelTasks: ({ payload: { suiteId, tasks } }) => tell({ _tag: "CancelTasks", suiteId, tasks }),
      Drain: ({ payload: { actor, commandId, draining } }) =>
        Effect.andThen(
          ask((now) => ({ _tag: "RequestDrain", managerId, draining, actor, now }), nothing, { actor, commandId }),
          tell({ _tag: "Drain", draining })
        ),
      Shutdown: ({ payload: { actor, commandId, mode } }) =>
        Effect.andThen(
          ask((now) => ({ _tag: "RequestShutdown", managerId, mode, actor, now }), nothing, { actor, commandId }),
          tell({ _tag: "Shutdown", mode })
        ),
      ReadLog: ({ payload }) =>
        Effect.gen(function* () {
          if (connection === undefined) return yield* new ManagerOffline({ managerId })
          const requestId = crypto.randomUUID()
          const answer = yield* Deferred.make<LogChunk>()
          questions.set(requestId, answer)
          yield* tell({ _tag: "ReadLog", requestId, ...payload })
          const chunk = yield* Deferred.await(answer).pipe(
            Effect.timeoutOption(logPatience),
            Effect.ensuring(Effect.sync(() => questions.delete(requestId)))
          )
          if (Option.isNone(chunk)) {
            return yield* new Unavailable({ reason: `manager ${managerId} did not answer within ${logPatience} ms` })
          }
          return chunk.value
        }),
      RecordLies: ({ payload: { example, kinds } }) =>
        Effect.gen(function* () {
          unrecorded = Lies.add(unrecorded, kinds)
          const said = unrecorded
          const isRecorded = yield* aggregate.ask({
            ...byCoordinator,
            command: (now) => ({ _tag: "RecordLies", managerId, kinds: said, example, now }),
            answer: (events) => events.length > 0
          })
          // What was heard meanwhile counts from here.
          if (isRecorded) unrecorded = Lies.subtract(unrecorded, said)
        }),
      Wake: () => Effect.andThen(aggregate.look(nothing), announcer.poke)
    })
  }),
  { concurrency: "unbounded", maxIdleTime: "5 minutes", mailboxCapacity: "unbounded" }
)
