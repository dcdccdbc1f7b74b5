import { Schema } from "effect"
import { SuiteId, TaskId } from "./Id.ts"

export class SuiteNotFound extends Schema.TaggedError<SuiteNotFound>()(
  "SuiteNotFound",
  { suiteId: SuiteId },
  { httpApiStatus: 404 }
) {
  override get message() {
    return `there is no suite ${this.suiteId}`
  }
}

export class SuiteAlreadyExists extends Schema.TaggedError<SuiteAlreadyExists>()(
  "SuiteAlreadyExists",
  { suiteId: SuiteId },
  { httpApiStatus: 409 }
) {
  override get message() {
    return `there is a suite ${this.suiteId} already`
  }
}

/** The suite is cancelled, which is final. */
export class SuiteIsCancelled extends Schema.TaggedError<SuiteIsCancelled>()(
  "SuiteIsCancelled",
  { suiteId: SuiteId },
  { httpApiStatus: 409 }
) {
  override get message() {
    return `suite ${this.suiteId} is cancelled, which is final; create a new suite`
  }
}

/** The command does not fit the suite's state. */
export class SuiteStateConflict extends Schema.TaggedError<SuiteStateConflict>()(
  "SuiteStateConflict",
  { suiteId: SuiteId, state: Schema.String, allowed: Schema.String },
  { httpApiStatus: 409 }
) {
  override get message() {
    return `suite ${this.suiteId} is ${this.state}; allowed when ${this.allowed}`
  }
}

export class TaskNotFound extends Schema.TaggedError<TaskNotFound>()(
  "TaskNotFound",
  { taskId: TaskId },
  { httpApiStatus: 404 }
) {
  override get message() {
    return `there is no task ${this.taskId}`
  }
}

/** The task is settled, and what was asked needs one that is not, or the other way round. */
export class TaskStateConflict extends Schema.TaggedError<TaskStateConflict>()(
  "TaskStateConflict",
  { taskId: TaskId, state: Schema.String, allowed: Schema.String },
  { httpApiStatus: 409 }
) {
  override get message() {
    return `task ${this.taskId} is ${this.state}; allowed when ${this.allowed}`
  }
}

/** What a suite's decider answers when it refuses. */
export const SuiteError = Schema.Union([
  SuiteNotFound,
  SuiteAlreadyExists,
  SuiteIsCancelled,
  SuiteStateConflict,
  TaskNotFound,
  TaskStateConflict
])
export type SuiteError = typeof SuiteError.Type
