/**
 * Many managers that do nothing: what it costs to let them in and to keep them. They are simulated, but what they say to
 * the coordinator, and over what, is real.
 */
import { Effect } from "effect"
import * as Activity from "../Activity.ts"
import type { Family, Figure } from "../Figure.ts"
import { quantile } from "../Quantile.ts"
import { workers } from "../Watched.ts"
import type { Watched } from "../Watched.ts"

const atMost = (value: number) => ({ better: "lower", goal: { of: "median", value } }) as const

const processor: Figure = { name: "managers-processor", unit: "of one core", ...atMost(0.1) }
const rows: Figure = { name: "managers-rows", unit: "rows/min", ...atMost(0) }
const registration: Figure = { name: "managers-registration-p95", unit: "ms", ...atMost(100) }
const heartbeat: Figure = { name: "managers-heartbeat-p95", unit: "ms", ...atMost(5) }

/** Connections that are opened per second. All at once would be a storm, which is another thing to measure. */
const rate = 50

/** Opens connections at a steady rate, and waits until all managers are ready. */
const connectAll = ({ connect }: Watched, count: number) =>
  Effect.forEach(
    Array.from({ length: count }, (_, place) => place),
    (place) => Effect.delay(connect(place), (place * 1_000) / rate),
    { concurrency: "unbounded" }
  )

const spread = (values: ReadonlyArray<number>) => ({
  p50: quantile(values, 0.5),
  p95: quantile(values, 0.95),
  max: Math.max(...values),
  count: values.length
})

export const managers: Family = {
  figures: [processor, rows, registration, heartbeat],
  once: true,
  prepare: Effect.fnUntraced(function* (bench) {
    const count = bench.size({ full: 1_000, quick: 50, short: 200 })
    // What was set off by the arrival comes to rest.
    const settling = Activity.delay + bench.size({ full: 10, quick: 2, short: 5 })
    const resting = bench.size({ full: 40, quick: 11, short: 20 })
    const watched = yield* bench.watched(1)
    return {
      settings: { ...watched.settings, managers: count, workers, arrivals: `${rate}/s`, restSeconds: resting },
      round: Effect.gen(function* () {
        // Warm: compiled code and prepared statements.
        yield* Effect.scoped(connectAll(watched, 20))
        const [connected, arrival] = yield* watched.costing(connectAll(watched, count))
        yield* Effect.sleep(settling * 1_000)
        for (const manager of connected) manager.heartbeats.length = 0
        const { activity, spent } = yield* watched.rest(resting)
        const arrivals = spread(connected.map((manager) => manager.registration))
        const beats = spread(connected.flatMap(({ heartbeats }) => heartbeats))
        const ofCore = (seconds: number) => seconds / spent.seconds
        const each = (seconds: number) => (seconds * 1_000) / count
        const written = Object.values(activity.rows).reduce((sum, number) => sum + number, 0)
        return {
          [processor.name]: {
            value: ofCore(spent.cpuSeconds.coordinator),
            detail: { postgres: ofCore(spent.cpuSeconds.postgres), simulators: ofCore(spent.cpuSeconds.bench) }
          },
          [rows.name]: { value: (written * 60) / spent.seconds, detail: activity.rows },
          [registration.name]: {
            value: arrivals.p95,
            detail: {
              ...arrivals,
              coordinatorMillisEach: each(arrival.cpuSeconds.coordinator),
              postgresMillisEach: each(arrival.cpuSeconds.postgres)
            }
          },
          [heartbeat.name]: { value: beats.p95, detail: beats }
        }
      })
    }
  })
}
