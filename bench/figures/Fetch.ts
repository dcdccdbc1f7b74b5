/**
 * What it takes a worker to get the next task from its manager, when the manager has one: the call `Next` over the Unix
 * socket, timed in a worker that does nothing else (`bench/fetcher.ts`). The manager's own counters, in `detail`, say whether
 * it had one.
 */
import { fileURLToPath } from "node:url"
import { Effect, Schema, Stream } from "effect"
import type { Muster } from "../Bench.ts"
import type { Family, Figure } from "../Figure.ts"
import { quantile } from "../Quantile.ts"
import * as Work from "../Work.ts"

const p50: Figure = { name: "fetch-p50", unit: "ms", better: "lower" }
const p95: Figure = { name: "fetch-p95", unit: "ms", better: "lower", goal: { of: "median", value: 0.5 } }

const fetcher = fileURLToPath(new URL("../fetcher.ts", import.meta.url))
const decodeOutput = Schema.decodeUnknownSync(Schema.Finite)

/**
 * Between the end of a task, of which the manager is told at once, and the fetch of the next one. Long enough for the report
 * to be through Postgres: what is measured is a fetch, not what else happens on two processors. Milliseconds.
 */
const pause = 15

/** Tasks before all code is compiled and the manager knows how fast its worker is and holds enough ready. */
const warmUp = 100

/** Managers tell their counters with each heartbeat, which the bench's coordinators want each second. */
const heartbeats = "2500 millis"

/** Calls that found a task, and calls that had to wait for one, of all managers since the coordinator began. */
const prefetched = ({ coordinator, system }: Muster) =>
  Effect.promise(async () => {
    const response = await fetch(`${coordinator.url}/metrics`, {
      headers: { authorization: `Bearer ${system.adminToken}` }
    })
    const text = await response.text()
    const counter = (name: string) => Number(new RegExp(`^muster_prefetch_${name}_total (\\d+)`, "m").exec(text)?.[1])
    return { hits: counter("hits"), misses: counter("misses") }
  })

export const fetching: Family = {
  figures: [p50, p95],
  rounds: { full: 3, quick: 1, short: 3 },
  prepare: Effect.fnUntraced(function* (bench) {
    const count = bench.size({ full: 500, quick: 100, short: 200 })
    const muster = yield* bench.ownMuster({
      kind: "plain",
      workers: 1,
      workerCommand: [process.execPath, fetcher, String(pause)]
    })
    const { client, settings } = muster
    return {
      settings: { ...settings, programs: "sources", tasks: count, workers: 1, pauseMillis: pause, warmUp },
      round: Effect.gen(function* () {
        const suiteId = yield* Work.paused(client, "fetch")
        yield* Work.submit(client, suiteId, Work.noop, count + warmUp)
        yield* Effect.sleep(heartbeats)
        const before = yield* prefetched(muster)
        yield* client.resumeSuite(suiteId)
        // Nobody asks anything meanwhile, so that nothing but the fetches happens on this machine.
        yield* Effect.sleep((count + warmUp) * pause)
        yield* Work.untilSucceeded(client, suiteId, count + warmUp)
        yield* Effect.sleep(heartbeats)
        const after = yield* prefetched(muster)
        const results = yield* Stream.runCollect(client.results(suiteId, { follow: false }))
        yield* client.cancelSuite(suiteId)
        const waits = results.filter(({ index }) => index >= warmUp).map(({ output }) => decodeOutput(output))
        const detail = { foundOne: after.hits - before.hits, hadToWait: after.misses - before.misses }
        return {
          [p50.name]: { value: quantile(waits, 0.5), detail },
          [p95.name]: { value: quantile(waits, 0.95), detail: { ...detail, p99: quantile(waits, 0.99) } }
        }
      })
    }
  })
}
