import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as Metrics from "../src/Metrics.ts"
import * as PgEventStore from "../src/PgEventStore.ts"
import * as Subscriptions from "../src/Subscriptions.ts"
import { eventually } from "./support/Eventually.ts"
import * as Muster from "./support/Muster.ts"

const live = Subscriptions.layer.pipe(
  Layer.provideMerge(Metrics.layer),
  Layer.provideMerge(PgEventStore.layer),
  Layer.provideMerge(Muster.layer)
)

layer(live, { excludeTestServices: true })("the projections that follow the log", (it) => {
  it.effect("tell the metrics how far they are behind, although nobody asks", () =>
    Effect.gen(function* () {
      const metrics = yield* Metrics.CoordinatorMetrics
      const text = yield* eventually(metrics.render, (rendered) =>
        rendered.includes('muster_projection_lag_events{projection="throughput"}')
      )
      assert.include(text, 'muster_projection_lag_events{projection="manager_history"}')
    })
  )
})
