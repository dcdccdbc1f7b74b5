/**
 * The projections that follow the log, running.
 */
import { Clock, Context, Effect, Layer, Schedule } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { EventStore, EventStoreError } from "./EventStore.ts"
import { CoordinatorMetrics } from "./Metrics.ts"
import { projections } from "./Projections/Histories.ts"
import * as Subscription from "./Subscription.ts"

/** How old what a scrape is told of the lag may be. Milliseconds. */
const lagFreshFor = 5_000

/** How often the metrics hear of the lag unasked. Milliseconds. */
const lagInterval = 15_000

/** How far one projection is behind. */
export interface Lag {
  readonly projection: string
  readonly events: number
  readonly seconds: number
}

export class Subscriptions extends Context.Service<
  Subscriptions,
  {
    /** How far each projection is behind, as of a few seconds ago at most. Also told to the metrics. */
    readonly lags: Effect.Effect<ReadonlyArray<Lag>, EventStoreError>
  }
>()("@muster/server/Subscriptions") {}

export const layer: Layer.Layer<Subscriptions, never, SqlClient | EventStore | CoordinatorMetrics> = Layer.effect(
  Subscriptions,
  Effect.gen(function* () {
    const metrics = yield* CoordinatorMetrics
    const runners = yield* Effect.forEach(projections, (projection) => Subscription.make(projection))
    yield* Effect.forEach(runners, (runner) => Effect.forkScoped(runner.run), { discard: true })

    let known: { readonly at: number; readonly lags: ReadonlyArray<Lag> } | undefined
    const lags = Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      if (known !== undefined && now - known.at < lagFreshFor) return known.lags
      const found = yield* Effect.forEach(runners, (runner) =>
        Effect.map(runner.lag, ({ events, seconds }) => ({ projection: runner.projection.name, events, seconds }))
      )
      for (const { events, projection } of found) metrics.projectionLag(projection, events)
      known = { at: now, lags: found }
      return found
    })
    // So that whoever scrapes finds the lag although nobody else asks for it.
    yield* Effect.forkScoped(Effect.repeat(Effect.ignore(lags), Schedule.spaced(lagInterval)))
    return Subscriptions.of({ lags })
  })
)
