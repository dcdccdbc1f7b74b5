/**
 * Tasks submitted one by one, many requests at once, beside graphile-worker's `addJob`.
 */
import { Effect } from "effect"
import type { Family, Figure } from "../Figure.ts"
import { inFlight } from "../peers/Protocol.ts"
import * as Work from "../Work.ts"

const figure: Figure = {
  name: "submit-single",
  unit: "tasks/s",
  better: "higher",
  peer: "graphile-worker addJob",
  goal: { of: "median", value: 5_000 }
}

export const single: Family = {
  figures: [figure],
  prepare: Effect.fnUntraced(function* (bench) {
    const { client, costing, database, settings } = yield* bench.muster("handlers")
    const graphile = yield* bench.peer("graphile")
    const count = bench.size({ full: 10_000, quick: 2_000, short: 5_000 })

    const ours = Effect.gen(function* () {
      const suiteId = yield* Work.paused(client, "single")
      yield* database.checkpoint
      const [took, cost] = yield* Effect.forEach(
        Work.copies(Work.noop, count),
        (task) => client.submit(suiteId, [task]),
        { concurrency: inFlight, discard: true }
      ).pipe(Work.timed, costing(count))
      yield* client.cancelSuite(suiteId)
      return { value: Work.perSecond(count, took), cost }
    })

    return {
      settings: { ...settings, tasks: count, inFlight, connections: 1, peerConnections: 20 },
      round: Effect.gen(function* () {
        const sample = yield* ours
        yield* graphile.reset
        yield* database.checkpoint
        return { [figure.name]: { ...sample, peer: yield* graphile.rate("submit-single", count) } }
      })
    }
  })
}
