import { Effect } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { eventually } from "./Eventually.ts"

/**
 * Waits until readers across streams see every event that is stored. They stop before the oldest transaction that is still
 * running on the server, and other tests run some on other databases of the same one.
 */
export const untilVisible = Effect.gen(function* () {
  const sql = yield* SqlClient
  const hidden = sql<{ hidden: boolean }>`
    select exists (select from events where transaction_id >= pg_snapshot_xmin(pg_current_snapshot())) as hidden`
  yield* eventually(hidden, ([row]) => row?.hidden === false)
})
