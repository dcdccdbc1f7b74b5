/**
 * What a coordinator tells a manager, pushed on the stream that `Connect` answers with. Directives say what shall be,
 * not what to change, so one that comes twice is harmless: after each reconnect the current ones are said again.
 */
import { Schema } from "effect"
import { SuiteId } from "../Suite/Id.ts"
import { SuiteSpec } from "../Suite/Spec.ts"
import { Epoch } from "./Id.ts"
import { ShutdownMode } from "./Spec.ts"

/** The session is open under this epoch. Always the first. */
export const Welcome = Schema.TaggedStruct("Welcome", {
  epoch: Epoch,
  /** Milliseconds between heartbeats. */
  heartbeatInterval: Schema.Int
})

/** Run this suite. */
export const Assigned = Schema.TaggedStruct("Assigned", { suiteId: SuiteId, spec: SuiteSpec })

/** Stop taking tasks of this suite, give back what has not started, let finish what runs, clean up, say `Released`. */
export const Release = Schema.TaggedStruct("Release", { suiteId: SuiteId })

/** End these attempts (index, number) if they are here. */
export const CancelTasks = Schema.TaggedStruct("CancelTasks", {
  suiteId: SuiteId,
  tasks: Schema.Array(Schema.Tuple([Schema.Int, Schema.Int]))
})

/** Which of a task's output streams. */
export const OutputStream = Schema.Literals(["stdout", "stderr"])
export type OutputStream = typeof OutputStream.Type

/** Answer with `LogChunk`: up to `limit` bytes of the log from `offset`. */
export const ReadLog = Schema.TaggedStruct("ReadLog", {
  requestId: Schema.String,
  suiteId: SuiteId,
  index: Schema.Int,
  attempt: Schema.Int,
  stream: OutputStream,
  offset: Schema.Int,
  limit: Schema.Int
})

/** Take no more work until told otherwise (`draining: false`). */
export const Drain = Schema.TaggedStruct("Drain", { draining: Schema.Boolean })

/** End the process: after what runs has finished, or at once. */
export const Shutdown = Schema.TaggedStruct("Shutdown", { mode: ShutdownMode })

export const Directive = Schema.Union([Welcome, Assigned, Release, CancelTasks, ReadLog, Drain, Shutdown])
export type Directive = typeof Directive.Type
