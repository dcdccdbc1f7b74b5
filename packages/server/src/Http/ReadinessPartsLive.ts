/**
 * How a running coordinator sees its own parts.
 */
import { Effect, Layer } from "effect"
import type { Sharding } from "effect/cluster/Sharding"
import { defaultPool } from "@muster/domain/Coordinator/Id"
import { CoordinatorEntity } from "@muster/domain/Entities/CoordinatorEntity"
import { Subscriptions } from "../Subscriptions.ts"
import { ReadinessParts } from "./Readiness.ts"

/** A projection that is further behind is worth a word. Seconds. */
const tolerableLag = 60

export const layer: Layer.Layer<ReadinessParts, never, Sharding | Subscriptions> = Layer.effect(
  ReadinessParts,
  Effect.gen(function* () {
    const pool = (yield* CoordinatorEntity.client)(defaultPool)
    const subscriptions = yield* Subscriptions
    return ReadinessParts.of({
      // The pool's actor answers only when shards are assigned, wherever it lives.
      cluster: pool.Tick().pipe(
        Effect.as({ ok: true, message: null }),
        Effect.catch(({ _tag }) => Effect.succeed({ ok: false, message: `the pool does not answer (${_tag})` }))
      ),
      projections: subscriptions.lags.pipe(
        Effect.map((lags) => {
          const late = lags.filter(({ seconds }) => seconds > tolerableLag)
          return late.length === 0
            ? { ok: true, message: null }
            : // Histories that catch up keep nobody from working: said, but no reason to send requests elsewhere.
              { ok: true, message: `behind: ${late.map(({ projection }) => projection).join(", ")}` }
        }),
        Effect.catch(() => Effect.succeed({ ok: false, message: "their state cannot be read" }))
      )
    })
  })
)
