/**
 * Makes read models anew from the events that they came from: to repair them, to fill new ones, or beside the live ones
 * to prove that these are right.
 *
 * Only for read models that are written with the events; a subscription reads all events again when its checkpoint is
 * reset.
 */
import { Effect, Option, Stream } from "effect"
import { BeginTransaction, SqlClient } from "effect/sql/SqlClient"
import * as EventStore from "./EventStore.ts"
import type { InlineProjection } from "./InlineProjection.ts"
import * as SqlFailure from "./SqlFailure.ts"
import * as TableDifferences from "./TableDifferences.ts"

/** Streams that are looked up at once. */
const streamsPage = 1_000

/** Events that are turned into changes at once. */
const eventsBatch = 64

export interface Rebuilt {
  readonly streams: number
  readonly events: number
}

const toStoreError = SqlFailure.toStoreError("rebuild")

/** Names of streams with a prefix, in order. */
export const streamNames = (sql: SqlClient, prefix: string) =>
  Stream.paginate("", (after) =>
    sql
      // Each stream has one first event. Names compare byte by byte, so the prefix is a range of the index.
      .unsafe<{ stream: string }>(
        `select stream from events where version = 1 and stream > $1 and stream >= $2 and starts_with(stream, $2)
         order by stream limit $3`,
        [after, prefix, streamsPage]
      )
      .pipe(
        Effect.map((rows) => {
          const names = rows.map(({ stream }) => stream)
          return [
            names,
            names.length < streamsPage ? Option.none<string>() : Option.fromUndefinedOr(names.at(-1))
          ] as const
        })
      )
  )

/** Runs the events of all streams of a projection through it, within the caller's transaction. */
const replay = Effect.fnUntraced(function* (projection: InlineProjection) {
  const sql = yield* SqlClient
  const store = yield* EventStore.EventStore
  let streams = 0
  let events = 0
  yield* Stream.runForEach(streamNames(sql, projection.streams), (stream) => {
    streams += 1
    const handle = projection.begin(stream)
    return store.streamAll(stream, { batch: eventsBatch }).pipe(
      Stream.grouped(eventsBatch),
      Stream.runForEach((batch) => {
        events += batch.length
        return Effect.forEach(
          handle(batch),
          // Not prepared: in a check the same text speaks of other tables than it does elsewhere on this connection.
          (write) => sql.unsafe(write.text, write.params).unprepared,
          { discard: true }
        )
      })
    )
  })
  return { streams, events }
})

/** A rebuild takes as long as it takes, and turns events into changes between two statements. */
const withoutTimeouts = Effect.flatMap(SqlClient, (sql) =>
  Effect.andThen(
    sql.unsafe("set local statement_timeout = 0"),
    sql.unsafe("set local idle_in_transaction_session_timeout = 0")
  )
)

const quoted = (tables: ReadonlyArray<string>) => tables.map((table) => `"${table}"`).join(", ")

/**
 * Empties the tables and fills them from the events, in one transaction: readers and writers wait for its end, and if it
 * fails nothing has changed. Writers that wait longer than a statement may fail with an error that can be retried.
 */
export const rebuild = Effect.fn("Rebuild.rebuild")(function* (
  projection: InlineProjection
): Effect.fn.Return<Rebuilt, EventStore.EventStoreError, SqlClient | EventStore.EventStore> {
  const sql = yield* SqlClient
  return yield* sql
    .withTransaction(
      Effect.gen(function* () {
        yield* withoutTimeouts
        // The lock comes first: it waits for appends that are under way, and later ones cannot begin to write.
        yield* sql.unsafe(`lock table ${quoted(projection.tables)} in access exclusive mode`)
        yield* sql.unsafe(`truncate ${quoted(projection.tables)}`)
        return yield* replay(projection)
      })
    )
    .pipe(Effect.catchTag("SqlError", (error) => Effect.fail(toStoreError(error))))
})

export interface Checked extends Rebuilt {
  readonly tables: ReadonlyArray<TableDifferences.TableDifferences>
}

/**
 * Rebuilds into tables of its own and compares them with the live ones, row by row. Disturbs nobody: it sees events and
 * tables as they were at one instant, and leaves nothing behind.
 */
export const check = Effect.fn("Rebuild.check")(function* (
  projection: InlineProjection
): Effect.fn.Return<Checked, EventStore.EventStoreError, SqlClient | EventStore.EventStore> {
  const sql = yield* SqlClient
  return yield* sql
    .withTransaction(
      Effect.gen(function* () {
        yield* withoutTimeouts
        const schema = yield* TableDifferences.currentSchema
        for (const table of projection.tables) {
          // Temporary tables hide those of the same name, so the projection's own statements fill them.
          yield* sql.unsafe(
            `create temporary table "${table}" (like "${schema}"."${table}" including all) on commit drop`
          ).unprepared
        }
        const replayed = yield* replay(projection)
        const tables = yield* Effect.forEach(projection.tables, (table) => TableDifferences.find(schema, table))
        return { ...replayed, tables }
      })
    )
    .pipe(
      Effect.provideService(BeginTransaction, "begin isolation level repeatable read"),
      Effect.catchTag("SqlError", (error) => Effect.fail(toStoreError(error)))
    )
})
