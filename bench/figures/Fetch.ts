/**
 * What it takes a worker to get the next task from its manager, when the manager has one: the call `Next` with the result of
 * the task before, over the Unix socket, timed in a worker that does nothing else (`bench/fetcher.ts`).
 */
import { fileURLToPath } from "node:url"
import { Effect, Schema, Stream } from "effect"
import type { Family, Figure } from "../Figure.ts"
import { quantile } from "../Quantile.ts"
import * as Work from "../Work.ts"

const p50: Figure = { name: "fetch-p50", unit: "ms", better: "lower" }
const p95: Figure = { name: "fetch-p95", unit: "ms", better: "lower", goal: { of: "median", value: 0.5 } }

const fetcher = fileURLToPath(new URL("../fetcher.ts", import.meta.url))
const decodeOutput = Schema.decodeUnknownSync(Schema.Finite)

/** Tasks before the manager knows how fast its worker is and holds enough ready. */
const warmUp = 200

export const fetching: Family = {
  figures: [p50, p95],
  prepare: Effect.fnUntraced(function* (bench) {
    const count = bench.size({ full: 2_000, quick: 300, short: 500 })
    const { client, settings } = yield* bench.ownMuster({
      kind: "plain",
      workers: 1,
      workerCommand: [process.execPath, fetcher]
    })
    return {
      settings: { ...settings, tasks: count, workers: 1, pause: "2 ms between two fetches", warmUp },
      round: Effect.gen(function* () {
        const suiteId = yield* Work.paused(client, "fetch")
        yield* Work.submit(client, suiteId, Work.noop, count + warmUp)
        yield* Work.run(client, suiteId, count + warmUp)
        const results = yield* Stream.runCollect(client.results(suiteId, { follow: false }))
        yield* client.cancelSuite(suiteId)
        const waits = results.filter(({ index }) => index >= warmUp).map(({ output }) => decodeOutput(output))
        return { [p50.name]: { value: quantile(waits, 0.5) }, [p95.name]: { value: quantile(waits, 0.95) } }
      })
    }
  })
}
