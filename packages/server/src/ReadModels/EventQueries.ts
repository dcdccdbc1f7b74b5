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
import * as Param from "../Param.ts"
import * as RecordedRow from "../RecordedRow.ts"
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

/** An event may speak of ten thousand tasks: a page ends with the event with which it comes to so many characters. */
const maxPageWeight = 4 * 1024 ** 2

/**
 * A page, one event after the other until it is full or heavy enough, and whether more follow: one statement, since each
 * that is asked of a busy coordinator waits for its turn. `next` says which event comes after the row `page`, or after
 * the parameters.
 */
const pageQuery = (next: (after: "page" | "parameters") => string) => `
  with recursive page as (
    (select e.*, length(e.data::text)::bigint as weight, 1 as place from events as e where ${next("parameters")} limit 1)
    union all
    select e.*, page.weight + length(e.data::text), page.place + 1
    from page cross join lateral (select * from events as e where ${next("page")} limit 1) as e
    where page.place < $1 and page.weight < $2
  )
  select ${RecordedRow.columns}, transaction_id::text as transaction_id,
    place = max(place) over () and exists (select from events as e where ${next("page")} limit 1) as has_more
  from page order by place`

const streamPage = pageQuery(
  (after) => `e.stream = $3 and e.version > ${after === "page" ? "page.version" : "$4"} order by e.version`
)

// A transaction that is still running may hold any id from the snapshot's xmin on: what is older can never change.
const logPage = pageQuery(
  (after) => `
    (e.transaction_id, e.position) > ${after === "page" ? "(page.transaction_id, page.position)" : "($3::xid8, $4::bigint)"}
    and e.transaction_id < pg_snapshot_xmin(pg_current_snapshot())
    order by e.transaction_id, e.position`
)

interface PageRow extends RecordedRow.RecordedRow {
  readonly transaction_id: string
  /** Of the last row: whether others follow it. */
  readonly has_more: boolean
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

  const read = (stream: string | undefined, cursor: string | undefined, limit: number) =>
    stream === undefined ? readLog(cursor, limit) : readStream(stream, cursor, limit)

  const toPage = (rows: ReadonlyArray<PageRow>, cursorOf: (last: PageRow) => string): Query.Page<Recorded> => {
    const last = rows.at(-1)
    return {
      items: rows.map((row) => LogEvent.readable(RecordedRow.toRecorded(row))),
      nextCursor: last?.has_more === true ? cursorOf(last) : null
    }
  }

  const list = Effect.fn("EventQueries.list")(function* ({ cursor, limit, stream }: EventFilter) {
    const bounds = [limit ?? PageLimits.defaultLimit, maxPageWeight]
    if (stream === undefined) {
      const [transactionId, position] = yield* logCursors.decode(cursor, ["0", 0])
      const rows = yield* Query.run<PageRow>(sql, logPage, [...bounds, transactionId, Param.bigint(position)])
      return toPage(rows, (last) => logCursors.encode([last.transaction_id, Number(last.position)]))
    }
    const cursors = streamCursors(stream)
    const version = yield* cursors.decode(cursor, 0)
    const rows = yield* Query.run<PageRow>(sql, streamPage, [...bounds, stream, version])
    return toPage(rows, (last) => cursors.encode(last.version))
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
