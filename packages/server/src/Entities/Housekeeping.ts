/**
 * What keeps time for the cluster: one fiber on one of the coordinators. It ticks the pool, and wakes suites that have
 * work but nobody to look after them, which is how a suite goes on whose coordinator died.
 */
import { Context, Effect, Layer, Random } from "effect"
import type { Sharding } from "effect/cluster/Sharding"
import * as Singleton from "effect/cluster/Singleton"
import { SqlClient } from "effect/sql/SqlClient"
import { defaultPool } from "@muster/domain/Coordinator/Id"
import { CoordinatorEntity } from "@muster/domain/Entities/CoordinatorEntity"
import { SuiteEntity } from "@muster/domain/Entities/SuiteEntity"
import { SuiteId } from "@muster/domain/Suite/Id"
import * as EntityCall from "./EntityCall.ts"

const tickInterval = 1_000

/** Between two sweeps; a random part keeps them from beating in step with anything (MIT-045). Milliseconds. */
const sweepInterval = 30_000
const sweepJitter = 5_000

/** Suites woken at a time. */
const sweepConcurrency = 16

/** Where suites are found that have work left, whether or not anybody looks after them. */
export class Unfinished extends Context.Service<
  Unfinished,
  { readonly suites: Effect.Effect<ReadonlyArray<SuiteId>, { readonly message: string }> }
>()("@muster/server/Entities/Housekeeping/Unfinished") {}

/** By the rows: they only say whom to wake; what is so is decided by whoever is woken. */
const byRows = Layer.effect(
  Unfinished,
  Effect.map(SqlClient, (sql) =>
    Unfinished.of({
      suites: Effect.map(
        sql<{ id: string }>`
          select id from suites where completed_at is null and (queued + assigned + running > 0 or state = 'cancelled')`,
        (rows) => rows.map(({ id }) => SuiteId.make(id))
      )
    })
  )
)

/** As `layer`, with another way to find suites. */
export const layerWith: Layer.Layer<never, never, Sharding | Unfinished> = Singleton.make(
  "Housekeeping",
  Effect.gen(function* () {
    const coordinator = (yield* CoordinatorEntity.client)(defaultPool)
    const suiteOf = yield* SuiteEntity.client
    const unfinished = yield* Unfinished

    const sweep = Effect.gen(function* () {
      const suites = yield* unfinished.suites
      yield* Effect.forEach(suites, (id) => EntityCall.inBackground(suiteOf(id).Wake()), {
        concurrency: sweepConcurrency,
        discard: true
      })
    }).pipe(Effect.catch((error) => Effect.logDebug("sweep failed", error)))

    const sweeps = Effect.gen(function* () {
      yield* sweep
      const random = yield* Random.next
      yield* Effect.sleep(sweepInterval + random * sweepJitter)
    }).pipe(Effect.forever)

    const ticks = EntityCall.inBackground(coordinator.Tick()).pipe(Effect.delay(tickInterval), Effect.forever)

    yield* Effect.all([sweeps, ticks], { concurrency: 2, discard: true })
  })
)

export const layer: Layer.Layer<never, never, Sharding | SqlClient> = layerWith.pipe(Layer.provide(byRows))
