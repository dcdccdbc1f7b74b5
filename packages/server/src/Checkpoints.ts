/**
 * How far each subscription has come, in the database, so that it moves with what the subscription wrote. A checkpoint
 * advances only from where its runner believes it to be: of two runners one finds it moved, and keeps nothing.
 */
import { Effect } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import * as EventStore from "./EventStore.ts"
import * as Param from "./Param.ts"

export interface Checkpoint {
  /** Version of the projection that it belongs to. */
  readonly version: number
  readonly cursor: EventStore.Cursor
}

export const load = (sql: SqlClient, name: string) =>
  sql
    .unsafe<{ version: number; transaction_id: string; position: bigint }>(
      "select version, transaction_id::text as transaction_id, position from checkpoints where name = $1",
      [name]
    )
    .pipe(
      Effect.map(([row]): Checkpoint | undefined =>
        row === undefined
          ? undefined
          : {
              version: row.version,
              cursor: { transactionId: BigInt(row.transaction_id), position: Number(row.position) }
            }
      )
    )

/** Puts the checkpoint of a new projection, or of a new version of it, before the first event. False: another was first. */
export const begin = (sql: SqlClient, name: string, version: number) =>
  sql
    .unsafe(
      `insert into checkpoints (name, version, transaction_id, position) values ($1, $2, $3::xid8, $4)
       on conflict (name) do update set version = excluded.version, transaction_id = excluded.transaction_id,
         position = excluded.position, updated_at = now()
       where checkpoints.version < excluded.version
       returning name`,
      [name, version, String(EventStore.start.transactionId), Param.bigint(EventStore.start.position)]
    )
    .pipe(Effect.map((rows) => rows.length > 0))

/** Moves the checkpoint. False: it was not where the caller believed it to be. */
export const advance = (
  sql: SqlClient,
  options: {
    readonly name: string
    readonly version: number
    readonly from: EventStore.Cursor
    readonly to: EventStore.Cursor
  }
) =>
  sql
    .unsafe(
      `update checkpoints set transaction_id = $5::xid8, position = $6, updated_at = now()
       where name = $1 and version = $2 and transaction_id = $3::xid8 and position = $4
       returning name`,
      [
        options.name,
        options.version,
        String(options.from.transactionId),
        Param.bigint(options.from.position),
        String(options.to.transactionId),
        Param.bigint(options.to.position)
      ]
    )
    .pipe(Effect.map((rows) => rows.length > 0))

/** Forgets how far a projection has come: its runners empty its tables and read all events again. */
export const reset = (sql: SqlClient, name: string) =>
  sql.unsafe("delete from checkpoints where name = $1", [name]).pipe(Effect.asVoid)

/** How far a cursor is behind the log. */
export interface Lag {
  /** Events after the cursor; counted up to 10,000. */
  readonly events: number
  /** Age of the oldest of them by the server's clock. */
  readonly seconds: number
}

const lagCountLimit = 10_000

export const lag = (sql: SqlClient, cursor: EventStore.Cursor) =>
  sql
    .unsafe<Lag>(
      `with rest as (
         select recorded_at from events where (transaction_id, position) > ($1::xid8, $2::bigint)
         order by transaction_id, position limit $3
       )
       select count(*)::int as events,
         greatest(0, coalesce(extract(epoch from now() - min(recorded_at)), 0))::float8 as seconds
       from rest`,
      [String(cursor.transactionId), Param.bigint(cursor.position), lagCountLimit]
    )
    .pipe(Effect.map(([row]): Lag => row ?? { events: 0, seconds: 0 }))
