/**
 * The rows of a suite as its events say they should be, worked out one event and one task at a time and without any of the
 * code that writes them: slow, and easy to believe.
 */
import type { SuiteEvent } from "@muster/domain/Suite/Events"
import { Outcome } from "@muster/domain/Task/Attempt"
import type { AttemptResult } from "@muster/domain/Task/Attempt"

/** How an attempt went, as rows have it. Times are milliseconds since 1970. */
export interface AttemptColumns {
  readonly manager: string | null
  readonly epoch: number | null
  readonly started_at: number | null
  readonly finished_at: number | null
  readonly duration: number | null
  readonly outcome: number | null
  readonly exit_code: number | null
  readonly signal: string | null
  readonly stdout: string | null
  readonly stderr: string | null
  readonly stdout_bytes: bigint | null
  readonly stderr_bytes: bigint | null
  readonly output: unknown
  readonly peak_memory: bigint | null
  readonly message: string | null
}

export interface TaskRow extends AttemptColumns {
  readonly index: number
  readonly state: number
  readonly attempt: number
  readonly priority: number
  readonly labels: ReadonlyArray<string>
  readonly spec_version: number
  readonly submitted_at: number
  readonly retry_at: number | null
  readonly cancel_requested: boolean
}

export interface AttemptRow extends AttemptColumns {
  readonly index: number
  readonly number: number
}

export interface LateRow {
  readonly version: number
  readonly ordinal: number
  readonly index: number
  readonly attempt: number
  readonly manager: string
  readonly epoch: number
  readonly at: number
  readonly data: unknown
}

export interface SuiteRow {
  readonly state: string
  readonly paused: boolean
  readonly total: number
  readonly queued: number
  readonly assigned: number
  readonly running: number
  readonly succeeded: number
  readonly failed: number
  readonly cancelled: number
  readonly created_at: number
  readonly last_submitted_at: number | null
  readonly completed_at: number | null
  readonly version: number
}

export interface Rows {
  readonly suite: SuiteRow | undefined
  readonly tasks: ReadonlyArray<TaskRow>
  readonly attempts: ReadonlyArray<AttemptRow>
  readonly late: ReadonlyArray<LateRow>
}

const queued = 0
const assigned = 1
const running = 2
const cancelled = 5
const stateAfter = { succeeded: 3, failed: 4, cancelled, retry: queued }

const noResult = {
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

const big = (value: number | undefined) => (value === undefined ? null : BigInt(value))

const resultOf = (result: AttemptResult) => ({
  started_at: result.startedAt ?? null,
  finished_at: result.finishedAt,
  duration: result.duration === undefined ? null : Math.fround(result.duration),
  outcome: Outcome.literals.indexOf(result.outcome),
  exit_code: result.exitCode ?? null,
  signal: result.signal ?? null,
  stdout: result.stdout ?? null,
  stderr: result.stderr ?? null,
  stdout_bytes: big(result.stdoutBytes),
  stderr_bytes: big(result.stderrBytes),
  output: result.output ?? null,
  peak_memory: big(result.peakMemory),
  message: result.message ?? null
})

type Mutable<A> = { -readonly [Key in keyof A]: A[Key] }

const lost = Outcome.literals.indexOf("lost")

export const rowsOf = (events: ReadonlyArray<SuiteEvent>): Rows => {
  const tasks: Array<Mutable<TaskRow>> = []
  const attempts = new Map<string, AttemptRow>()
  const late: Array<LateRow> = []
  let suite: Mutable<SuiteRow> | undefined

  const each = (ranges: ReadonlyArray<readonly [number, number, ...ReadonlyArray<number>]>) =>
    tasks.filter(({ index }) => ranges.some(([first, last]) => first <= index && index <= last))

  // What is known of an attempt stays, unless all that is known is that it was lost.
  const keep = (row: AttemptRow) => {
    const key = `${row.index} ${row.number}`
    if (!attempts.has(key) || attempts.get(key)?.outcome === lost) attempts.set(key, row)
  }

  for (const [place, event] of events.entries()) {
    const version = place + 1
    if (suite !== undefined) suite.version = version
    switch (event._tag) {
      case "SuiteCreated":
        suite = {
          state: "open",
          paused: false,
          total: 0,
          queued: 0,
          assigned: 0,
          running: 0,
          succeeded: 0,
          failed: 0,
          cancelled: 0,
          created_at: event.at,
          last_submitted_at: null,
          completed_at: null,
          version
        }
        break
      case "TasksSubmitted":
        for (const [k, task] of event.tasks.entries()) {
          tasks.push({
            index: event.firstIndex + k,
            state: queued,
            attempt: 0,
            priority: task.priority ?? 0,
            labels: task.labels ?? [],
            spec_version: version,
            submitted_at: event.at,
            retry_at: null,
            cancel_requested: false,
            manager: null,
            epoch: null,
            ...noResult
          })
        }
        if (suite !== undefined) suite.last_submitted_at = event.at
        break
      case "TasksLeased":
        for (const [first, last, attempt] of event.leases) {
          for (const row of each([[first, last]])) {
            const { epoch, manager } = event
            Object.assign(row, noResult, {
              state: assigned,
              attempt,
              manager,
              epoch,
              retry_at: null
            })
          }
        }
        break
      case "TasksStarted":
        for (const [index, , at] of event.tasks) {
          for (const row of each([[index, index]])) Object.assign(row, { state: running, started_at: at })
        }
        break
      case "AttemptsEnded":
        for (const ended of event.attempts) {
          for (const row of each([[ended.index, ended.index]])) {
            const { epoch, manager } = event
            const result = { ...resultOf(ended), started_at: ended.startedAt ?? row.started_at }
            Object.assign(row, result, {
              state: stateAfter[ended.next],
              attempt: ended.attempt,
              manager,
              epoch,
              retry_at: ended.retryAt ?? null,
              cancel_requested: false
            })
            if (ended.next === "retry") keep({ index: ended.index, number: ended.attempt, manager, epoch, ...result })
          }
        }
        break
      case "LeasesReturned":
        for (const row of each(event.ranges)) {
          Object.assign(row, { state: queued, attempt: row.attempt - 1, manager: null, epoch: null })
        }
        break
      case "LateResultsRecorded":
        for (const [ordinal, result] of event.attempts.entries()) {
          const { at, epoch, manager } = event
          late.push({
            version,
            ordinal,
            index: result.index,
            attempt: result.attempt,
            manager,
            epoch,
            at,
            data: result
          })
        }
        break
      case "TasksCancelled":
        for (const row of each(event.ranges)) {
          Object.assign(row, { state: cancelled, finished_at: event.at, retry_at: null, cancel_requested: false })
        }
        break
      case "TaskCancellationRequested":
        for (const row of each(event.ranges)) row.cancel_requested = true
        break
      case "TasksRequeued":
        for (const row of each(event.ranges)) {
          const { attempt, epoch, index, manager } = row
          if (row.outcome !== null) keep({ index, number: attempt, manager, epoch, ...pickResult(row) })
          Object.assign(row, {
            state: queued,
            retry_at: null,
            finished_at: row.outcome === null ? null : row.finished_at
          })
        }
        break
      case "SuitePaused":
        if (suite !== undefined) suite.paused = true
        break
      case "SuiteResumed":
        if (suite !== undefined) suite.paused = false
        break
      case "SuiteClosed":
        if (suite !== undefined) suite.state = "closed"
        break
      case "SuiteReopened":
        if (suite !== undefined) Object.assign(suite, { state: "open", completed_at: null })
        break
      case "SuiteCompleted":
        if (suite !== undefined) Object.assign(suite, { state: "complete", completed_at: event.at })
        break
      case "SuiteCancelled":
        if (suite !== undefined) suite.state = "cancelled"
        break
      case "SuiteStopped":
        if (suite !== undefined) suite.completed_at = event.at
        break
    }
  }
  const inState = (state: number) => tasks.filter((row) => row.state === state).length
  return {
    suite:
      suite === undefined
        ? undefined
        : {
            ...suite,
            total: tasks.length,
            queued: inState(queued),
            assigned: inState(assigned),
            running: inState(running),
            succeeded: inState(3),
            failed: inState(4),
            cancelled: inState(cancelled)
          },
    tasks,
    attempts: [...attempts.values()].toSorted((a, b) => a.index - b.index || a.number - b.number),
    late
  }
}

const pickResult = (row: TaskRow): Omit<AttemptColumns, "manager" | "epoch"> => ({
  started_at: row.started_at,
  finished_at: row.finished_at,
  duration: row.duration,
  outcome: row.outcome,
  exit_code: row.exit_code,
  signal: row.signal,
  stdout: row.stdout,
  stderr: row.stderr,
  stdout_bytes: row.stdout_bytes,
  stderr_bytes: row.stderr_bytes,
  output: row.output,
  peak_memory: row.peak_memory,
  message: row.message
})
