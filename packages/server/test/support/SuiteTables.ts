/**
 * The rows of a suite as the database has them, in the form of `SuiteReference.ts`: with a row for each task, whether the
 * database has one or keeps it in ranges.
 */
import { Effect, Predicate } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { SuiteId } from "@muster/domain/Suite/Id"
import type { AttemptRow, LateRow, Rows, SuiteRow, TaskRow } from "./SuiteReference.ts"

const attempt = `manager, epoch, started_at, finished_at, duration, outcome, exit_code, signal, stdout, stderr,
  stdout_bytes, stderr_bytes, output, peak_memory, message`

/** Times as numbers. */
export const withNumbers = (row: object): object =>
  Object.fromEntries(
    Object.entries(row).map(([column, value]) => [column, Predicate.isDate(value) ? value.getTime() : value])
  )

type Ranges = ReadonlyArray<readonly [first: number, last: number]>

/** A multirange as the database writes it. */
const rangesOf = (text: string): Ranges =>
  [...text.matchAll(/\[(\d+),(\d+)\)/g)].map(([, first, end]) => [Number(first), Number(end) - 1] as const)

const indexesOf = (ranges: Ranges): ReadonlyArray<number> =>
  ranges.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, k) => first + k))

export interface Lease {
  readonly manager: string
  readonly epoch: number
  readonly tasks: Ranges
}

export interface Submission {
  readonly first_index: number
  readonly last_index: number
  readonly version: number
  readonly submitted_at: number
}

/** What the database has of plain tasks, and of which tasks it has rows. */
export interface Ledger {
  readonly plain: Ranges
  readonly leases: ReadonlyArray<Lease>
  readonly submissions: ReadonlyArray<Submission>
  /** Indexes of tasks with a row. */
  readonly apart: ReadonlyArray<number>
}

const reader = Effect.fnUntraced(function* (suiteId: SuiteId) {
  const sql = yield* SqlClient
  return <Row>(text: string) =>
    Effect.map(sql.unsafe<object>(text, [suiteId]), (rows) => rows.map((row) => withNumbers(row) as Row)) // the text says so
})

export const ledgerOf = Effect.fnUntraced(function* (suiteId: SuiteId) {
  const read = yield* reader(suiteId)
  const [suite] = yield* read<{ readonly plain: string }>(`select plain::text from suites where id = $1`)
  const leases = yield* read<{ readonly manager: string; readonly epoch: number; readonly tasks: string }>(
    `select manager, epoch, tasks::text from leases where suite_id = $1 order by manager, epoch`
  )
  const apart = yield* read<{ readonly index: number }>(`select index from tasks where suite_id = $1 order by index`)
  const ledger: Ledger = {
    plain: rangesOf(suite?.plain ?? "{}"),
    leases: leases.map((lease) => ({ ...lease, tasks: rangesOf(lease.tasks) })),
    submissions: yield* read<Submission>(
      `select first_index, last_index, version, submitted_at from submissions where suite_id = $1 order by first_index`
    ),
    apart: apart.map(({ index }) => index)
  }
  return ledger
})

/** A plain task as a row. */
const plainRow = (index: number, leases: ReadonlyArray<Lease>) => {
  const lease = leases.find(({ tasks }) => tasks.some(([first, last]) => first <= index && index <= last))
  return {
    index,
    state: lease === undefined ? 0 : 1,
    attempt: lease === undefined ? 0 : 1,
    priority: 0,
    labels: [],
    retry_at: null,
    cancel_requested: false,
    manager: lease?.manager ?? null,
    epoch: lease?.epoch ?? null,
    started_at: null,
    finished_at: null,
    duration: null,
    outcome: null,
    exit_code: null,
    signal: null,
    stdout: null,
    stderr: null,
    stdout_bytes: null,
    stderr_bytes: null,
    output: null,
    peak_memory: null,
    message: null
  }
}

export const rowsOf = Effect.fnUntraced(function* (suiteId: SuiteId) {
  const read = yield* reader(suiteId)
  const [suite] = yield* read<SuiteRow>(
    `select state, paused, total, queued, assigned, running, succeeded, failed, cancelled, created_at, last_submitted_at,
       completed_at, version
     from suites where id = $1`
  )
  const { leases, plain, submissions } = yield* ledgerOf(suiteId)
  const apart = yield* read<Omit<TaskRow, "spec_version" | "submitted_at">>(
    `select index, state, attempt, priority, coalesce(labels, '{}') as labels, retry_at, cancel_requested,
       ${attempt}
     from tasks where suite_id = $1`
  )
  const tasks = [...apart, ...indexesOf(plain).map((index) => plainRow(index, leases))].toSorted(
    (a, b) => a.index - b.index
  )
  const rows: Rows = {
    suite,
    tasks: tasks.map((row) => {
      const submission = submissions.findLast(({ first_index }) => first_index <= row.index)
      return { ...row, spec_version: submission?.version ?? 0, submitted_at: submission?.submitted_at ?? 0 }
    }),
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
