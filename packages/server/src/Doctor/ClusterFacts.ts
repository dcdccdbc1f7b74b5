/**
 * Who is in the cluster, by the locks that coordinators hold in the database.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import * as Locks from "../ClusterLocks.ts"
import * as Param from "../Param.ts"

export interface Presence {
  /** Within the cluster. */
  readonly address: string
  readonly shards: number
  /** Any of its shards; null when it has none. */
  readonly shard: number | null
}

const presence = `
  with held as (
    select pid, classid::int8::int4 as space, objid::int8::int4 as number from pg_locks
    where locktype = 'advisory' and granted and objsubid = 2
      and database = (select oid from pg_database where datname = current_database())
  )
  select r.address, count(distinct s.number)::int as shards, min(s.number) as shard
  from cluster_runners r
  join held c on c.space = $1 and c.number = r.machine_id
  left join held s on s.space = $2 and s.pid = c.pid
  group by r.address order by r.address`

export const gather = Effect.gen(function* () {
  const sql = yield* SqlClient
  const [place] = yield* sql.unsafe<{ readonly schema: string | null; readonly there: boolean }>(
    "select current_schema() as schema, to_regclass('cluster_runners') is not null as there"
  )
  if (place?.there !== true) return []
  const { coordinators, shards } = Locks.of(place.schema ?? "")
  return yield* sql.unsafe<Presence>(presence, [Param.int(coordinators), Param.int(shards)])
})
