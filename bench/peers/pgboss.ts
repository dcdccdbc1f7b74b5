/**
 * pg-boss, as it is fastest: jobs inserted in batches of 5,000, fetched and completed in batches of 500 by four loops.
 */
import PgBoss from "pg-boss"
import { Pool } from "pg"
import { chunks, databaseUrl, serve, timed } from "./Serve.ts"

const batchSize = 5_000
const fetchSize = 500
const loops = 4

const connectionString = databaseUrl()
const pool = new Pool({ connectionString, max: 1 })
let boss = new PgBoss({ connectionString, max: 20 })

const drain = async () => {
  for (;;) {
    const jobs = await boss.fetch("noop", { batchSize: fetchSize })
    if (jobs.length === 0) return
    await boss.complete(
      "noop",
      jobs.map(({ id }) => id)
    )
  }
}

serve({
  reset: async () => {
    await boss.stop({ graceful: false })
    await pool.query("drop schema if exists pgboss cascade")
    boss = new PgBoss({ connectionString, max: 20 })
    boss.on("error", (error) => console.error(error.message))
    await boss.start()
    await boss.createQueue("noop")
    return []
  },
  submit: (count) =>
    timed(async () => {
      for (const chunk of chunks(count, batchSize)) {
        await boss.insert(chunk.map((n) => ({ name: "noop", data: { n } })))
      }
    }),
  drain: () => timed(() => Promise.all(Array.from({ length: loops }, drain)))
})
