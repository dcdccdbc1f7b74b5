/**
 * Attempts as rows. The latest one stands in the task's row, earlier ones in `attempts`. A lease that was given back
 * uncounted leaves the task's row without an attempt: then the latest one is the last in `attempts`.
 */
import type { Epoch, ManagerId } from "@muster/domain/Manager/Id"
import type { AttemptView, TaskDetail } from "@muster/domain/Suite/View"
import { Outcome } from "@muster/domain/Task/Attempt"
import * as Query from "./Query.ts"

/** How an attempt ended, as both tables hold it. */
export interface ResultRow {
  readonly stdout: string | null
  readonly stderr: string | null
  readonly output: TaskDetail["output"]
  readonly peak_memory: bigint | null
}

export const resultColumns = ["stdout", "stderr", "output", "peak_memory"] as const

/** What both tables know of an attempt. */
interface AttemptColumns extends Pick<ResultRow, "stdout" | "stderr" | "peak_memory"> {
  readonly manager: ManagerId | null
  readonly epoch: number | null
  readonly started_at: Date | null
  readonly finished_at: Date | null
  readonly duration: number | null
  readonly outcome: number | null
  readonly exit_code: number | null
  readonly signal: string | null
  readonly message: string | null
}

export interface AttemptRow extends AttemptColumns {
  readonly number: number
}

/** The attempts of a task that are not, or no longer, in its own row. */
export const earlierText = `
  select a.number, a.manager, a.epoch, a.started_at, a.finished_at, a.duration, a.outcome, a.exit_code, a.signal,
    a.message, a.stdout, a.stderr, a.peak_memory
  from attempts a where a.suite_id = $1 and a.index = $2 and a.number <= $3 order by a.number`

/** A task's row with its latest attempt. */
export interface LatestRow extends AttemptColumns {
  readonly attempt: number
}

export const outcomeOf = (number: number | null): Outcome | null =>
  number === null ? null : (Outcome.literals[number] ?? null)

/** All attempts in order. */
export const all = (earlier: ReadonlyArray<AttemptRow>, task: LatestRow): ReadonlyArray<AttemptView> => {
  const isInTask = task.attempt > 0 && (task.manager !== null || task.outcome !== null)
  const before = isInTask ? earlier.filter((row) => row.number < task.attempt) : earlier
  const views = before.map((row) => toView(row, row.number))
  return isInTask ? [...views, toView(task, task.attempt)] : views
}

const toView = (row: AttemptColumns, number: number): AttemptView => ({
  number,
  manager: row.manager,
  // Branded by whoever wrote the row.
  epoch: row.epoch as Epoch | null,
  startedAt: Query.instantOrNull(row.started_at),
  finishedAt: Query.instantOrNull(row.finished_at),
  duration: Query.millisOrNull(row.duration),
  exitCode: row.exit_code,
  signal: row.signal,
  outcome: outcomeOf(row.outcome),
  peakMemory: row.peak_memory === null ? null : Number(row.peak_memory),
  message: row.message,
  stdout: row.stdout ?? "",
  stderr: row.stderr ?? ""
})
