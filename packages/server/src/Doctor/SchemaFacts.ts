/**
 * Reads how the database is structured and how far histories have come.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { SchemaFacts, Subscription } from "@muster/domain/Doctor/Schema"
import * as Checkpoints from "../Checkpoints.ts"
import * as EventStore from "../EventStore.ts"
import * as Migrations from "../Migrations.ts"
import * as Param from "../Param.ts"
import { projections } from "../Projections/Histories.ts"

interface Step {
  readonly version: number
  readonly name: string
  readonly checksum: string
}

export const gather = Effect.gen(function* () {
  const sql = yield* SqlClient
  const [place] = yield* sql.unsafe<{ readonly schema: string; readonly there: boolean }>(
    `select trim(both '"' from split_part(current_setting('search_path'), ',', 1)) as schema,
       to_regclass('schema_migrations') is not null as there`
  )
  const steps =
    place?.there === true
      ? yield* sql.unsafe<Step>("select version, name, checksum from schema_migrations order by version")
      : []
  const applied = steps.at(-1)?.version
  const known = new Map(Migrations.migrations.map((migration) => [migration.version, Migrations.checksum(migration)]))
  const facts: SchemaFacts = {
    schema: place?.schema ?? "",
    applied: applied ?? null,
    supported: Migrations.supported,
    pending: Migrations.migrations.slice(applied ?? 0).map(({ name, version }) => `${version} ${name}`),
    changed: steps
      .filter(({ checksum, version }) => known.has(version) && known.get(version) !== checksum)
      .map(({ name, version }) => `${version} ${name}`)
  }
  return facts
})

/**
 * Events that a projection wants and has not seen. Others do not count: passing them moves no checkpoint for a long time.
 * Counted up to some.
 */
const waiting = `
  with rest as (
    select recorded_at from events
    where (transaction_id, position) > ($1::xid8, $2::bigint) and type = any ($3)
    order by transaction_id, position limit 10000
  )
  select count(*)::int as events,
    greatest(0, coalesce(extract(epoch from clock_timestamp() - min(recorded_at)), 0))::float8 * 1000 as milliseconds
  from rest`

export const gatherSubscriptions = Effect.gen(function* () {
  const sql = yield* SqlClient
  return yield* Effect.forEach(projections, ({ eventTypes, name, version }) =>
    Effect.gen(function* () {
      const stored = yield* Checkpoints.load(sql, name)
      const { position, transactionId } = stored?.cursor ?? EventStore.start
      const [lag] = yield* sql.unsafe<{ readonly events: number; readonly milliseconds: number }>(waiting, [
        String(transactionId),
        Param.bigint(position),
        Param.texts(eventTypes)
      ])
      const found: Subscription = {
        projection: name,
        stored: stored?.version ?? null,
        known: version,
        events: lag?.events ?? 0,
        milliseconds: lag?.milliseconds ?? 0
      }
      return found
    })
  )
})
