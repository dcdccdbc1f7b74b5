/**
 * The rows of a suite as the database has them, in the form of `SuiteReference.ts`.
 */
import { Effect, Predicate } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { SuiteId } from "@muster/domain/Suite/Id"
import type { AttemptRow, LateRow, Rows, SuiteRow, TaskRow } from "./SuiteReference.ts"

const attempt = `manager, epoch, started_at, finished_at, duration, outcome, exit_code, signal, stdout, stderr,
  stdout_bytes, stderr_bytes, output, peak_memory, message`

/** Times as numbers. */
const plain = (row: object): object =>
  Object.fromEntries(
    Object.entries(row).map(([column, value]) => [column, Predicate.isDate(value) ? value.getTime() : value])
  )

export const rowsOf = Effect.fnUntraced(function* (suiteId: SuiteId) {
  const sql = yield* SqlClient
  const read = <Row>(text: string) =>
    Effect.map(sql.unsafe<object>(text, [suiteId]), (rows) => rows.map((row) => plain(row) as Row)) // the text says so
  const [suite] = yield* read<SuiteRow>(
    `select state, paused, total, queued, assigned, running, succeeded, failed, cancelled, created_at, last_submitted_at,
       completed_at, version
     from suites where id = $1`
  )
  const rows: Rows = {
    suite,
    tasks: yield* read<TaskRow>(
      `select index, state, attempt, priority, labels, spec_version, submitted_at, leased_at, retry_at, cancel_requested,
         ${attempt}
       from tasks where suite_id = $1 order by index`
    ),
    attempts: yield* read<AttemptRow>(
      `select index, number, ${attempt} from attempts where suite_id = $1 order by index, number`
    ),
    late: yield* read<LateRow>(
      `select version, ordinal, index, attempt, manager, epoch, at, data
       from late_results where suite_id = $1 order by version, ordinal`
    )
  }
  return rows
})
