/**
 * A Muster that has nothing to do: what it asks of its database and of the machine all the same.
 */
import { Effect } from "effect"
import * as SimulatedManager from "../SimulatedManager.ts"
import * as Spent from "../Spent.ts"
import * as Watched from "../Watched.ts"

export interface Settings {
  readonly coordinators: number
  readonly managers: number
  /**
   * How long to wait until it does nothing. Seconds. A fresh server vacuums what the migrations wrote at the end of its
   * first minute.
   */
  readonly settle: number
  /** How long to watch it do nothing. Seconds. */
  readonly watch: number
}

export const defaults: Settings = { coordinators: 1, managers: 3, settle: 100, watch: 60 }

export const measure = Effect.fnUntraced(function* (settings: Settings) {
  const { sql, system } = yield* Watched.make
  const coordinators = yield* Effect.forEach(Array.from({ length: settings.coordinators }), () =>
    system.coordinator({ env: Watched.inLife })
  )
  const [first] = coordinators
  if (first === undefined) return yield* Effect.die(new Error("an idle Muster has at least one coordinator"))
  for (let index = 0; index < settings.managers; index++) {
    const { url } = coordinators[index % coordinators.length] ?? first
    yield* SimulatedManager.connect({ url, token: system.enrolmentToken, name: `idle-${index}`, workers: 4 })
  }
  yield* Effect.sleep(settings.settle * 1_000)
  const [, spent] = yield* Spent.during(
    { sql, postgres: system.postgres.pid(), processes: coordinators.map(({ pid }) => pid) },
    Effect.sleep(settings.watch * 1_000)
  )
  const perMinute = (value: number) => (value * 60) / spent.seconds
  return {
    settings,
    perMinute: {
      queries: perMinute(spent.statements.reduce((sum, { calls }) => sum + calls, 0)),
      /** CPU milliseconds of each coordinator, and of Postgres. */
      coordinators: spent.cpu.map((seconds) => perMinute(seconds * 1_000)),
      postgres: perMinute(spent.postgresCpu * 1_000),
      walBytes: perMinute(spent.walBytes),
      rowsWritten: perMinute(Object.values(spent.writes).reduce((sum, count) => sum + count, 0))
    },
    spent
  }
})
