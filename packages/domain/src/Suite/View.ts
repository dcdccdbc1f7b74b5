/**
 * What queries answer about suites and tasks: RPC, HTTP and `-o json` show these fields under these names.
 */
import { Schema } from "effect"
import { Epoch, ManagerId } from "../Manager/Id.ts"
import { Outcome, TaskState } from "../Task/Attempt.ts"
import { TaskSpec } from "../Task/Spec.ts"
import { SuiteId, TaskId } from "./Id.ts"
import { SuiteSpec, SuiteState, TaskCounts } from "./Spec.ts"
import { taskCounts } from "./State.ts"
import type { Existing } from "./State.ts"

/** A time as ISO 8601 text in UTC with milliseconds. */
export const Instant = Schema.String

export const SuiteView = Schema.Struct({
  id: SuiteId,
  name: Schema.NullOr(Schema.String),
  description: Schema.NullOr(Schema.String),
  tags: Schema.Array(Schema.String),
  labels: Schema.Array(Schema.String),
  priority: Schema.Int,
  workers: Schema.NullOr(Schema.Int),
  maxFails: Schema.NullOr(Schema.Int),
  state: SuiteState,
  paused: Schema.Boolean,
  tasks: TaskCounts,
  createdAt: Instant,
  lastSubmittedAt: Schema.NullOr(Instant),
  completedAt: Schema.NullOr(Instant),
  /** Version of its stream: rises with every change. */
  version: Schema.Int
})
export type SuiteView = typeof SuiteView.Type

/** A suite with all that it was created with. */
export const SuiteDetail = Schema.Struct({
  ...SuiteView.fields,
  spec: SuiteSpec,
  /** Managers that are assigned to it now. */
  managers: Schema.Array(ManagerId)
})
export type SuiteDetail = typeof SuiteDetail.Type

/** A task in a list, with how its latest attempt ended. */
export const TaskView = Schema.Struct({
  id: TaskId,
  index: Schema.Int,
  state: TaskState,
  /** Number of attempts that were begun or leased so far. */
  attempts: Schema.Int,
  outcome: Schema.NullOr(Outcome),
  exitCode: Schema.NullOr(Schema.Int),
  signal: Schema.NullOr(Schema.String),
  submittedAt: Instant,
  startedAt: Schema.NullOr(Instant),
  finishedAt: Schema.NullOr(Instant),
  /** Run time of the latest attempt in milliseconds. */
  duration: Schema.NullOr(Schema.Finite),
  /** Id of the manager that has or had it. */
  manager: Schema.NullOr(ManagerId),
  priority: Schema.Int,
  labels: Schema.Array(Schema.String),
  /** With a task that waits for its next attempt: not before this time. */
  retryAt: Schema.NullOr(Instant),
  cancelRequested: Schema.Boolean,
  message: Schema.NullOr(Schema.String)
})
export type TaskView = typeof TaskView.Type

/** One attempt of a task. `outcome` is null while it runs. */
export const AttemptView = Schema.Struct({
  number: Schema.Int,
  manager: Schema.NullOr(ManagerId),
  epoch: Schema.NullOr(Epoch),
  startedAt: Schema.NullOr(Instant),
  finishedAt: Schema.NullOr(Instant),
  duration: Schema.NullOr(Schema.Finite),
  exitCode: Schema.NullOr(Schema.Int),
  signal: Schema.NullOr(Schema.String),
  outcome: Schema.NullOr(Outcome),
  peakMemory: Schema.NullOr(Schema.Int),
  message: Schema.NullOr(Schema.String),
  stdout: Schema.String,
  stderr: Schema.String
})
export type AttemptView = typeof AttemptView.Type

/** A task with all that is known of it. `stdout` and `stderr` are the tails of the latest attempt. */
export const TaskDetail = Schema.Struct({
  ...TaskView.fields,
  attempts: Schema.Array(AttemptView),
  suiteId: SuiteId,
  spec: TaskSpec,
  stdout: Schema.String,
  stderr: Schema.String,
  /** What a handler returned, or the failure it declared. */
  output: Schema.NullOr(Schema.Json)
})
export type TaskDetail = typeof TaskDetail.Type

/** A settled task as result streams give it. */
export const TaskResult = Schema.Struct({
  id: TaskId,
  index: Schema.Int,
  state: TaskState,
  attempt: Schema.Int,
  outcome: Outcome,
  exitCode: Schema.NullOr(Schema.Int),
  signal: Schema.NullOr(Schema.String),
  startedAt: Schema.NullOr(Instant),
  finishedAt: Schema.NullOr(Instant),
  duration: Schema.NullOr(Schema.Finite),
  stdout: Schema.String,
  stderr: Schema.String,
  output: Schema.NullOr(Schema.Json),
  message: Schema.NullOr(Schema.String)
})
export type TaskResult = typeof TaskResult.Type

/** A time in milliseconds as an `Instant`. */
export const instant = (millis: number): string => new Date(millis).toISOString()

/** A suite as queries show it, from its own state: what a command is answered with. */
export const suiteView = (state: Existing): SuiteView => ({
  id: state.id,
  name: state.spec.name ?? null,
  description: state.spec.description ?? null,
  tags: state.spec.tags ?? [],
  labels: state.spec.labels ?? [],
  priority: state.spec.priority ?? 0,
  workers: state.spec.workers ?? null,
  maxFails: state.spec.maxFails ?? null,
  state: state.state,
  paused: state.paused,
  tasks: taskCounts(state),
  createdAt: instant(state.createdAt),
  lastSubmittedAt: state.tasks.size === 0 ? null : instant(state.lastSubmittedAt),
  completedAt: state.completedAt === undefined ? null : instant(state.completedAt),
  version: state.version
})
