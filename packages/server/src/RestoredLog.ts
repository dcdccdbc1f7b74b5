/**
 * A log that was brought from another server (dump and restore) holds transaction ids of that server. If this one is
 * younger it has yet to reach them: such events would count as not committed and be held back from subscriptions for
 * years, and then mix with new ones.
 */
import { Effect } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"

/** Older than any transaction that a server gives out. */
const beforeAllTransactions = "1"

/**
 * Puts such a log before all transactions of this server, in order of position, and lets subscriptions read it again
 * from the start, since their checkpoints are in the old order. True if there was something to do.
 */
export const adopt = Effect.fnUntraced(function* (sql: SqlClient): Effect.fn.Return<boolean, SqlError> {
  // Own and running transactions are below the end of the snapshot, so only another server's can be above it.
  const foreign = yield* sql.unsafe(
    "select from events where transaction_id >= pg_snapshot_xmax(pg_current_snapshot()) limit 1"
  )
  if (foreign.length === 0) return false
  yield* Effect.logWarning("the event log comes from another database server: histories will be read again")
  yield* sql.unsafe("update events set transaction_id = $1::xid8 where transaction_id <> $1::xid8", [
    beforeAllTransactions
  ])
  yield* sql.unsafe("delete from checkpoints")
  return true
})
