/**
 * BullMQ on Redis with an append-only file (synced each second, which is Redis's documented durable setting): jobs added in
 * bulks of 5,000, run by one worker with 100 at once.
 */
import { Queue, Worker } from "bullmq"
import { chunks, Countdown, serve, timed } from "./Serve.ts"

const batchSize = 5_000
const concurrency = 100

const connection = { host: "127.0.0.1", port: Number(process.env["PEER_REDIS_PORT"]) }
const queue = new Queue("noop", { connection })
const countdown = new Countdown()

serve({
  reset: async () => {
    await queue.obliterate({ force: true })
    return []
  },
  submit: (count) =>
    timed(async () => {
      for (const chunk of chunks(count, batchSize)) {
        await queue.addBulk(chunk.map((n) => ({ name: "noop", data: { n } })))
      }
    }),
  drain: async (count) => {
    const done = countdown.of(count)
    const began = performance.now()
    const worker = new Worker("noop", async () => {}, { connection, concurrency })
    worker.on("completed", countdown.one)
    await done
    const took = performance.now() - began
    await worker.close()
    return [took]
  }
})
