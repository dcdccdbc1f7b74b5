/**
 * graphile-worker, as its documentation says that it is fastest: jobs added with `addJobs`, drained through a local queue of
 * 500 with 24 at once and completions in batches. Single jobs go without the local queue, which would delay them.
 */
import { Logger, makeWorkerUtils, run } from "graphile-worker"
import { Pool } from "pg"
import { Countdown, chunks, databaseUrl, each, latencies, serve, singly, Started, timed } from "./Serve.ts"

/** Fastest of 1,000, 5,000 and 10,000 jobs in a batch, one after the other and with 2 or 4 on their way. */
const batchSize = 5_000
const batchesAtOnce = 4

const pgPool = new Pool({ connectionString: databaseUrl(), max: 20 })
// It warns when nobody listens for these.
pgPool.on("error", ({ message }) => console.error(message))
pgPool.on("connect", (client) => client.on("error", ({ message }) => console.error(message)))
const logger = new Logger(() => () => {})
const countdown = new Countdown()
const started = new Started()

const common = {
  pgPool,
  logger,
  concurrency: 24,
  noHandleSignals: true,
  pollInterval: 2_000,
  taskList: { noop: countdown.one, started: started.now }
}

const batched = {
  worker: {
    localQueue: { size: 500, refetchDelay: { durationMs: 10 } },
    completeJobBatchDelay: 0,
    failJobBatchDelay: 0
  }
}

const utils = await makeWorkerUtils({ pgPool, logger })

serve({
  reset: async () => {
    await pgPool.query("drop schema if exists graphile_worker cascade")
    await utils.migrate()
    return []
  },
  submit: (count) =>
    timed(() =>
      each(chunks(count, batchSize), batchesAtOnce, (chunk) =>
        utils.addJobs(chunk.map((n) => ({ identifier: "noop", payload: { n } })))
      )
    ),
  "submit-single": (count) => singly(count, () => utils.addJob("noop", { n: 0 })),
  drain: async (count) => {
    const done = countdown.of(count)
    const began = performance.now()
    const runner = await run({ ...common, preset: batched })
    await done
    const took = performance.now() - began
    await runner.stop()
    return [took]
  },
  latency: async (count) => {
    const runner = await run(common)
    // The first ones find connections that are not open yet.
    await latencies(20, () => utils.addJob("started", {}), started)
    const found = await latencies(count, () => utils.addJob("started", {}), started)
    await runner.stop()
    return found
  }
})
