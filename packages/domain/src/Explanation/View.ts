/**
 * Why a task is as it is, at one moment: facts for programs, and the same in sentences for people. RPC, HTTP and
 * `-o json` show these fields under these names.
 */
import { Schema } from "effect"
import { Epoch, ManagerId } from "../Manager/Id.ts"
import { Reason } from "../Placement.ts"
import { SuiteId, TaskId } from "../Suite/Id.ts"
import { SuiteState, TaskCounts } from "../Suite/Spec.ts"
import { AttemptView, Instant } from "../Suite/View.ts"
import { Next, TaskState } from "../Task/Attempt.ts"
import { TaskSpec } from "../Task/Spec.ts"
import { WorkerId } from "../Worker/Id.ts"

/** A manager by its id, and by its name where that is known. */
export const ManagerName = Schema.Struct({ id: ManagerId, name: Schema.NullOr(Schema.String) })
export type ManagerName = typeof ManagerName.Type

/** Something that was done, by whom (as the events say it: a token's name, `manager:<id>`, `coordinator`) and when. */
const Deed = Schema.Struct({ at: Instant, actor: Schema.String })

/** An attempt with what was decided on it. `next` is null while it has not ended. */
export const ExplainedAttempt = Schema.Struct({
  ...AttemptView.fields,
  leasedAt: Schema.NullOr(Instant),
  /** When its end was recorded, by the coordinator's clock; `startedAt` and `finishedAt` are the manager's. */
  recordedAt: Schema.NullOr(Instant),
  next: Schema.NullOr(Next),
  /** With `retry`: not before this time. */
  retryAt: Schema.NullOr(Instant),
  /** Why that was decided; while it has not ended, how it is. */
  why: Schema.String
})
export type ExplainedAttempt = typeof ExplainedAttempt.Type

/** Of a queued task: what stands between it and a worker. */
export const Waiting = Schema.Struct({
  /** Tasks of the suite that are handed out before it. */
  before: Schema.Int,
  priority: Schema.Int,
  /** Not before this time, since an attempt failed. */
  retryAt: Schema.NullOr(Instant),
  /** Whether the pool that plans who runs what has heard that the suite has tasks waiting. */
  known: Schema.Boolean,
  /** Managers that work on the suite. */
  working: Schema.Array(Schema.Struct({ manager: ManagerName, slots: Schema.Int, releasing: Schema.Boolean })),
  /** Managers that would be given the suite by a plan made at this moment. */
  next: Schema.Array(ManagerName),
  /** Each other manager that is there, and why it does not get the suite. */
  refused: Schema.Array(Schema.Struct({ manager: ManagerName, reason: Reason, why: Schema.String })),
  /** Managers whose session was over, the latest first; at most as many as are worth naming. */
  gone: Schema.Array(ManagerName)
})
export type Waiting = typeof Waiting.Type

/** Of an assigned or running task: who has it, and by what right. */
export const Holding = Schema.Struct({
  manager: ManagerName,
  /** The session that holds the lease. It lasts as long as the session, unless `until` says otherwise. */
  epoch: Epoch,
  attempt: Schema.Int,
  leasedAt: Schema.NullOr(Instant),
  until: Schema.NullOr(Instant),
  startedAt: Schema.NullOr(Instant),
  /** Running workers of this manager. The log does not say which of them has the task. */
  workers: Schema.Array(Schema.Struct({ id: WorkerId, pid: Schema.Int })),
  cancellation: Schema.NullOr(Schema.Struct({ ...Deed.fields, reason: Schema.String }))
})
export type Holding = typeof Holding.Type

/** One event of the task's history. */
export const Happening = Schema.Struct({
  ...Deed.fields,
  version: Schema.Int,
  type: Schema.String,
  what: Schema.String
})
export type Happening = typeof Happening.Type

export const TaskExplanation = Schema.Struct({
  id: TaskId,
  index: Schema.Int,
  spec: TaskSpec,
  /** The moment that is explained: events recorded up to this millisecond, that one included, count. */
  at: Instant,
  state: TaskState,
  /** Since when it is in this state. */
  since: Instant,
  /** The answer, the most important first. */
  sentences: Schema.Array(Schema.String),
  /** What could be done about it, if anything needs to be. */
  advice: Schema.NullOr(Schema.String),
  suite: Schema.Struct({
    id: SuiteId,
    name: Schema.NullOr(Schema.String),
    state: SuiteState,
    paused: Schema.Boolean,
    tasks: TaskCounts,
    /** Version of its stream at that moment. */
    version: Schema.Int
  }),
  submitted: Deed,
  waiting: Schema.NullOr(Waiting),
  held: Schema.NullOr(Holding),
  attempts: Schema.Array(ExplainedAttempt),
  history: Schema.Array(Happening),
  /** Managers that are spoken of, with their names as they were. */
  managers: Schema.Array(ManagerName)
})
export type TaskExplanation = typeof TaskExplanation.Type
