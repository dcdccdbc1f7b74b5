/**
 * The port to the log of all decisions. Streams are the histories of aggregates; whoever appends says which version it
 * decided on, and the unique key (stream, version) makes a second owner harmless.
 *
 * `PgEventStore.ts` keeps it in Postgres, `MemoryEventStore.ts` in memory; one test suite runs over both.
 */
import { Context, Data, Predicate } from "effect"
import type { Effect, Stream } from "effect"
import type { Metadata, Recorded } from "@muster/domain/Recorded"

/** An event that is not in the log yet. */
export interface NewEvent {
  readonly type: string
  /** Plain JSON: stored as it is, without the schema that made it. */
  readonly data: unknown
  readonly metadata: Metadata
}

/**
 * A change of a read model that must be committed with the events: one complete `INSERT`, `UPDATE` or `DELETE` (no
 * `WITH` that changes data, no `;`) with its own parameters `$1`, `$2`, ….
 *
 * To change many rows at once, never join the table with the list of changes by a part of its key: the planner decides by
 * statistics that may be missing or old, and then reads the whole suite (50 ms instead of 3 for 1,000 of 100,000 tasks).
 * These two have only one way to be run; the first, which is cheaper, for the same change of all rows, the second for a
 * change of its own for each. The second is right only for rows that no other stream writes, since it does not find a
 * row that another transaction has moved meanwhile.
 *
 *     update tasks set state = $3 where suite_id = $1 and index = any ($2)
 *
 *     update tasks t set state = u.state from unnest($2::int[], $3::smallint[]) as u (index, state)
 *     where t.ctid = (select x.ctid from tasks x where x.suite_id = $1 and x.index = u.index)
 *
 * Texts are constants of the program: each distinct combination is prepared once per connection, so whatever varies
 * belongs into `params`. Array parameters carry their type (`PgTypes.array`), since an empty or mixed one tells nothing.
 */
export interface Write {
  readonly text: string
  readonly params: ReadonlyArray<unknown>
}

export interface Append {
  readonly stream: string
  /** The version that the events were decided on: 0 for a stream that does not exist. */
  readonly expectedVersion: number
  /** At least one; an empty list is a defect. Those of one command stand together. */
  readonly events: ReadonlyArray<NewEvent>
  readonly writes?: ReadonlyArray<Write>
  /**
   * Without it, events and writes are one statement: one round trip, but **every write sees the tables as they were
   * before the append, and no two may touch the same row**. With it they run one after the other in one transaction,
   * each seeing what the ones before it did.
   */
  readonly sequential?: boolean
}

export interface Appended {
  /** Version of the stream after the append. */
  readonly version: number
  /** Position of the last appended event in the whole log. */
  readonly position: number
}

export interface StreamRange {
  /** Events after this version (default 0: from the first). */
  readonly after?: number
  /** Events up to this version, included (default: to the last). */
  readonly upTo?: number
  /** At most this many (default: all). */
  readonly limit?: number
}

/**
 * A place in the order of commit, which is not the order of positions: a transaction that took its position early may
 * commit late. Readers that keep a cursor never miss an event.
 */
export interface Cursor {
  readonly transactionId: bigint
  readonly position: number
}

/** Before the first event. */
export const start: Cursor = { transactionId: 0n, position: 0 }

export interface LogRange {
  readonly after: Cursor
  /** Events that are looked at, of whatever type. */
  readonly limit: number
  /** Only events of these types are given (default: all); the cursor passes over the others. */
  readonly types?: ReadonlyArray<string>
}

export interface Page {
  readonly events: ReadonlyArray<Recorded>
  /** Where to go on. It is the one that was given when nothing was left to look at. */
  readonly cursor: Cursor
  /** How many events were looked at. */
  readonly scanned: number
}

/** A folded state, so that a stream need not be read from its first event. Never needed for correctness. */
export interface Snapshot {
  /** Version of the stream that it was folded up to. */
  readonly version: number
  /** Version of the shape of `state`: one that the reader does not know is ignored. */
  readonly schemaVersion: number
  readonly state: Uint8Array
}

/** Somebody else wrote to the stream since it was read. The caller's state is out of date: reload, or stop if fenced. */
export class VersionConflict extends Data.TaggedError("VersionConflict")<{
  readonly stream: string
  readonly expected: number
}> {
  override get message() {
    return `stream ${this.stream} has moved on from version ${this.expected}`
  }
}

/**
 * Events of these commands are in the stream already, so nothing was appended: answer from `eventsOfCommand`. Told even
 * when the version is wrong too, because a repeated command is not a lost race.
 */
export class CommandAlreadyHandled extends Data.TaggedError("CommandAlreadyHandled")<{
  readonly stream: string
  readonly commandIds: ReadonlyArray<string>
}> {
  override get message() {
    return `stream ${this.stream} has already handled ${this.commandIds.join(", ")}`
  }
}

/** The message nearest to what happened: those around it only say that a query failed. */
const innermost = (cause: unknown): string => {
  const inner = Predicate.hasProperty(cause, "reason")
    ? cause.reason
    : Predicate.hasProperty(cause, "cause")
      ? cause.cause
      : undefined
  const message = Predicate.isObject(inner) ? innermost(inner) : ""
  if (message !== "") return message
  return Predicate.hasProperty(cause, "message") && Predicate.isString(cause.message) ? cause.message : ""
}

/**
 * The store could not do it. `retryable`: the same call may succeed later (connection lost, timeout, server starting or
 * stopping, deadlock); otherwise repeating is useless.
 *
 * **After a lost connection the outcome of an append is unknown**: it may have been committed. Repeat it with the same
 * command ids: `CommandAlreadyHandled` then says that it was.
 */
export class EventStoreError extends Data.TaggedError("EventStoreError")<{
  readonly operation: string
  readonly cause: unknown
  readonly retryable: boolean
}> {
  override get message() {
    return `event store: ${this.operation} failed (${this.retryable ? "may be repeated" : "final"}): ${innermost(this.cause)}`
  }
}

export class EventStore extends Context.Service<
  EventStore,
  {
    /** All of it is committed, or nothing. An event's command id may stand in a stream only once. */
    readonly append: (
      options: Append
    ) => Effect.Effect<Appended, VersionConflict | CommandAlreadyHandled | EventStoreError>

    /** Events of one stream in order. */
    readonly readStream: (
      stream: string,
      range?: StreamRange
    ) => Effect.Effect<ReadonlyArray<Recorded>, EventStoreError>

    /** As `readStream`, fetched in batches: for folding long streams in little memory. */
    readonly streamAll: (
      stream: string,
      range?: Omit<StreamRange, "limit"> & { readonly batch?: number }
    ) => Stream.Stream<Recorded, EventStoreError>

    /**
     * Events of all streams after a cursor, in order of commit. Ends before the oldest transaction that is still
     * running, so that nothing can appear behind the cursor later; never waits.
     */
    readonly readAll: (range: LogRange) => Effect.Effect<Page, EventStoreError>

    /** What a command caused, in order; nothing if it is not known. */
    readonly eventsOfCommand: (
      stream: string,
      commandId: string
    ) => Effect.Effect<ReadonlyArray<Recorded>, EventStoreError>

    /** 0 for a stream that does not exist. */
    readonly lastVersion: (stream: string) => Effect.Effect<number, EventStoreError>

    /**
     * The version that a stream had at a time (milliseconds since 1970): that of the last event recorded up to this
     * millisecond, that one included; 0 before the first. Times of a stream rise with its versions; should the database's
     * clock have been put back in between, it is one of the versions that had this time.
     */
    readonly versionAt: (stream: string, time: number) => Effect.Effect<number, EventStoreError>

    readonly loadSnapshot: (stream: string) => Effect.Effect<Snapshot | undefined, EventStoreError>

    /** Keeps the newest: one of an older version than the stored one is ignored. */
    readonly saveSnapshot: (stream: string, snapshot: Snapshot) => Effect.Effect<void, EventStoreError>

    /**
     * Names of streams as this process commits to them. A hint to look, not a record: a slow reader misses some, and
     * other processes' commits are not in it, so a poll stands behind every use.
     */
    readonly commits: Stream.Stream<string>
  }
>()("@muster/server/EventStore") {}

/** Whether a snapshot may replace the stored one: of a later version, or of the same in a newer shape. */
export const isNewer = (snapshot: Snapshot, stored: Snapshot): boolean =>
  snapshot.version > stored.version ||
  (snapshot.version === stored.version && snapshot.schemaVersion > stored.schemaVersion)

/** How many names of streams `commits` holds for a slow reader before the oldest are dropped. */
export const commitsCapacity = 1024

/** Events that `streamAll` fetches at once when the caller does not say: each may hold a thousand tasks. */
export const defaultStreamBatch = 64

/**
 * The command ids as the store keeps them beside the events: only the first event of each command carries it, so that
 * the unique key tells a repeated command from the further events of the same one.
 */
export const commandIdColumn = (events: ReadonlyArray<NewEvent>): ReadonlyArray<string | null> => {
  const seen = new Set<string>()
  return events.map(({ metadata: { commandId } }) => {
    if (commandId === undefined || seen.has(commandId)) return null
    seen.add(commandId)
    return commandId
  })
}
