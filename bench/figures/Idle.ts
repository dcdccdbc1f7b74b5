/**
 * A Muster that has nothing to do, with one coordinator and with two: what it asks of its database and of the machine all
 * the same. Everything is for one minute.
 */
import { Effect } from "effect"
import * as Activity from "../Activity.ts"
import type { Family, Figure, Round } from "../Figure.ts"
import type { Watched } from "../Watched.ts"

const lower = { better: "lower" } as const

const figuresOf = (name: string) =>
  ({
    rows: { ...lower, name: `${name}-rows`, unit: "rows/min", goal: { of: "median", value: 0 } },
    queries: { ...lower, name: `${name}-queries`, unit: "queries/min" },
    processor: { ...lower, name: `${name}-processor`, unit: "ms/min" },
    wal: { ...lower, name: `${name}-wal`, unit: "bytes/min" }
  }) satisfies Record<string, Figure>

const managers = 3

/** What a query is for. */
const purposeOf = (query: string): "locks" | "transactions" | "polls" => {
  if (/advisory|pg_locks/.test(query)) return "locks"
  return /^(begin|commit|rollback|start transaction|set )/i.test(query) ? "transactions" : "polls"
}

const byPurpose = (statements: ReadonlyArray<Activity.Statement>, value: (statement: Activity.Statement) => number) => {
  const sums = { locks: 0, transactions: 0, polls: 0 }
  for (const statement of statements) sums[purposeOf(statement.query)] += value(statement)
  return sums
}

const perMinute = (values: Readonly<Record<string, number>>, seconds: number) =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, (value * 60) / seconds]))

const sum = (values: Readonly<Record<string, number>>) =>
  Object.values(values).reduce((total, value) => total + value, 0)

const measure = Effect.fnUntraced(function* (
  name: string,
  { connect, database, rest }: Watched,
  { resting, settling }: { readonly settling: number; readonly resting: number }
): Effect.fn.Return<Round, never, never> {
  const figures = figuresOf(name)
  return yield* Effect.scoped(
    Effect.gen(function* () {
      for (let place = 0; place < managers; place++) yield* connect(place)
      // Else a fresh server would, at the end of its first minute, vacuum what the migrations wrote.
      yield* database.rows("vacuum analyze")
      yield* Effect.sleep(settling * 1_000)
      const { activity, spent } = yield* rest(resting)
      const rate = (values: Readonly<Record<string, number>>) => perMinute(values, spent.seconds)
      const rows = rate(activity.rows)
      const queries = rate(byPurpose(activity.statements, ({ calls }) => calls))
      const { coordinator, postgres } = spent.cpuSeconds
      const processor = rate({ coordinators: coordinator * 1_000, postgres: postgres * 1_000 })
      const inServer = rate(byPurpose(activity.statements, ({ millis }) => millis))
      return {
        [figures.rows.name]: { value: sum(rows), detail: rows },
        [figures.queries.name]: {
          value: sum(queries),
          detail: { ...queries, locksServerMillis: inServer.locks ?? 0, pollsServerMillis: inServer.polls ?? 0 }
        },
        [figures.processor.name]: { value: sum(processor), detail: processor },
        [figures.wal.name]: { value: (spent.walBytes * 60) / spent.seconds }
      }
    })
  )
})

export const idle: Family = {
  figures: [...Object.values(figuresOf("idle")), ...Object.values(figuresOf("idle-2"))],
  once: true,
  prepare: Effect.fnUntraced(function* (bench) {
    const settling = Activity.delay + bench.size({ full: 30, quick: 2, short: 20 })
    const resting = bench.size({ full: 60, quick: 10, short: 20 })
    const [one, two] = yield* Effect.all([bench.watched(1), bench.watched(2)])
    return {
      settings: { ...one.settings, coordinators: "1, and 2 in idle-2", managers, settling, restSeconds: resting },
      // Side by side: neither has anything to do, and of each its own processes are looked at.
      round: Effect.map(
        Effect.all([measure("idle", one, { settling, resting }), measure("idle-2", two, { settling, resting })], {
          concurrency: 2
        }),
        ([ofOne, ofTwo]) => ({ ...ofOne, ...ofTwo })
      )
    }
  })
}
