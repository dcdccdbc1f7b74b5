/**
 * One try of one task: how it ended.
 */
import { Schema } from "effect"
import { Timestamp } from "../Millis.ts"

/**
 * How an attempt ended.
 *
 * | outcome | meaning | counts against |
 * |---|---|---|
 * | `succeeded` | exit code 0, or the handler returned | |
 * | `failed` | another exit code, a signal of its own, or the handler failed | `retry.limit` |
 * | `timed_out` | ended by Muster after its timeout | `retry.limit` |
 * | `not_started` | the program or handler does not exist, or the working directory | `retry.limit` |
 * | `crashed` | its worker died under it | the crash limit |
 * | `lost` | its manager was lost while it ran | the crash limit |
 * | `cancelled` | ended because somebody asked for it | |
 * | `lease_lost` | ended by its machine, which was cut off, before the lease was over | |
 */
export const Outcome = Schema.Literals([
  "succeeded",
  "failed",
  "timed_out",
  "not_started",
  "crashed",
  "lost",
  "cancelled",
  "lease_lost"
])
export type Outcome = typeof Outcome.Type

/** Most attempts that a task can have: manual retries included, so far more than any retry policy allows. */
export const maxAttempts = 32_767

/** The highest index that a task can have. */
export const maxIndex = 2 ** 31 - 2

/** How one attempt ended, as its manager reports it. */
export const AttemptResult = Schema.Struct({
  index: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: maxIndex })),
  /** Number of the attempt, from 1. */
  attempt: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: maxAttempts })),
  outcome: Outcome,
  /** The program's exit code, if it exited. */
  exitCode: Schema.optionalKey(Schema.Int),
  /** The signal that ended it, such as `SIGKILL`. */
  signal: Schema.optionalKey(Schema.String),
  /** By the manager's clock. Absent when nothing was started. */
  startedAt: Schema.optionalKey(Timestamp),
  finishedAt: Timestamp,
  /** Run time in milliseconds by the worker's monotonic clock, with fractions. */
  duration: Schema.optionalKey(Schema.Finite),
  /** The end of standard output; bytes that are not UTF-8 appear as U+FFFD, the log file has them as they were. */
  stdout: Schema.optionalKey(Schema.String),
  stderr: Schema.optionalKey(Schema.String),
  /** Bytes written to each stream in all, when more than the tail holds. */
  stdoutBytes: Schema.optionalKey(Schema.Int),
  stderrBytes: Schema.optionalKey(Schema.Int),
  /** What a handler returned, or the failure it declared. */
  output: Schema.optionalKey(Schema.Json),
  /** Largest resident memory of the process tree in bytes, where the system tells. */
  peakMemory: Schema.optionalKey(Schema.Int),
  /** One line for people when `outcome` alone does not say enough. */
  message: Schema.optionalKey(Schema.String)
})
export type AttemptResult = typeof AttemptResult.Type

/** What becomes of a task after an attempt. */
export const Next = Schema.Literals(["succeeded", "failed", "cancelled", "retry"])
export type Next = typeof Next.Type

/** An ended attempt with the decision on it. */
export const EndedAttempt = Schema.Struct({
  ...AttemptResult.fields,
  next: Next,
  /** With `retry`: not before this time. */
  retryAt: Schema.optionalKey(Timestamp)
})
export type EndedAttempt = typeof EndedAttempt.Type

/** A task's states as users see them. `docs/states/task.md` says what moves a task in and out of each. */
export const TaskState = Schema.Literals(["queued", "assigned", "running", "succeeded", "failed", "cancelled"])
export type TaskState = typeof TaskState.Type
