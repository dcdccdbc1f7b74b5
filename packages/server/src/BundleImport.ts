/**
 * Brings a bundle into a database that has no events yet: all of it or nothing, with its read models. Events keep their
 * versions, places and times, so that the past can be looked at as where they come from.
 */
import { Data, Effect, Stream } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type * as Bundle from "@muster/domain/Bundle"
import type { Recorded } from "@muster/domain/Recorded"
import * as BundleFile from "./BundleFile.ts"
import type * as EventStore from "./EventStore.ts"
import * as Param from "./Param.ts"
import { projections } from "./Projections/Inline.ts"
import * as Rebuild from "./Rebuild.ts"
import * as SqlFailure from "./SqlFailure.ts"

/** The database has events already. */
export class DatabaseNotEmpty extends Data.TaggedError("DatabaseNotEmpty") {
  override get message() {
    return "the database has events already; a bundle is imported into an empty one"
  }
}

/** Events in one statement: each may hold ten thousand tasks. */
const batchSize = 16

const insertText = `
  insert into events (position, stream, version, type, data, metadata, command_id, recorded_at)
  overriding system value
  select position, stream, version, type, data, metadata, command_id, recorded_at
  from unnest($1::bigint[], $2::text[], $3::int[], $4::text[], $5::json[], $6::json[], $7::text[], $8::timestamptz[])
    as e(position, stream, version, type, data, metadata, command_id, recorded_at)`

/** The ids of commands as the store keeps them: with the first event of each. */
const commandIds = () => {
  const seen = new Set<string>()
  return ({ metadata: { commandId }, stream }: Recorded): string | null => {
    if (commandId === undefined) return null
    const key = `${stream} ${commandId}`
    if (seen.has(key)) return null
    seen.add(key)
    return commandId
  }
}

const toStoreError = SqlFailure.toStoreError("import")

/** Verifies the file, then imports it. */
export const importFile = Effect.fn("BundleImport.importFile")(function* (
  path: string
): Effect.fn.Return<
  Bundle.Header,
  BundleFile.BundleUnusable | DatabaseNotEmpty | EventStore.EventStoreError,
  SqlClient | EventStore.EventStore
> {
  const header = yield* BundleFile.verify(path)
  const sql = yield* SqlClient
  const insert = (batch: ReadonlyArray<Recorded>, commandIdOf: (event: Recorded) => string | null) =>
    sql.unsafe(insertText, [
      Param.bigints(batch.map(({ position }) => position)),
      Param.texts(batch.map(({ stream }) => stream)),
      Param.ints(batch.map(({ version }) => version)),
      Param.texts(batch.map(({ type }) => type)),
      Param.verbatimJsons(batch.map(({ data }) => data)),
      Param.verbatimJsons(batch.map(({ metadata }) => metadata)),
      Param.texts(batch.map(commandIdOf)),
      Param.timestamps(batch.map(({ recordedAt }) => recordedAt))
    ])
  yield* sql
    .withTransaction(
      Effect.gen(function* () {
        yield* sql.unsafe("set local statement_timeout = 0")
        yield* sql.unsafe("set local idle_in_transaction_session_timeout = 0")
        yield* sql.unsafe("lock table events in exclusive mode")
        const some = yield* sql.unsafe("select from events limit 1")
        if (some.length > 0) return yield* new DatabaseNotEmpty()
        const commandIdOf = commandIds()
        yield* BundleFile.events(path).pipe(
          Stream.grouped(batchSize),
          Stream.runForEach((batch) => insert(batch, commandIdOf))
        )
        yield* sql.unsafe(
          "select setval(pg_get_serial_sequence('events', 'position'), (select coalesce(max(position), 1) from events))"
        )
        yield* Effect.forEach(projections, Rebuild.rebuild, { discard: true })
      })
    )
    .pipe(Effect.catchTag("SqlError", (error) => Effect.fail(toStoreError(error))))
  return header
})
