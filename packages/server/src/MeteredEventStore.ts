/**
 * The event store with its appends timed.
 */
import { Effect, Layer } from "effect"
import { EventStore } from "./EventStore.ts"
import { CoordinatorMetrics } from "./Metrics.ts"

export const layer: Layer.Layer<EventStore, never, EventStore | CoordinatorMetrics> = Layer.effect(
  EventStore,
  Effect.gen(function* () {
    const store = yield* EventStore
    const metrics = yield* CoordinatorMetrics
    return EventStore.of({
      ...store,
      append: (options) =>
        Effect.suspend(() => {
          const began = performance.now()
          return Effect.tap(store.append(options), () =>
            Effect.sync(() => metrics.append.observe((performance.now() - began) / 1_000))
          )
        })
    })
  })
)
