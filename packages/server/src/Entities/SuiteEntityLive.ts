/**
 * A suite's actor: the mailbox around its aggregate. Each handler is three moves: build the command, have it decided and
 * committed together with whatever else waits, shape the answer.
 */
import { Effect, Random } from "effect"
import type { Layer } from "effect"
import { CurrentAddress } from "effect/cluster/Entity"
import type { Sharding } from "effect/cluster/Sharding"
import { defaultPool } from "@muster/domain/Coordinator/Id"
import { CoordinatorEntity } from "@muster/domain/Entities/CoordinatorEntity"
import { ManagerEntity } from "@muster/domain/Entities/ManagerEntity"
import { SuiteEntity } from "@muster/domain/Entities/SuiteEntity"
import type { SuiteCommand } from "@muster/domain/Suite/Commands"
import { decider, inventions, withSuiteId } from "@muster/domain/Suite/Decider"
import { SuiteNotFound } from "@muster/domain/Suite/Errors"
import type { SuiteError } from "@muster/domain/Suite/Errors"
import { schemaVersion } from "@muster/domain/Suite/Events"
import type { SuiteEvent } from "@muster/domain/Suite/Events"
import { SuiteId, stream } from "@muster/domain/Suite/Id"
import * as State from "@muster/domain/Suite/State"
import type { SuiteState } from "@muster/domain/Suite/State"
import { Flag, Phase } from "@muster/domain/Suite/TaskTable"
import { suiteView } from "@muster/domain/Suite/View"
import * as Aggregate from "../Aggregate.ts"
import type { Versioned } from "../Aggregate.ts"
import type { EventStore } from "../EventStore.ts"
import { CoordinatorMetrics } from "../Metrics.ts"
import * as SuiteRows from "../Projections/SuiteRows.ts"
import { ResidentSuites } from "../ResidentSuites.ts"
import type { Resident } from "../ResidentSuites.ts"
import { suite } from "../StreamStates.ts"
import * as Announcer from "./Announcer.ts"
import * as EntityCall from "./EntityCall.ts"
import * as SuiteNews from "./SuiteNews.ts"
import * as TaskSpecs from "./TaskSpecs.ts"
import * as TaskWaits from "./TaskWaits.ts"

/**
 * Tasks that the events after a suite's snapshot may speak of, so many at least, or this part of the suite's: reading a
 * hundred thousand again takes a tenth of a second, and a snapshot of a million tasks is 12 MB before it is compressed.
 */
const snapshotEvery = { least: 20_000, part: 1 / 4 }

/** An event that speaks of one task costs as much as so many tasks within a large one. */
const eventCost = 20

/** How often managers are told again to end tasks that shall end and have not. Milliseconds. */
const cancelAgainAfter = 2_000

/** The most that one lease gives: to find and send more would keep others waiting. */
const maxLease = 1_000

/** Before the pool is told of what needs no planning: the answers of this commit go first. Milliseconds. */
const calmPause = 2

/** The longest that a lease waits for its first task. Milliseconds. */
const maxWait = 60_000

/** Before an actor is put to rest: longer than a lease waits, since what waits directly at it the cluster does not see. */
const maxIdleTime = "2 minutes"

type Needs = Sharding | EventStore | CoordinatorMetrics | ResidentSuites

export const layer: Layer.Layer<never, never, Needs> = SuiteEntity.toLayer(
  Effect.gen(function* () {
    const address = yield* CurrentAddress
    const suiteId = SuiteId.make(address.entityId)
    const coordinator = (yield* CoordinatorEntity.client)(defaultPool)
    const managerOf = yield* ManagerEntity.client
    const metrics = yield* CoordinatorMetrics
    const residents = yield* ResidentSuites
    const waits = TaskWaits.make(metrics.queued)
    const specs = yield* TaskSpecs.make(stream(suiteId), suite.decode)

    const aggregate: Aggregate.Aggregate<SuiteState, SuiteCommand, SuiteEvent, SuiteError> = yield* Aggregate.make({
      stream: stream(suiteId),
      decider,
      schemaVersion,
      decode: suite.decode,
      rows: SuiteRows.rows,
      snapshot: {
        cost: (event) => eventCost + tasksIn(event),
        every: (state) =>
          state._tag === "Missing" ? Infinity : Math.max(snapshotEvery.least, state.tasks.size * snapshotEvery.part),
        ...suite.snapshot
      },
      committed: (state, events) => Effect.suspend(() => committed(state, events)),
      wakeAt: (state) => (state._tag === "Missing" ? undefined : State.nextRetryAt(state))
    })

    // What the pool was last told, so that only what matters is said.
    let told = SuiteNews.untold
    let toldAt = 0

    const work = (state: SuiteState, now: number) => {
      if (state._tag === "Missing") return undefined
      const counts = State.taskCounts(state)
      const isHalted = state.paused || state.state === "cancelled"
      return {
        suiteId,
        tags: state.spec.tags ?? [],
        priority: state.spec.priority ?? 0,
        createdAt: state.createdAt,
        ...(state.spec.workers === undefined ? {} : { workers: state.spec.workers }),
        queued: isHalted ? 0 : counts.queued - State.delayedUntilAfter(state, now),
        pending: counts.pending,
        nextRetryAt: isHalted ? undefined : State.nextRetryAt(state)
      }
    }

    // What was submitted is leased already.
    let isCalm = false

    const announcer = yield* Announcer.make(
      Effect.gen(function* () {
        if (isCalm) yield* Effect.sleep(calmPause)
        const now = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
        const current = yield* aggregate.look((state) => work(state, now))
        if (current === undefined) return undefined
        const { nextRetryAt, ...announcement } = current
        if (SuiteNews.isNews(told, announcement, now - toldAt)) {
          yield* EntityCall.untilAnswered(coordinator.AnnounceSuite(announcement))
          told = { queued: announcement.queued, pending: announcement.pending }
          toldAt = now
        }
        return SuiteNews.countAgainIn(nextRetryAt, now, told, announcement)
      }).pipe(Effect.catch((error) => Effect.logDebug("announcement of a suite failed", error).pipe(Effect.as(1_000))))
    )

    /** Tells managers which of their tasks shall end, until they have. */
    const canceller = yield* Announcer.make(
      Effect.gen(function* () {
        const unwanted = yield* aggregate.look(unwantedTasks)
        for (const [managerId, tasks] of unwanted) {
          yield* EntityCall.inBackground(managerOf(managerId).CancelTasks({ suiteId, tasks }))
        }
        return unwanted.size === 0 ? undefined : cancelAgainAfter
      }).pipe(Effect.catch(() => Effect.succeed(cancelAgainAfter)))
    )

    const committed = (state: SuiteState, events: ReadonlyArray<Versioned<SuiteEvent>>) =>
      Effect.gen(function* () {
        isCalm = state._tag === "Existing" && State.taskCounts(state).queued === 0
        metrics.suiteCommitted(events.map(({ event }) => event))
        for (const { event, version } of events) {
          waits.note(event)
          if (event._tag === "TasksSubmitted") specs.submitted(version, event.tasks)
          if (event._tag === "TaskCancellationRequested") yield* canceller.poke
        }
        yield* announcer.poke
      })

    /** Asks the aggregate; errors of a suite that does not exist get its id. */
    const ask = <A>(asked: Aggregate.Asked<SuiteState, SuiteCommand, SuiteEvent, A>) =>
      aggregate
        .ask(asked)
        .pipe(Effect.mapError((error) => (error._tag === "Unavailable" ? error : withSuiteId(error, suiteId))))

    const viewOf = (state: SuiteState) =>
      // A command that succeeded left an existing suite.
      suiteView(state as State.Existing)

    type Asked = { readonly commandId: string; readonly actor: string }

    const command = (asked: Asked, make: (now: number) => SuiteCommand) =>
      ask({ ...asked, command: make, answer: (_events, state) => viewOf(state) })

    const affecting = (asked: Asked, make: (now: number) => SuiteCommand, tags: ReadonlyArray<SuiteEvent["_tag"]>) =>
      ask({
        ...asked,
        command: make,
        answer: (events, state) => ({ suite: viewOf(state), tasks: countTasks(events, tags) })
      })

    /** What is asked so often that it comes directly where it can (see `ResidentSuites`). */
    const resident: Resident = {
      submit: (payload) =>
        ask({
          ...payload,
          command: (now) => ({ _tag: "SubmitTasks", tasks: payload.tasks, now }),
          weight: payload.tasks.length,
          answer: (events) => ({ firstIndex: firstIndexOf(events), count: payload.tasks.length })
        }),
      lease: (payload) =>
        Effect.gen(function* () {
          const { epoch, managerId } = payload
          let grantedAt = performance.now()
          const leased = yield* ask({
            ...payload,
            command: (now) => ({
              _tag: "LeaseTasks",
              manager: managerId,
              epoch,
              max: Math.min(payload.max, maxLease),
              now
            }),
            answer: (events, state) => {
              grantedAt = performance.now()
              return leasedTasks(events, state)
            },
            wait: {
              limit: Math.min(payload.wait, maxWait),
              while: (state) => state._tag === "Existing" && state.state !== "cancelled"
            }
          })
          const found = yield* specs.read(leased.tasks)
          if (leased.tasks.length > 0) metrics.lease.observe((performance.now() - grantedAt) / 1_000)
          const leases = leased.tasks.flatMap(({ attempt, index }, k) => {
            const spec = found[k]
            return spec === undefined ? [] : [{ index, attempt, spec }]
          })
          const fitting = TaskSpecs.fitting(found)
          if (fitting < leases.length) {
            // What would not fit into one message goes back at once, under an id of its own: when the lease is answered
            // again, the same tasks may have been leased again since.
            const returned = leases.slice(fitting).map(({ attempt, index }) => [index, attempt] as const)
            yield* ask({
              command: (now) => ({
                _tag: "ReportTasks",
                manager: managerId,
                epoch,
                started: [],
                ended: [],
                returned,
                random: 0,
                now
              }),
              actor: payload.actor,
              commandId: `${payload.commandId}:surplus`,
              answer: () => undefined
            })
          }
          return { leases: leases.slice(0, fitting), ended: leased.ended }
        }),
      report: (payload) =>
        Effect.gen(function* () {
          const random = yield* Random.next
          const { ended, epoch, managerId: manager, returned, started } = payload
          return yield* ask({
            ...payload,
            command: (now) => ({ _tag: "ReportTasks", manager, epoch, started, ended, returned, random, now }),
            weight: ended.length,
            answer: (events, state) => {
              const accepted = countAttempts(events, "AttemptsEnded")
              const late = countAttempts(events, "LateResultsRecorded")
              const rest = ended.length - accepted - late
              // Hardly ever anything, so nobody looks through all results for it.
              const refused = rest === 0 ? 0 : inventions(state, ended, lateResults(events))
              return { accepted, late, repeated: rest - refused, ...(refused === 0 ? {} : { refused }) }
            }
          })
        })
    }
    yield* Effect.acquireRelease(
      Effect.sync(() => residents.add(suiteId, resident)),
      () => Effect.sync(() => residents.remove(suiteId, resident))
    )

    return SuiteEntity.of({
      Create: ({ payload }) =>
        command(payload, (now) => ({ _tag: "CreateSuite", id: suiteId, spec: payload.spec, now })),
      Submit: ({ payload }) => resident.submit(payload),
      Close: ({ payload }) => command(payload, (now) => ({ _tag: "CloseSuite", now })),
      Pause: ({ payload }) => command(payload, (now) => ({ _tag: "PauseSuite", now })),
      Resume: ({ payload }) => command(payload, (now) => ({ _tag: "ResumeSuite", now })),
      Cancel: ({ payload }) =>
        affecting(payload, (now) => ({ _tag: "CancelSuite", mode: payload.mode, reason: payload.reason, now }), [
          "TasksCancelled",
          "TaskCancellationRequested"
        ]),
      Retry: ({ payload }) =>
        affecting(payload, (now) => ({ _tag: "RetryTasks", tasks: payload.tasks, now }), ["TasksRequeued"]),
      CancelTasks: ({ payload }) =>
        affecting(payload, (now) => ({ _tag: "CancelTasks", indexes: payload.tasks, reason: payload.reason, now }), [
          "TasksCancelled",
          "TaskCancellationRequested"
        ]),
      Lease: ({ payload }) => resident.lease(payload),
      Report: ({ payload }) => resident.report(payload),
      Reclaim: ({ payload: { epoch, managerId: manager } }) =>
        ask({
          command: (now) => ({ _tag: "ReclaimLeases", manager, epoch, now }),
          actor: "coordinator",
          answer: () => undefined
        }),
      Describe: () =>
        aggregate
          .look((state) => (state._tag === "Missing" ? undefined : state.spec))
          .pipe(
            Effect.flatMap((spec) =>
              spec === undefined ? Effect.fail(new SuiteNotFound({ suiteId })) : Effect.succeed(spec)
            )
          ),
      Wake: () =>
        ask({ command: (now) => ({ _tag: "Sweep", now }), actor: "coordinator", answer: () => undefined }).pipe(
          Effect.tap(() => {
            told = SuiteNews.untold
            return Effect.andThen(announcer.poke, canceller.poke)
          })
        )
    })
  }),
  { concurrency: "unbounded", maxIdleTime, mailboxCapacity: "unbounded" }
)

/** How many tasks an event names one by one: ranges cost next to nothing. */
const tasksIn = (event: SuiteEvent): number =>
  "tasks" in event ? event.tasks.length : "attempts" in event ? event.attempts.length : 0

const firstIndexOf = (events: ReadonlyArray<Versioned<SuiteEvent>>): number => {
  for (const { event } of events) if (event._tag === "TasksSubmitted") return event.firstIndex
  return 0
}

const countTasks = (events: ReadonlyArray<Versioned<SuiteEvent>>, tags: ReadonlyArray<SuiteEvent["_tag"]>): number => {
  let count = 0
  for (const { event } of events) {
    if (!tags.includes(event._tag) || !("ranges" in event)) continue
    for (const [first, last] of event.ranges) count += last - first + 1
  }
  return count
}

const countAttempts = (
  events: ReadonlyArray<Versioned<SuiteEvent>>,
  tag: "AttemptsEnded" | "LateResultsRecorded"
): number => events.reduce((count, { event }) => (event._tag === tag ? count + event.attempts.length : count), 0)

const lateResults = (events: ReadonlyArray<Versioned<SuiteEvent>>) =>
  events.flatMap(({ event }) => (event._tag === "LateResultsRecorded" ? event.attempts : []))

/** What a lease gave: which tasks, and where their specs stand. */
const leasedTasks = (events: ReadonlyArray<Versioned<SuiteEvent>>, state: SuiteState) => {
  const tasks: Array<{ readonly index: number; readonly attempt: number } & TaskSpecs.Place> = []
  if (state._tag === "Missing") return { tasks, ended: true }
  for (const { event } of events) {
    if (event._tag !== "TasksLeased") continue
    for (const [first, last, attempt] of event.leases) {
      for (let index = first; index <= last; index++) tasks.push({ index, attempt, ...State.specPlace(state, index) })
    }
  }
  return { tasks, ended: state.state === "cancelled" }
}

/** Held tasks that shall end, by the manager that has them: index and number of the attempt. */
const unwantedTasks = (state: SuiteState) => {
  const unwanted = new Map<string, Array<readonly [index: number, attempt: number]>>()
  if (state._tag === "Missing") return unwanted
  for (const phase of [Phase.assigned, Phase.running]) {
    for (const index of State.indexesIn(state, phase)) {
      if (!state.tasks.hasFlag(index, Flag.cancelRequested)) continue
      const holder = state.holders.at(state.tasks.holder[index] ?? -1)
      if (holder === undefined) continue
      const tasks = unwanted.get(holder.manager) ?? []
      tasks.push([index, state.tasks.attemptsOf(index) + 1])
      unwanted.set(holder.manager, tasks)
    }
  }
  return unwanted
}
