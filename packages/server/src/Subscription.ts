/**
 * Projections that follow the log: read models that may be a moment behind. What a batch of events changes and how far
 * the subscription has come are one transaction, so each event counts exactly once whatever dies in between.
 *
 * Every coordinator runs all of them. The one that advanced a checkpoint last goes on; another that finds it moved stands
 * by and looks once per poll whether it stands still with events waiting: then it takes over.
 */
import { Cause, Data, Duration, Effect, Option, Queue, Stream } from "effect"
import type { Scope } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { Recorded } from "@muster/domain/Recorded"
import * as Checkpoints from "./Checkpoints.ts"
import * as EventStore from "./EventStore.ts"
import * as SqlFailure from "./SqlFailure.ts"

/** What makes rows of events. It calls no service and decides nothing; the same events give the same rows. */
export interface Projection {
  /** Names its checkpoint. Never changed. */
  readonly name: string
  /** A higher one empties the tables and reads all events again. A lower one that still runs elsewhere stops. */
  readonly version: number
  /** Its tables, written by nobody else. */
  readonly tables: ReadonlyArray<string>
  readonly eventTypes: ReadonlyArray<string>
  /** Changes for events in the order of the log; they are run one after the other. */
  readonly handle: (events: ReadonlyArray<Recorded>) => ReadonlyArray<EventStore.Write>
}

export interface Settings {
  /** Events of any type that are looked at for one transaction. */
  readonly batch: number
  /** How soon to look again without having been told of a commit: what other processes commit is seen after this time. */
  readonly pollInterval: Duration.Duration
  /** While nothing is found the interval doubles up to this: the longest that what other processes commit stays unseen. */
  readonly maxPollInterval: Duration.Duration
  /** Pause after catching up, so that many small commits become one batch. */
  readonly pause: Duration.Duration
  /** Events without interest after which the checkpoint is moved all the same, so that a restart need not pass them. */
  readonly saveEvery: number
  /** First pause after a failure; it doubles up to `maxRetry`. */
  readonly retry: Duration.Duration
  readonly maxRetry: Duration.Duration
}

export const defaults: Settings = {
  batch: 100,
  pollInterval: Duration.seconds(1),
  maxPollInterval: Duration.seconds(8),
  pause: Duration.millis(50),
  saveEvery: 1_000,
  retry: Duration.seconds(1),
  maxRetry: Duration.seconds(30)
}

/**
 * What one look at the log led to.
 *
 * - `advanced`: events were looked at; there may be more.
 * - `idle`: nothing new. Nothing was written.
 * - `standby`: another runner advances the checkpoint.
 * - `superseded`: a newer version of the projection runs. This one must not go on.
 */
export type Progress = "advanced" | "idle" | "standby" | "superseded"

export interface Runner {
  readonly projection: Projection
  /** Handles at most one batch. */
  readonly runOnce: Effect.Effect<Progress, EventStore.EventStoreError>
  /** Follows the log until interrupted or superseded. Failures are logged and tried again. */
  readonly run: Effect.Effect<void>
  readonly lag: Effect.Effect<Checkpoints.Lag, EventStore.EventStoreError>
}

/** The checkpoint is not where this runner left it. Rolls the transaction back. */
class CheckpointMoved extends Data.TaggedError("CheckpointMoved")<{}> {}

/** Where a runner stands. */
interface Place {
  /** The checkpoint as the database has it, to this runner's knowledge. */
  readonly stored: EventStore.Cursor
  /** How far the log was looked at: at or after `stored`. */
  readonly seen: EventStore.Cursor
  /** Events between the two, none of which was of interest. */
  readonly unsaved: number
  readonly isStandby: boolean
}

const at = (cursor: EventStore.Cursor, isStandby: boolean): Place => ({
  stored: cursor,
  seen: cursor,
  unsaved: 0,
  isStandby
})

const isSame = (a: EventStore.Cursor, b: EventStore.Cursor) =>
  a.transactionId === b.transactionId && a.position === b.position

export const make = Effect.fnUntraced(function* (
  projection: Projection,
  settings: Settings = defaults
): Effect.fn.Return<Runner, never, SqlClient | EventStore.EventStore> {
  const sql = yield* SqlClient
  const store = yield* EventStore.EventStore
  const { name, version } = projection
  const toStoreError = SqlFailure.toStoreError(`projection ${name}`)

  /** Undefined: not known, because nothing was read yet or an answer was lost. */
  let place: Place | undefined
  /** How far the log was looked at when `place` was last known. */
  let seen = EventStore.start

  const stand = (next: Place) => {
    place = next
    seen = next.seen
  }

  const emptyTables = Effect.forEach(projection.tables, (table) => sql`truncate ${sql(table)}`, { discard: true })

  /** Finds the checkpoint, or makes it. Undefined: a newer version has it. */
  const findCheckpoint: Effect.Effect<EventStore.Cursor | undefined, EventStore.EventStoreError> = Effect.gen(
    function* () {
      const found = yield* Checkpoints.load(sql, name)
      if (found !== undefined && found.version > version) return undefined
      if (found?.version === version) return found.cursor
      const isFirst = yield* sql.withTransaction(
        Effect.gen(function* () {
          const begun = yield* Checkpoints.begin(sql, name, version)
          if (begun) yield* emptyTables
          return begun
        })
      )
      if (!isFirst) return yield* findCheckpoint
      yield* Effect.logInfo(`projection ${name}: reading all events for version ${version}`)
      return EventStore.start
    }
  ).pipe(Effect.catchTag("SqlError", (error) => Effect.fail(toStoreError(error))))

  const advance = (from: EventStore.Cursor, to: EventStore.Cursor) =>
    Effect.flatMap(Checkpoints.advance(sql, { name, version, from, to }), (moved) =>
      moved ? Effect.void : new CheckpointMoved()
    )

  /** The checkpoint first: its row's lock makes a second runner wait, and then find it moved. */
  const commit = (from: EventStore.Cursor, to: EventStore.Cursor, writes: ReadonlyArray<EventStore.Write>) =>
    writes.length === 0
      ? advance(from, to)
      : sql.withTransaction(
          Effect.andThen(
            advance(from, to),
            Effect.forEach(writes, (write) => sql.unsafe(write.text, write.params), { discard: true })
          )
        )

  const step = Effect.fnUntraced(function* (current: Place) {
    const page = yield* store.readAll({ after: current.seen, limit: settings.batch, types: projection.eventTypes })
    const unsaved = current.unsaved + page.scanned
    if (page.scanned === 0) return "idle" as const
    if (page.events.length === 0 && unsaved < settings.saveEvery) {
      stand({ ...current, seen: page.cursor, unsaved, isStandby: false })
      return "advanced" as const
    }
    yield* commit(current.stored, page.cursor, projection.handle(page.events)).pipe(
      Effect.catchTag("SqlError", (error) => Effect.fail(toStoreError(error)))
    )
    stand(at(page.cursor, false))
    return "advanced" as const
  })

  const look = Effect.gen(function* () {
    const current = place
    if (current !== undefined && !current.isStandby) return yield* step(current)
    const stored = yield* findCheckpoint
    if (stored === undefined) return "superseded" as const
    if (current !== undefined && !isSame(current.stored, stored)) {
      stand(at(stored, true))
      return "standby" as const
    }
    const from = current ?? at(stored, false)
    stand(from)
    return yield* step(from)
  })

  const runOnce: Runner["runOnce"] = look.pipe(
    Effect.catchTag("CheckpointMoved", () =>
      Effect.map(findCheckpoint, (stored): Progress => {
        if (stored === undefined) return "superseded"
        stand(at(stored, true))
        return "standby"
      })
    ),
    Effect.onError(() =>
      Effect.sync(() => {
        // After a failed commit nobody knows where the checkpoint is.
        place = undefined
      })
    )
  )

  const run = Effect.scoped(
    Effect.gen(function* () {
      const awakened = yield* listen(store)
      let retry = settings.retry
      let poll = settings.pollInterval
      for (;;) {
        const progress = yield* runOnce.pipe(
          Effect.catchCause((cause) =>
            Cause.hasInterruptsOnly(cause)
              ? Effect.failCause(cause as Cause.Cause<never>) // it holds no failure
              : Effect.as(Effect.logError(`projection ${name}: a batch failed, trying again`, cause), undefined)
          )
        )
        if (progress === "superseded") {
          yield* Effect.logInfo(`projection ${name}: version ${version} stops, a newer one runs`)
          return
        }
        if (progress === undefined) {
          yield* Effect.sleep(retry)
          retry = Duration.min(Duration.times(retry, 2), settings.maxRetry)
          continue
        }
        retry = settings.retry
        if (progress === "advanced") poll = settings.pollInterval
        if (progress === "standby") {
          poll = settings.pollInterval
          yield* Effect.sleep(poll)
        }
        if (progress === "idle") {
          yield* Effect.sleep(settings.pause)
          const woken = yield* Effect.timeoutOption(Queue.take(awakened), poll)
          // What woke it may not be visible yet.
          poll = Option.isSome(woken) ? settings.pollInterval : slower(poll, settings.maxPollInterval)
        }
      }
    })
  )

  const lag = Effect.suspend(() => Checkpoints.lag(sql, seen)).pipe(Effect.mapError(toStoreError))

  return { projection, runOnce, run, lag }
})

const slower = (poll: Duration.Duration, slowest: Duration.Duration) =>
  Duration.max(poll, Duration.min(Duration.times(poll, 2), slowest))

/** Something to take after each commit of this process; any number of commits meanwhile count as one. */
const listen = Effect.fnUntraced(function* (
  store: EventStore.EventStore["Service"]
): Effect.fn.Return<Queue.Dequeue<void>, never, Scope.Scope> {
  const awakened = yield* Queue.sliding<void>(1)
  yield* store.commits.pipe(
    Stream.runForEach(() => Queue.offer(awakened, undefined)),
    Effect.forkScoped({ startImmediately: true })
  )
  return awakened
})
