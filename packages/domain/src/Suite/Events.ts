/**
 * What can happen to a suite and its tasks. One event may speak of thousands of tasks, so data are compact: tasks are
 * named by index, runs of them by `[from, to]` with both ends included. Times are milliseconds since 1970.
 *
 * Names and fields are wire format: never rename, only add.
 */
import { Schema } from "effect"
import { Epoch, ManagerId } from "../Manager/Id.ts"
import { Timestamp } from "../Millis.ts"
import { AttemptResult, EndedAttempt } from "../Task/Attempt.ts"
import { TaskSpec } from "../Task/Spec.ts"
import { CancelMode, SuiteSpec } from "./Spec.ts"
import { SuiteId } from "./Id.ts"

/** Indexes from the first to the last, both included. */
export const Range = Schema.Tuple([Schema.Int, Schema.Int])
export type Range = typeof Range.Type

/** Leased tasks: first index, last index, number of the attempt that they are leased for. */
export const LeaseRange = Schema.Tuple([Schema.Int, Schema.Int, Schema.Int])
export type LeaseRange = typeof LeaseRange.Type

export const SuiteCreated = Schema.TaggedStruct("SuiteCreated", { id: SuiteId, spec: SuiteSpec, at: Timestamp })

/** `tasks[k]` has index `firstIndex + k`. The specs stand here and nowhere else. */
export const TasksSubmitted = Schema.TaggedStruct("TasksSubmitted", {
  firstIndex: Schema.Int,
  tasks: Schema.Array(TaskSpec),
  at: Timestamp
})

/** A manager's session got the right to run these tasks. */
export const TasksLeased = Schema.TaggedStruct("TasksLeased", {
  manager: ManagerId,
  epoch: Epoch,
  leases: Schema.Array(LeaseRange),
  at: Timestamp
})

/** Leased tasks began to run. Tasks that end within the same report have no such event. */
export const TasksStarted = Schema.TaggedStruct("TasksStarted", {
  manager: ManagerId,
  epoch: Epoch,
  /** Index, number of the attempt, time of start. */
  tasks: Schema.Array(Schema.Tuple([Schema.Int, Schema.Int, Timestamp])),
  at: Timestamp
})

/** Attempts ended; each says what becomes of its task. */
export const AttemptsEnded = Schema.TaggedStruct("AttemptsEnded", {
  manager: ManagerId,
  epoch: Epoch,
  attempts: Schema.Array(EndedAttempt),
  at: Timestamp
})

/** Why leased tasks went back to the queue without having started. */
export const ReturnReason = Schema.Literals(["returned", "manager_lost"])
export type ReturnReason = typeof ReturnReason.Type

/**
 * Leased tasks that had not started went back to the queue, uncounted. There may be none of them: `manager_lost` also says
 * that sessions of this manager up to this epoch are over and get nothing more, should a lease still be on its way;
 * `returned` without tasks says that the manager does not wait any more for what it had asked for under this command id.
 */
export const LeasesReturned = Schema.TaggedStruct("LeasesReturned", {
  manager: ManagerId,
  epoch: Epoch,
  ranges: Schema.Array(Range),
  reason: ReturnReason,
  at: Timestamp
})

/** Results of leases that were lost, which came too late. Evidence: they change nothing. */
export const LateResultsRecorded = Schema.TaggedStruct("LateResultsRecorded", {
  manager: ManagerId,
  epoch: Epoch,
  attempts: Schema.Array(AttemptResult),
  at: Timestamp
})

/** Queued tasks were cancelled. */
export const TasksCancelled = Schema.TaggedStruct("TasksCancelled", {
  ranges: Schema.Array(Range),
  reason: Schema.String,
  at: Timestamp
})

/** Leased or running tasks shall end; each is cancelled when its end was seen. */
export const TaskCancellationRequested = Schema.TaggedStruct("TaskCancellationRequested", {
  ranges: Schema.Array(Range),
  reason: Schema.String,
  at: Timestamp
})

/** Settled tasks were put back into the queue by a user, with all of their retries. */
export const TasksRequeued = Schema.TaggedStruct("TasksRequeued", { ranges: Schema.Array(Range), at: Timestamp })

export const SuitePaused = Schema.TaggedStruct("SuitePaused", { at: Timestamp })
export const SuiteResumed = Schema.TaggedStruct("SuiteResumed", { at: Timestamp })

/** `idle`: three minutes without a submission and work left. Closed suites go on handing out tasks. */
export const SuiteClosed = Schema.TaggedStruct("SuiteClosed", {
  reason: Schema.Literals(["idle", "user"]),
  at: Timestamp
})

/** The last pending task was settled. */
export const SuiteCompleted = Schema.TaggedStruct("SuiteCompleted", { at: Timestamp })

export const SuiteReopened = Schema.TaggedStruct("SuiteReopened", {
  reason: Schema.Literals(["submit", "retry", "manager_lost"]),
  at: Timestamp
})

export const SuiteCancelled = Schema.TaggedStruct("SuiteCancelled", {
  reason: Schema.String,
  mode: CancelMode,
  at: Timestamp
})

/** A cancelled suite's last running task ended. */
export const SuiteStopped = Schema.TaggedStruct("SuiteStopped", { at: Timestamp })

export const SuiteEvent = Schema.Union([
  SuiteCreated,
  TasksSubmitted,
  TasksLeased,
  TasksStarted,
  AttemptsEnded,
  LeasesReturned,
  LateResultsRecorded,
  TasksCancelled,
  TaskCancellationRequested,
  TasksRequeued,
  SuitePaused,
  SuiteResumed,
  SuiteClosed,
  SuiteCompleted,
  SuiteReopened,
  SuiteCancelled,
  SuiteStopped
])
export type SuiteEvent = typeof SuiteEvent.Type

/** Version of the shapes above, stored with each event. */
export const schemaVersion = 1
