/**
 * Who is in the cluster and leads what, as the locks in Postgres say it: nothing is kept for this, and nothing is written.
 */
import { Context, Effect, Layer } from "effect"
import * as EntityId from "effect/cluster/EntityId"
import { Sharding } from "effect/cluster/Sharding"
import { SqlClient } from "effect/sql/SqlClient"
import type { ClusterView, CoordinatorView, PlacedSuite } from "@muster/domain/Cluster/View"
import { defaultPool } from "@muster/domain/Coordinator/Id"
import type { Unavailable } from "@muster/domain/Errors"
import type { ManagerId } from "@muster/domain/Manager/Id"
import type { SuiteId } from "@muster/domain/Suite/Id"
import type { SuiteState } from "@muster/domain/Suite/Spec"
import { instant } from "@muster/domain/Suite/View"
import * as Locks from "../ClusterLocks.ts"
import { shardsPerGroup } from "../Cluster.ts"
import { ServerInfo } from "../Rpc/ServerInfo.ts"
import * as SessionName from "../SessionName.ts"
import * as Query from "./Query.ts"

export class ClusterQueries extends Context.Service<
  ClusterQueries,
  {
    readonly status: (options: { readonly suites?: boolean | undefined }) => Effect.Effect<ClusterView, Unavailable>
  }
>()("@muster/server/ReadModels/ClusterQueries") {}

/** Suites that are listed at most. */
const mostSuites = 1_000

interface SessionRow {
  readonly address: string
  readonly healthy: boolean
  readonly name: string
  readonly seen_at: Date
  readonly silent: number
  readonly shards: ReadonlyArray<number>
}

/** One row for each session; a coordinator that has just lost one may have two for a moment. Newest first. */
const sessionsText = (locks: ReturnType<typeof Locks.of>) => `
  with here as materialized (
    select pid, ${Locks.number} as number from pg_locks where ${Locks.granted(locks.coordinators)}
  ), shards as materialized (
    select pid, array_agg(${Locks.number} order by ${Locks.number}) as numbers
    from pg_locks where ${Locks.granted(locks.shards)} group by pid
  )
  select r.address, r.healthy, a.application_name as name, a.state_change as seen_at,
    greatest(0, extract(epoch from clock_timestamp() - a.state_change) * 1000)::int4 as silent,
    coalesce(shards.numbers, '{}') as shards
  from here
  join cluster_runners r on r.machine_id = here.number
  join pg_stat_activity a on a.pid = here.pid
  left join shards on shards.pid = here.pid
  order by r.address, a.backend_start desc`

const suitesText = `select id, name, state from suites where state in ('open', 'closed') order by id desc`
const managersText = `select id from managers where state <> 'offline'`

interface SuiteRow {
  readonly id: SuiteId
  readonly name: string | null
  readonly state: SuiteState
}

/** Sessions of the same coordinator as one. */
const byAddress = (rows: ReadonlyArray<SessionRow>): ReadonlyArray<SessionRow> =>
  [...Map.groupBy(rows, ({ address }) => address).values()].flatMap(([newest, ...older]) =>
    newest === undefined
      ? []
      : [{ ...newest, shards: [newest, ...older].flatMap(({ shards }) => shards).toSorted((a, b) => a - b) }]
  )

const countBy = <A>(items: ReadonlyArray<A>, key: (item: A) => string | undefined): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>()
  for (const item of items) {
    const of = key(item)
    if (of !== undefined) counts.set(of, (counts.get(of) ?? 0) + 1)
  }
  return counts
}

export const make = Effect.gen(function* () {
  const sql = yield* SqlClient
  const sharding = yield* Sharding
  const info = yield* ServerInfo
  const [current] = yield* Effect.orDie(sql.unsafe<{ schema: string }>("select current_schema() as schema"))
  const text = sessionsText(Locks.of(current?.schema ?? ""))

  /** All of our entities are in the one group that there is. */
  const shardOf = (id: string) => sharding.getShardId(EntityId.make(id), "default").id

  const status = Effect.fn("ClusterQueries.status")(function* ({
    suites: isListing = false
  }: {
    readonly suites?: boolean | undefined
  }) {
    const [found, suites, managers] = yield* Effect.all(
      [
        Query.run<SessionRow>(sql, text, []),
        Query.run<SuiteRow>(sql, suitesText, []),
        Query.run<{ id: ManagerId }>(sql, managersText, [])
      ],
      { concurrency: "unbounded" }
    )
    const sessions = byAddress(found)
    const holders = new Map(sessions.flatMap(({ address, shards }) => shards.map((shard) => [shard, address] as const)))
    const holderOf = (id: string) => holders.get(shardOf(id))
    const suitesOf = countBy(suites, ({ id }) => holderOf(id))
    const managersOf = countBy(managers, ({ id }) => holderOf(id))
    const leader = holderOf(defaultPool)

    const coordinators = sessions.map(({ address, healthy, name, seen_at, shards, silent }): CoordinatorView => {
      const told = SessionName.decode(name)
      return {
        address,
        url: told?.url ?? null,
        version: told?.version ?? null,
        healthy,
        startedAt: told === undefined ? null : instant(told.startedAt),
        seenAt: Query.instant(seen_at),
        silentFor: silent,
        shards,
        shardsSince: told === undefined ? null : instant(told.shardsSince),
        leads: {
          pools: address === leader ? [defaultPool] : [],
          suites: suitesOf.get(address) ?? 0,
          managers: managersOf.get(address) ?? 0
        }
      }
    })
    const sinceOf = new Map(coordinators.map(({ address, shardsSince }) => [address, shardsSince]))
    const place = ({ id, name, state }: SuiteRow): PlacedSuite => {
      const coordinator = holderOf(id) ?? null
      return { id, name, state, shard: shardOf(id), coordinator, since: sinceOf.get(coordinator ?? "") ?? null }
    }
    return {
      answeredBy: info.coordinator,
      coordinators,
      shards: { total: shardsPerGroup, held: holders.size },
      suites: isListing ? suites.slice(0, mostSuites).map(place) : [],
      openSuites: suites.length
    }
  })

  return ClusterQueries.of({ status })
})

export const layer: Layer.Layer<ClusterQueries, never, SqlClient | Sharding | ServerInfo> = Layer.effect(
  ClusterQueries,
  make
)
