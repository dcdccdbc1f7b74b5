/**
 * From queued to started, for single tasks on an idle system. Beside graphile-worker's single jobs, and held against a bare
 * commit in the same Postgres server, which no durable queue can do without.
 */
import { Effect } from "effect"
import type { Family, Figure, Sample } from "../Figure.ts"
import * as Latency from "../Latency.ts"
import { pause } from "../peers/Protocol.ts"
import { quantile } from "../Quantile.ts"

const common = {
  unit: "ms",
  better: "lower",
  peer: "graphile-worker",
  yardstick: "commit of one row"
} as const

const p50: Figure = { ...common, name: "queued-to-started-p50", goal: { of: "median", value: 1.5 } }
// Of 200 tasks it is the second worst, and says nothing about a loss.
const p99: Figure = { ...common, unchecked: true, name: "queued-to-started-p99", goal: { of: "median", value: 5 } }

export const start: Family = {
  figures: [p50, p99],
  prepare: Effect.fnUntraced(function* (bench) {
    const { client, database, settings } = yield* bench.muster("handlers")
    const graphile = yield* bench.peer("graphile")
    const count = bench.size({ full: 200, quick: 50, short: 60 })

    const ours = Effect.gen(function* () {
      const { id } = yield* client.createSuite({ name: "bench start" })
      const found = yield* Latency.take(client, id, count)
      yield* client.cancelSuite(id)
      return found
    })

    return {
      settings: { ...settings, tasks: count, atOnce: 1, peerPause: `${pause} ms`, peerDrain: "without localQueue" },
      round: Effect.gen(function* () {
        yield* database.checkpoint
        const found = yield* ours
        const commits = yield* database.commits(count)
        yield* graphile.reset
        yield* database.checkpoint
        const theirs = yield* graphile.ask("latency", count)
        const sample = (part: number): Sample => ({
          value: quantile(found, part),
          peer: quantile(theirs, part),
          yardstick: quantile(commits, part)
        })
        return { [p50.name]: sample(0.5), [p99.name]: sample(0.99) }
      })
    }
  })
}
