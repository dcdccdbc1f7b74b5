/**
 * The log of events for those who want to look at it.
 */
import { Context, Effect, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { Unavailable } from "@muster/domain/Errors"
import type { InvalidInput } from "@muster/domain/Errors"
import * as PageLimits from "@muster/domain/Page"
import type { Recorded } from "@muster/domain/Recorded"
import * as EventStore from "../EventStore.ts"
import * as LogEvent from "../LogEvent.ts"
import * as Cursor from "./Cursor.ts"
import * as Query from "./Query.ts"

export interface EventFilter {
  readonly limit?: number | undefined
  readonly cursor?: string | undefined
  readonly stream?: string | undefined
}

/** Events with the cursor to go on from, whether or not there were any. */
export interface EventBatch {
  readonly events: ReadonlyArray<Recorded>
  readonly cursor: string
}

export class EventQueries extends Context.Service<
  EventQueries,
  {
    /** One stream by version, or the whole log in order of commit; from the first on. */
    readonly list: (filter: EventFilter) => Effect.Effect<Query.Page<Recorded>, InvalidInput | Unavailable>
    /** As `list`, for readers that go on when more is there. */
    readonly after: (
      filter: EventFilter & { readonly cursor: string; readonly limit: number }
    ) => Effect.Effect<EventBatch, InvalidInput | Unavailable>
    /** The cursor behind all that is committed now. */
    readonly end: (stream: string | undefined) => Effect.Effect<string, Unavailable>
  }
>()("@muster/server/ReadModels/EventQueries") {}

const Version = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 31 - 1 }))
const Position = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
const TransactionId = Schema.String.check(Schema.isPattern(/^\d{1,19}$/))

/** Each stream's cursor is its own: that of another one would point anywhere. */
const streamCursors = (stream: string) => Cursor.make(`events of ${stream}`, Version)

const logCursors = Cursor.make("events", Schema.Tuple([TransactionId, Position]))

const asLogPlace = ([transactionId, position]: readonly [string, number]): EventStore.Cursor => ({
  transactionId: BigInt(transactionId),
  position
})

const fromLogPlace = (cursor: EventStore.Cursor) => logCursors.encode([String(cursor.transactionId), cursor.position])

/** An event may speak of ten thousand tasks: a page ends, before its limit, when it holds this many characters. */
const maxPageWeight = 4 * 1024 ** 2

/** Events that are read at once: a page outgrows its weight by no more than these. */
const readAtOnce = 5

/** Roughly the number of characters of a value as JSON. */
const weigh = (value: unknown): number => {
  if (typeof value === "string") return value.length
  if (typeof value !== "object" || value === null) return 4
  let sum = 2
  for (const [key, held] of Object.entries(value)) sum += key.length + weigh(held)
  return sum
}

const unavailable = (error: EventStore.EventStoreError) =>
  error.retryable ? Effect.fail(new Unavailable({ reason: error.message })) : Effect.die(error)

export const make = Effect.gen(function* () {
  const sql = yield* SqlClient
  const store = yield* EventStore.EventStore

  const readStream = Effect.fnUntraced(
    function* (stream: string, cursor: string | undefined, limit: number) {
      const cursors = streamCursors(stream)
      const after = yield* cursors.decode(cursor, 0)
      const events = yield* store.readStream(stream, { after, limit })
      return { events: events.map(LogEvent.readable), cursor: cursors.encode(events.at(-1)?.version ?? after) }
    },
    Effect.catchTag("EventStoreError", unavailable)
  )

  const readLog = Effect.fnUntraced(
    function* (cursor: string | undefined, limit: number) {
      const after = yield* logCursors.decode(cursor, ["0", 0])
      const page = yield* store.readAll({ after: asLogPlace(after), limit })
      return { events: page.events.map(LogEvent.readable), cursor: fromLogPlace(page.cursor) }
    },
    Effect.catchTag("EventStoreError", unavailable)
  )

  /** Whether anything follows a cursor, without a look at what it is. */
  const hasMore = Effect.fnUntraced(
    function* (stream: string | undefined, cursor: string) {
      if (stream !== undefined) {
        return (yield* store.lastVersion(stream)) > (yield* streamCursors(stream).decode(cursor, 0))
      }
      const after = asLogPlace(yield* logCursors.decode(cursor, ["0", 0]))
      return (yield* store.readAll({ after, limit: 1, types: [] })).scanned > 0
    },
    Effect.catchTag("EventStoreError", unavailable)
  )

  const read = (stream: string | undefined, cursor: string | undefined, limit: number) =>
    stream === undefined ? readLog(cursor, limit) : readStream(stream, cursor, limit)

  const list = Effect.fn("EventQueries.list")(function* (filter: EventFilter) {
    const limit = filter.limit ?? PageLimits.defaultLimit
    const items: Array<Recorded> = []
    let weight = 0
    let { cursor } = filter
    while (items.length < limit && weight < maxPageWeight) {
      const wanted = Math.min(readAtOnce, limit - items.length)
      const batch: EventBatch = yield* read(filter.stream, cursor, wanted)
      items.push(...batch.events)
      cursor = batch.cursor
      if (batch.events.length < wanted) return { items, nextCursor: null }
      weight += weigh(batch.events)
    }
    // A full page may be the last one: the next one would be empty, and a reader should not have to find out.
    const next = cursor ?? null
    return { items, nextCursor: next !== null && (yield* hasMore(filter.stream, next)) ? next : null }
  })

  const after = Effect.fn("EventQueries.after")(
    (filter: EventFilter & { readonly cursor: string; readonly limit: number }) =>
      read(filter.stream, filter.cursor, filter.limit)
  )

  const end = Effect.fn("EventQueries.end")(function* (stream: string | undefined) {
    if (stream !== undefined) {
      const version = yield* store.lastVersion(stream).pipe(Effect.catchTag("EventStoreError", unavailable))
      return streamCursors(stream).encode(version)
    }
    // Whatever is visible now comes from transactions before this one, or is still to be given out by `readAll`.
    const [row] = yield* Query.run<{ readonly xmin: string }>(
      sql,
      "select pg_snapshot_xmin(pg_current_snapshot())::text as xmin",
      []
    )
    return logCursors.encode([String(BigInt(row?.xmin ?? "1") - 1n), Number.MAX_SAFE_INTEGER])
  })

  return EventQueries.of({ list, after, end })
})

export const layer: Layer.Layer<EventQueries, never, SqlClient | EventStore.EventStore> = Layer.effect(
  EventQueries,
  make
)
