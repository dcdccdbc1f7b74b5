/**
 * The run's own eyes in the database: beside the coordinators and not through their links.
 */
import { Effect, Hash, Layer, Redacted } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { shardsPerGroup } from "@muster/server/Cluster"
import * as Database from "@muster/server/Database"
import * as EventStore from "@muster/server/EventStore"
import * as LogEvent from "@muster/server/LogEvent"
import * as PgEventStore from "@muster/server/PgEventStore"
import * as ClusterLocks from "@muster/server/ClusterLocks"
import * as Inline from "@muster/server/Projections/Inline"
import * as Rebuild from "@muster/server/Rebuild"
import type { Log } from "./Log.ts"

export const layer = (url: string) =>
  Layer.provideMerge(
    PgEventStore.layer,
    Database.layer({
      ...Database.defaults,
      url: Redacted.make(url),
      applicationName: "muster-chaos",
      maxConnections: 4
    })
  )

const pageSize = 500

/** Takes what the log has and has not been taken yet; tells what is wrong with it. */
export const follow = (log: Log) => {
  let cursor = EventStore.start
  return Effect.gen(function* () {
    const store = yield* EventStore.EventStore
    const found: Array<string> = []
    for (;;) {
      const page = yield* store.readAll({ after: cursor, limit: pageSize })
      for (const event of page.events) found.push(...log.take(LogEvent.readable(event)))
      ;({ cursor } = page)
      if (page.scanned < pageSize) return found
    }
  })
}

/** Read models that are not what the events say. */
export const rebuildDifferences = Effect.gen(function* () {
  const found: Array<string> = []
  for (const projection of Inline.projections) {
    const { tables } = yield* Rebuild.check(projection)
    for (const { differences, differing, table } of tables) {
      if (differing === 0) continue
      const [first] = differences
      found.push(`rows: ${differing} rows of ${table} differ from a rebuild, such as ${JSON.stringify(first)}`)
    }
  }
  return found
})

/** Which shards each coordinator has, by the port that its connection to Postgres comes from. */
export const shardsByPort = Effect.gen(function* () {
  const sql = yield* SqlClient
  const rows = yield* sql<{ shard: number; port: number }>`
    select l.objid::int8::int4 as shard, a.client_port as port
    from pg_locks l join pg_stat_activity a using (pid)
    where l.locktype = 'advisory' and l.granted and l.objsubid = 2 and l.classid = ${ClusterLocks.of(Database.defaults.schema).shards}`
  const found = new Map<number, Set<number>>()
  for (const { port, shard } of rows) found.set(port, (found.get(port) ?? new Set()).add(shard))
  return found
})

/** The shard that a suite's actor lives in, as the cluster counts them. */
export const shardOf = (suiteId: string): number => Math.abs(Hash.string(suiteId) % shardsPerGroup) + 1
