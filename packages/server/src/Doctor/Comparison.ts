/**
 * Compares read models with what their events say, without being in anybody's way.
 *
 * `Rebuild.check` does it in one transaction, and readers of the log wait for a transaction that writes, even if only to its
 * own temporary tables. Here the rebuilt rows grow in many short transactions of a session of its own; only the last events
 * and the comparison itself need to see one instant.
 */
import type { PgClient } from "@effect/sql-pg"
import { Clock, Effect, Stream } from "effect"
import { BeginTransaction, SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { Compared } from "@muster/domain/Doctor/ReadModels"
import type { Recorded } from "@muster/domain/Recorded"
import * as EventStore from "../EventStore.ts"
import type { InlineProjection } from "../InlineProjection.ts"
import * as Param from "../Param.ts"
import * as PgEventStore from "../PgEventStore.ts"
import * as Inline from "../Projections/Inline.ts"
import * as Rebuild from "../Rebuild.ts"
import * as TableDifferences from "../TableDifferences.ts"
import * as Session from "./Session.ts"

/** Events that are turned into rows at once. */
const eventsBatch = 64

/** Streams that are compared at once when all are. */
const streamsBatch = 200

/** A sample: so many streams of each read model, none longer than this, and no new one after this time. */
const sample = { streams: 100, events: 500, milliseconds: 5_000 }

/** Rows of the log that are looked at to choose the streams of a sample. */
const sampledRows = 20_000

/** Differences that are shown of each table. */
const shown = 3

const quoted = (tables: ReadonlyArray<string>) => tables.map((table) => `pg_temp."${table}"`).join(", ")

/** Streams that a part of the log, taken at random, speaks of; and how long they are. */
const choose = (sql: SqlClient, prefix: string) =>
  sql.unsafe<{ readonly stream: string; readonly events: number }>(
    `with sampled as materialized (
       select distinct stream from events tablesample system ((
         select least(100, 100.0 * $2::int / greatest(reltuples, 1)) from pg_class where oid = 'events'::regclass
       )) where starts_with(stream, $1)
     )
     select stream, (select max(version) from events e where e.stream = s.stream)::int as events
     from sampled s order by random() limit ${sample.streams}`,
    [prefix, Param.int(sampledRows)]
  )

const countStreams = (sql: SqlClient, prefix: string) =>
  Effect.map(
    sql.unsafe<{ readonly number: number }>(
      "select count(*)::int as number from events where version = 1 and stream >= $1 and starts_with(stream, $1)",
      [prefix]
    ),
    ([row]) => row?.number ?? 0
  )

/** Rows whose stream is not in the log at all. */
const rowsWithoutStream = Effect.fnUntraced(function* (projection: InlineProjection) {
  const sql = yield* SqlClient
  const schema = yield* TableDifferences.currentSchema
  return yield* Effect.forEach(projection.tables, (table) =>
    Effect.gen(function* () {
      const [key = "id"] = yield* TableDifferences.primaryKey(schema, table)
      const rows = yield* sql.unsafe<{ readonly id: string; readonly number: number }>(
        `select t."${key}" as id, count(*)::int as number from "${schema}"."${table}" t
         where not exists (select from events e where e.stream = $1 || t."${key}" and e.version = 1)
         group by 1 limit ${shown}`,
        [projection.streams]
      ).unprepared
      return rows.map(({ id, number }) => ({ number, example: `${table} of ${id}, which is not in the log` }))
    })
  ).pipe(Effect.map((found) => found.flat()))
})

/** What a projection makes of a stream, as far as it was read. */
interface Reading {
  readonly stream: string
  readonly handle: (events: ReadonlyArray<Recorded>) => ReadonlyArray<EventStore.Write>
  version: number
}

type Services = SqlClient | EventStore.EventStore

/** Compares some streams of a projection whose temporary tables are there and empty. */
const compare = Effect.fnUntraced(function* (projection: InlineProjection, streams: ReadonlyArray<string>) {
  const sql = yield* SqlClient
  const store = yield* EventStore.EventStore
  const schema = yield* TableDifferences.currentSchema
  let events = 0
  const readings = streams.map((stream): Reading => ({ stream, handle: projection.begin(stream), version: 0 }))

  const read = (reading: Reading) =>
    store.streamAll(reading.stream, { after: reading.version, batch: eventsBatch }).pipe(
      Stream.grouped(eventsBatch),
      Stream.runForEach((batch) => {
        events += batch.length
        reading.version = batch.at(-1)?.version ?? reading.version
        return Effect.forEach(
          reading.handle(batch),
          // Not prepared: the same text may speak of other tables elsewhere.
          (write) => sql.unsafe(write.text, write.params).unprepared,
          { discard: true }
        )
      })
    )

  yield* Effect.forEach(readings, read, { discard: true })
  const ids = streams.map((stream) => stream.slice(projection.streams.length))
  const tables = yield* sql
    .withTransaction(
      // What has happened since; events and rows are seen as of one instant from here on.
      Effect.andThen(
        Effect.forEach(readings, read, { discard: true }),
        Effect.forEach(projection.tables, (table) => TableDifferences.find(schema, table, ids))
      )
    )
    .pipe(Effect.provideService(BeginTransaction, "begin isolation level repeatable read"))
  yield* sql.unsafe(`truncate ${quoted(projection.tables)}`).unprepared
  return {
    events,
    rows: tables.reduce((sum, { compared }) => sum + compared, 0),
    differing: tables.reduce((sum, { differing }) => sum + differing, 0),
    examples: tables.flatMap(({ differences, table }) =>
      differences.slice(0, shown).map(({ key }) => `${table} ${JSON.stringify(key)}`)
    )
  }
})

interface Result {
  readonly events: number
  readonly rows: number
  readonly differing: number
  readonly examples: ReadonlyArray<string>
}

const nothing: Result = { events: 0, rows: 0, differing: 0, examples: [] }

const plus = (a: Result, b: Result): Result => ({
  events: a.events + b.events,
  rows: a.rows + b.rows,
  differing: a.differing + b.differing,
  examples: [...a.examples, ...b.examples].slice(0, shown)
})

/** Temporary tables hide the live ones from the projection's own statements. They go with the session. */
const makeTables = Effect.fnUntraced(function* (projection: InlineProjection) {
  const sql = yield* SqlClient
  const schema = yield* TableDifferences.currentSchema
  for (const table of projection.tables) {
    yield* sql.unsafe(`create temporary table "${table}" (like "${schema}"."${table}" including all)`).unprepared
  }
})

const compareSample = Effect.fnUntraced(function* (projection: InlineProjection) {
  const sql = yield* SqlClient
  const chosen = yield* choose(sql, projection.streams)
  const of = yield* countStreams(sql, projection.streams)
  yield* makeTables(projection)
  const end = (yield* Clock.currentTimeMillis) + sample.milliseconds
  let result = nothing
  let streams = 0
  for (const { events, stream } of chosen) {
    if (events > sample.events || (yield* Clock.currentTimeMillis) > end) continue
    result = plus(result, yield* compare(projection, [stream]))
    streams++
  }
  return { ...result, streams, of, passedOver: chosen.length - streams }
})

const compareAll = Effect.fnUntraced(function* (projection: InlineProjection) {
  const sql = yield* SqlClient
  // Before the tables hide the live ones.
  const orphans = yield* rowsWithoutStream(projection)
  yield* makeTables(projection)
  const counted = orphans.reduce((sum, { number }) => sum + number, 0)
  let result: Result = {
    ...nothing,
    rows: counted,
    differing: counted,
    examples: orphans.map(({ example }) => example)
  }
  let streams = 0
  yield* Rebuild.streamNames(sql, projection.streams).pipe(
    Stream.grouped(streamsBatch),
    Stream.runForEach((names) =>
      Effect.map(compare(projection, names), (found) => {
        result = plus(result, found)
        streams += names.length
      })
    )
  )
  return { ...result, streams, of: streams, passedOver: 0 }
})

const compareOne = (
  projection: InlineProjection,
  isSample: boolean
): Effect.Effect<Compared, SqlError | EventStore.EventStoreError, Services> =>
  Effect.map(isSample ? compareSample(projection) : compareAll(projection), (result) => ({
    ...result,
    name: projection.name,
    isSample
  }))

/** Compares all read models: a sample of their streams, or with `full` everything. */
export const gather = Effect.fnUntraced(function* (
  client: PgClient.PgClient,
  full: boolean,
  projections: ReadonlyArray<InlineProjection> = Inline.projections
) {
  return yield* Effect.forEach(projections, (projection) =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      // A comparison takes as long as it takes.
      yield* sql.unsafe("set statement_timeout = 0")
      // Nothing of it is meant to last, and where commits wait for a standby that is gone these need not.
      yield* sql.unsafe("set synchronous_commit = off")
      const store = yield* PgEventStore.make()
      return yield* compareOne(projection, !full).pipe(Effect.provideService(EventStore.EventStore, store))
    }).pipe(Effect.provide(Session.likeOurs(client), { local: true }))
  )
})
