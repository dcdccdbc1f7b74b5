/**
 * DBOS Transact: no-op workflows started directly by 32 loops, its fastest way. They run as they are started, so there is
 * one figure for both. (Its queues are polled once a second and are slower.)
 */
import { DBOS } from "@dbos-inc/dbos-sdk"
import { Pool } from "pg"
import { Countdown, databaseUrl, each, serve, timed } from "./Serve.ts"

const atOnce = 32

const systemDatabaseUrl = databaseUrl()
const pool = new Pool({ connectionString: systemDatabaseUrl, max: 1 })
await pool.query("drop schema if exists dbos cascade")

const countdown = new Countdown()
const noop = DBOS.registerWorkflow(async (n: number) => n, { name: "noop" })
DBOS.setConfig({ name: "bench", systemDatabaseUrl, logLevel: "error", runAdminServer: false })
await DBOS.launch()

serve({
  reset: async () => {
    await pool.query("truncate dbos.workflow_status cascade")
    return []
  },
  run: (count) =>
    timed(async () => {
      const done = countdown.of(count)
      await each(
        Array.from({ length: count }, (_, n) => n),
        atOnce,
        async (n) => {
          const handle = await DBOS.startWorkflow(noop)(n)
          void handle.getResult().then(countdown.one)
        }
      )
      await done
    })
})
