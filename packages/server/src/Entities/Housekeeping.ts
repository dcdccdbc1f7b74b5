/**
 * What keeps time for the cluster: one fiber on one of the coordinators. It ticks the pool, and wakes suites that have
 * work but nobody to look after them, which is how a suite goes on whose coordinator died.
 */
import { Effect, Random } from "effect"
import type { Layer } from "effect"
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

export const layer: Layer.Layer<never, never, Sharding | SqlClient> = Singleton.make(
  "Housekeeping",
  Effect.gen(function* () {
    const coordinator = (yield* CoordinatorEntity.client)(defaultPool)
    const suiteOf = yield* SuiteEntity.client
    const sql = yield* SqlClient

    // The rows only say whom to wake; what is so is decided by whoever is woken.
    const sweep = Effect.gen(function* () {
      const rows = yield* sql<{ id: string }>`
        select id from suites where completed_at is null and (queued + assigned + running > 0 or state = 'cancelled')`
      yield* Effect.forEach(rows, ({ id }) => EntityCall.inBackground(suiteOf(SuiteId.make(id)).Wake()), {
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
