/**
 * What a coordinator says when somebody asks what is wrong: it asks all coordinators about themselves, and the database.
 */
import { PgClient } from "@effect/sql-pg"
import { Context, Effect, Layer, Semaphore } from "effect"
import * as EntityId from "effect/cluster/EntityId"
import { Sharding } from "effect/cluster/Sharding"
import { SqlClient } from "effect/sql/SqlClient"
import * as Coordinators from "@muster/domain/Doctor/Coordinators"
import type { Report } from "@muster/domain/Doctor/Finding"
import { DoctorEntity } from "@muster/domain/Entities/DoctorEntity"
import { Unavailable } from "@muster/domain/Errors"
import * as Cluster from "./Cluster.ts"
import * as ClusterFacts from "./Doctor/ClusterFacts.ts"
import * as Database from "./Doctor/Database.ts"
import * as Query from "./ReadModels/Query.ts"

export interface Options {
  /** Compare read models with all events, not with a sample. */
  readonly full: boolean
  /** False: the caller asks the database itself. */
  readonly database: boolean
}

export class Doctor extends Context.Service<
  Doctor,
  { readonly examine: (options: Options) => Effect.Effect<Report, Unavailable> }
>()("@muster/server/Doctor") {}

/** A coordinator that has not answered by then is a finding. */
const patience = "3 seconds"

/** Ids that are tried until one lies in a given shard: with a hundred shards, hardly ever more than a thousand. */
const mostIds = 100_000

/** Of the entity's only group. */
const group = "default"

/** An id that lies in a shard. */
const idIn = (sharding: Sharding["Service"], shard: number): string | undefined => {
  for (let number = 0; number < mostIds; number++) {
    const id = `coordinator-${number}`
    if (sharding.getShardId(EntityId.make(id), group).id === shard) return id
  }
  return undefined
}

const busy = new Unavailable({ reason: "another examination is under way; try again when it is done" })

const make = Effect.fnUntraced(function* (poolSize: number) {
  const client = yield* PgClient.PgClient
  const sharding = yield* Sharding
  const coordinator = yield* DoctorEntity.client

  const ask = ({ address, shard, shards }: ClusterFacts.Presence) =>
    Effect.gen(function* () {
      const id = shard === null ? undefined : idIn(sharding, shard)
      if (id === undefined) return undefined
      const facts = yield* coordinator(id).DescribeCoordinator()
      // Where it hangs, another one has taken its shards and answers in its place.
      return facts.runner === address ? facts : undefined
    }).pipe(
      Effect.timeoutOrElse({ duration: patience, orElse: () => Effect.succeed(undefined) }),
      Effect.orElseSucceed(() => undefined),
      Effect.map((facts): Coordinators.Member => ({ address, shards, facts: facts ?? null }))
    )

  const cluster = Effect.gen(function* () {
    const present = yield* Query.unlessAway(ClusterFacts.gather)
    const members = yield* Effect.forEach(present, ask, { concurrency: "unbounded" })
    return Coordinators.judge({ members, shards: Cluster.shardsPerGroup, isFromOutside: false })
  }).pipe(Effect.provideService(SqlClient, client))

  const examine = Effect.fn("Doctor.examine")(function* ({ database, full }: Options) {
    const coordinators = yield* cluster
    const found = database ? yield* Database.examine(client, { full, connections: poolSize }) : []
    return { findings: [...coordinators, ...found] }
  })

  return yield* oneAtATime(examine)
})

/** Each examination needs sessions of its own. */
const oneAtATime = Effect.fnUntraced(function* (
  examine: (options: Options) => Effect.Effect<Report, Unavailable>
): Effect.fn.Return<Doctor["Service"]> {
  const turn = yield* Semaphore.make(1)
  return Doctor.of({
    examine: (options) =>
      Effect.flatMap(turn.withPermitsIfAvailable(1)(examine(options)), (report) =>
        report._tag === "None" ? Effect.fail(busy) : Effect.succeed(report.value)
      )
  })
})

/** `poolSize`: connections that this coordinator's pool may have. */
export const layer = (poolSize: number): Layer.Layer<Doctor, never, PgClient.PgClient | Sharding> =>
  Layer.effect(Doctor, make(poolSize))

/** For a coordinator that only answers questions: it belongs to no cluster that could be asked. */
export const layerReadOnly = (poolSize: number): Layer.Layer<Doctor, never, PgClient.PgClient> =>
  Layer.effect(
    Doctor,
    Effect.flatMap(PgClient.PgClient, (client) =>
      oneAtATime(({ database, full }) =>
        database
          ? Effect.map(Database.examine(client, { full, connections: poolSize }), (findings) => ({ findings }))
          : Effect.succeed({ findings: [] })
      )
    )
  )
