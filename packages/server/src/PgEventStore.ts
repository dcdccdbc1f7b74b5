/**
 * The event store in Postgres.
 */
import { promisify } from "node:util"
import { constants, deflate, inflate } from "node:zlib"
import { Duration, Effect, Layer, Option, PubSub, Stream } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { isSqlError } from "effect/sql/SqlError"
import type { SqlError } from "effect/sql/SqlError"
import * as Carriable from "./Carriable.ts"
import * as EventStore from "./EventStore.ts"
import * as Param from "./Param.ts"
import * as RecordedRow from "./RecordedRow.ts"
import * as SqlFailure from "./SqlFailure.ts"
import * as Statements from "./Statements.ts"

/** Names of the unique keys of the log. Those of read models are another matter. */
const conflictKeys = new Set(["events_stream_version_key", "events_stream_command_id_key"])

const isConflict = (error: SqlError): boolean => conflictKeys.has(SqlFailure.violatedUnique(error) ?? "")

const insertEvents = `
  insert into events (stream, version, type, data, metadata, command_id)
  select $1::text, $2::int + n, type, data, metadata, command_id
  from unnest($3::text[], $4::json[], $5::jsonb[], $6::text[]) with ordinality as e(type, data, metadata, command_id, n)
  returning position`

/**
 * Halves a stream until the last event before a time is found: twenty steps for a million events, each to one place of the
 * index, where an index by time would cost every append.
 */
const halving = `
  with recursive probe (low, high) as (
    select 0, coalesce((select version from events where stream = $1 order by version desc limit 1), 0)
    union all
    select case when e.recorded_at < $2 then m.middle else p.low end,
      case when e.recorded_at < $2 then p.high else m.middle - 1 end
    from probe p cross join lateral (select (p.low + p.high + 1) / 2 as middle) m
      join events e on e.stream = $1 and e.version = m.middle
    where p.low < p.high
  )
  select low as version from probe where low = high`

/** Postgres' largest `int`: the highest version that a stream can have. */
const maxVersion = 2 ** 31 - 1

const insertion = ({ events, expectedVersion, stream }: EventStore.Append): EventStore.Write => ({
  text: insertEvents,
  params: [
    stream,
    expectedVersion,
    Param.texts(events.map((event) => event.type)),
    Param.verbatimJsons(events.map((event) => event.data)),
    Param.jsons(events.map((event) => event.metadata)),
    Param.texts(EventStore.commandIdColumn(events))
  ]
})

const carriableWrite = (write: EventStore.Write): EventStore.Write => ({
  text: write.text,
  params: write.params.map(Carriable.carriable)
})

// Columns of a million tasks are 12 MB of mostly the same few numbers: a hundredth of it is left, and the work is done
// beside the thread that decides.
const deflateAsync = promisify(deflate)
const inflateAsync = promisify(inflate)

const compress = (state: Uint8Array): Effect.Effect<Uint8Array> =>
  Effect.promise(() => deflateAsync(state, { level: constants.Z_BEST_SPEED }))

/** Nothing when it cannot be read: the log has everything. */
const decompress = (bytes: Uint8Array): Effect.Effect<Uint8Array | undefined> =>
  Effect.promise(() => inflateAsync(bytes).catch(() => undefined))

/**
 * How long to wait for an answer before the connection is given up. Longer than the server works on any statement: only a
 * server that vanished without a word takes so long, and the network alone would notice that after a quarter of an hour.
 */
const defaultPatience = Duration.seconds(45)

export const make = Effect.fnUntraced(function* (
  patience: Duration.Duration = defaultPatience
): Effect.fn.Return<EventStore.EventStore["Service"], never, SqlClient> {
  const sql = yield* SqlClient
  const committed = yield* PubSub.sliding<string>(EventStore.commitsCapacity)

  const run = <A extends object>(write: EventStore.Write) => sql.unsafe<A>(write.text, write.params)

  // By a timer of the system, also where a test holds the clock: what it waits for is a network.
  const expiry = (operation: string) =>
    Effect.callback<never, EventStore.EventStoreError>((resume) => {
      const cause = new Error("the server did not answer")
      const timer = setTimeout(
        () => resume(new EventStore.EventStoreError({ operation, cause, retryable: true })),
        Duration.toMillis(patience)
      )
      return Effect.sync(() => clearTimeout(timer))
    })

  /** Ends what takes too long, and says what went wrong as callers know it. */
  const during =
    (operation: string) =>
    <A, E>(effect: Effect.Effect<A, E | SqlError>) =>
      Effect.raceFirst(effect, expiry(operation)).pipe(
        Effect.mapError(
          (error): Exclude<E, SqlError> | EventStore.EventStoreError =>
            isSqlError(error) ? SqlFailure.toStoreError(operation)(error) : (error as Exclude<E, SqlError>) // the guard does not narrow a type parameter
        )
      )

  const insertAtOnce = (options: EventStore.Append) =>
    run<{ position: bigint }>(
      Statements.combine(
        "appended",
        insertion(options),
        options.writes ?? [],
        "select max(position) as position from appended"
      )
    )

  const insertInSequence = (options: EventStore.Append) =>
    sql.withTransaction(
      Effect.gen(function* () {
        const rows = yield* run<{ position: bigint }>(insertion(options))
        for (const write of options.writes ?? []) yield* run(write)
        return rows.slice(-1)
      })
    )

  const insert = (options: EventStore.Append) =>
    options.sequential === true ? insertInSequence(options) : insertAtOnce(options)

  const insertCarriable = (options: EventStore.Append) =>
    insert({ ...options, writes: (options.writes ?? []).map(carriableWrite) })

  /** Which of the commands are in the stream already. */
  const knownCommands = Effect.fnUntraced(function* (options: EventStore.Append) {
    const ids = EventStore.commandIdColumn(options.events).filter((id) => id !== null)
    if (ids.length === 0) return []
    const rows = yield* run<{ command_id: string }>({
      text: "select command_id from events where stream = $1 and command_id = any ($2) order by version",
      params: [options.stream, Param.texts(ids)]
    })
    return rows.map((row) => row.command_id)
  })

  /** A multi-row insert reports whichever key it met first, so ask which it really was. */
  const explainConflict = Effect.fnUntraced(function* (options: EventStore.Append) {
    const { expectedVersion, stream } = options
    const commandIds = yield* knownCommands(options)
    return yield* commandIds.length > 0
      ? new EventStore.CommandAlreadyHandled({ stream, commandIds })
      : new EventStore.VersionConflict({ stream, expected: expectedVersion })
  })

  const append = Effect.fnUntraced(function* (options: EventStore.Append) {
    const { events, expectedVersion, stream } = options
    if (events.length === 0) return yield* Effect.die(new Error(`nothing to append to ${stream}`))
    const rows = yield* insert(options).pipe(
      // Looking for such characters in every append would cost more than failing in the rare one that has them.
      Effect.catchIf(Carriable.wasRefused, () => insertCarriable(options)),
      Effect.catchIf(isConflict, () => explainConflict(options)),
      during("append")
    )
    // Within a transaction of the caller there is nothing to see yet.
    yield* sql.afterCommit(Effect.asVoid(PubSub.publish(committed, stream)))
    return { version: expectedVersion + events.length, position: Number(rows[0]?.position) }
  })

  const readStream = (stream: string, range: EventStore.StreamRange = {}) =>
    run<RecordedRow.RecordedRow>({
      text: `select ${RecordedRow.columns} from events where stream = $1 and version > $2 and version <= $3 order by version limit $4`,
      params: [stream, range.after ?? 0, range.upTo ?? maxVersion, range.limit ?? maxVersion]
    }).pipe(
      Effect.map((rows) => rows.map(RecordedRow.toRecorded)),
      during("readStream")
    )

  const readAll = Effect.fnUntraced(function* ({ after, limit, types }: EventStore.LogRange) {
    const rows = yield* run<RecordedRow.RecordedRow & { transaction_id: string; wanted: boolean }>({
      // A transaction that is still running may hold any id from the snapshot's xmin on: what is older can never change.
      // The data of events that are not wanted stay where they are.
      text: `
        select position, stream, version, type, case when wanted then data end as data, metadata, recorded_at,
          transaction_id::text as transaction_id, wanted
        from (select *, $4::text[] is null or type = any ($4) as wanted from events) as e
        where (transaction_id, position) > ($1::xid8, $2::bigint)
          and transaction_id < pg_snapshot_xmin(pg_current_snapshot())
        order by e.transaction_id, position limit $3`,
      params: [String(after.transactionId), Param.bigint(after.position), limit, Param.texts(types ?? null)]
    }).pipe(during("readAll"))
    const last = rows.at(-1)
    return {
      events: rows.filter(({ wanted }) => wanted).map(RecordedRow.toRecorded),
      cursor:
        last === undefined ? after : { transactionId: BigInt(last.transaction_id), position: Number(last.position) },
      scanned: rows.length
    }
  })

  const eventsOfCommand = (stream: string, commandId: string) =>
    run<RecordedRow.RecordedRow>({
      // Only a command's first event carries the key; the others were appended in the same transaction.
      text: `
        select ${RecordedRow.columns} from events
        where transaction_id = (select transaction_id from events where stream = $1 and command_id = $2)
          and stream = $1 and metadata ->> 'commandId' = $2
        order by version`,
      params: [stream, commandId]
    }).pipe(
      Effect.map((rows) => rows.map(RecordedRow.toRecorded)),
      during("eventsOfCommand")
    )

  const lastVersion = (stream: string) =>
    run<{ version: number }>({
      text: "select version from events where stream = $1 order by version desc limit 1",
      params: [stream]
    }).pipe(
      Effect.map((rows) => rows[0]?.version ?? 0),
      during("lastVersion")
    )

  const versionAt = (stream: string, time: number) =>
    run<{ version: number }>({ text: halving, params: [stream, new Date(time + 1)] }).pipe(
      Effect.map((rows) => rows[0]?.version ?? 0),
      during("versionAt")
    )

  const loadSnapshot = (stream: string) =>
    run<{ version: number; schema_version: number; state: Uint8Array }>({
      text: "select version, schema_version, state from snapshots where stream = $1",
      params: [stream]
    }).pipe(
      Effect.flatMap(([row]) =>
        row === undefined
          ? Effect.undefined
          : Effect.map(decompress(row.state), (state) =>
              state === undefined ? undefined : { version: row.version, schemaVersion: row.schema_version, state }
            )
      ),
      during("loadSnapshot")
    )

  const saveSnapshot = Effect.fnUntraced(function* (stream: string, snapshot: EventStore.Snapshot) {
    const state = yield* compress(snapshot.state)
    yield* run({
      text: `
        insert into snapshots (stream, version, schema_version, state) values ($1, $2, $3, $4)
        on conflict (stream) do update
        set version = excluded.version, schema_version = excluded.schema_version, state = excluded.state, saved_at = now()
        where (snapshots.version, snapshots.schema_version) < (excluded.version, excluded.schema_version)`,
      params: [stream, snapshot.version, snapshot.schemaVersion, state]
    }).pipe(during("saveSnapshot"))
  })

  return EventStore.EventStore.of({
    append,
    readStream,
    streamAll: (stream, { batch = EventStore.defaultStreamBatch, ...range } = {}) =>
      Stream.paginate(range.after ?? 0, (after) =>
        Effect.map(readStream(stream, { ...range, after, limit: batch }), (events) => {
          const last = events.at(-1)
          const next = last === undefined || events.length < batch ? Option.none() : Option.some(last.version)
          return [events, next] as const
        })
      ),
    readAll,
    eventsOfCommand,
    lastVersion,
    versionAt,
    loadSnapshot,
    saveSnapshot,
    commits: Stream.fromPubSub(committed)
  })
})

export const layer: Layer.Layer<EventStore.EventStore, never, SqlClient> = Layer.effect(EventStore.EventStore, make())
