/**
 * Many managers that do nothing: what it costs to let them in and to keep them.
 */
import { Effect } from "effect"
import { quantile } from "../Quantile.ts"
import * as SimulatedManager from "../SimulatedManager.ts"
import type { SimulatedManager as Manager } from "../SimulatedManager.ts"
import * as Spent from "../Spent.ts"
import * as Watched from "../Watched.ts"

export interface Settings {
  readonly managers: number
  /** Connections that are opened per second; 0: all at once. */
  readonly rate: number
  /** How long to watch them do nothing. Seconds; two heartbeats at least. */
  readonly watch: number
}

export const defaults: Settings = { managers: 1_000, rate: 50, watch: 60 }

/** Opens connections at a steady rate, and waits until all managers are ready. */
export const connectAll = (count: number, rate: number, options: Omit<SimulatedManager.Options, "name">) =>
  Effect.forEach(
    Array.from({ length: count }, (_, index) => index),
    (index) =>
      Effect.delay(
        SimulatedManager.connect({ ...options, name: `simulated-${index}` }),
        rate === 0 ? 0 : (index * 1_000) / rate
      ),
    { concurrency: "unbounded" }
  )

const spread = (values: ReadonlyArray<number>) => ({
  p50: quantile(values, 0.5),
  p95: quantile(values, 0.95),
  max: Math.max(...values)
})

export const measure = Effect.fnUntraced(function* ({ managers: count, rate, watch }: Settings) {
  const { sql, system } = yield* Watched.make
  const coordinator = yield* system.coordinator({ env: Watched.inLife })
  const options = { url: coordinator.url, token: system.enrolmentToken, workers: 4 }
  const watched = { sql, postgres: system.postgres.pid(), processes: [coordinator.pid, process.pid] }
  // Warm: compiled code and prepared statements.
  yield* Effect.scoped(connectAll(20, 20, options))

  const [managers, arrival] = yield* Spent.during(watched, connectAll(count, rate, options))
  // What was set off by the arrival comes to rest.
  yield* Effect.sleep("15 seconds")
  for (const manager of managers) manager.heartbeats.length = 0
  const [, rest] = yield* Spent.during(watched, Effect.sleep(watch * 1_000))
  const heartbeats = managers.flatMap((manager: Manager) => manager.heartbeats)
  return {
    settings: { managers: count, rate, watch },
    registration: spread(managers.map(({ registration }) => registration)),
    /** CPU milliseconds of the coordinator and of Postgres for one manager's arrival. */
    arrival: {
      coordinator: ((arrival.cpu[0] ?? 0) * 1_000) / count,
      simulators: ((arrival.cpu[1] ?? 0) * 1_000) / count,
      postgres: (arrival.postgresCpu * 1_000) / count
    },
    heartbeat: { ...spread(heartbeats), count: heartbeats.length },
    /** Parts of one core. */
    atRest: {
      coordinator: (rest.cpu[0] ?? 0) / rest.seconds,
      simulators: (rest.cpu[1] ?? 0) / rest.seconds,
      postgres: rest.postgresCpu / rest.seconds
    },
    rest
  }
})
