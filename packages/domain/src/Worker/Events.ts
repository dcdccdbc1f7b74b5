/**
 * What can happen to a worker's place on a machine: processes come and go in it. Each event names the worker, since any
 * of them may be the first that is known of it. Times are the manager's clock, in milliseconds since 1970.
 *
 * Names and fields are wire format: never rename, only add.
 */
import { Schema } from "effect"
import { Timestamp } from "../Millis.ts"
import { WorkerId } from "./Id.ts"

export const WorkerStarted = Schema.TaggedStruct("WorkerStarted", { id: WorkerId, pid: Schema.Int, at: Timestamp })

/** The process ended by itself. */
export const WorkerCrashed = Schema.TaggedStruct("WorkerCrashed", {
  id: WorkerId,
  pid: Schema.Int,
  exitCode: Schema.optionalKey(Schema.Int),
  signal: Schema.optionalKey(Schema.String),
  at: Timestamp
})

/** The process ended because its manager wanted it to. */
export const WorkerStopped = Schema.TaggedStruct("WorkerStopped", { id: WorkerId, pid: Schema.Int, at: Timestamp })

export const WorkerEvent = Schema.Union([WorkerStarted, WorkerCrashed, WorkerStopped])
export type WorkerEvent = typeof WorkerEvent.Type

/** Version of the shapes above, stored with each event. */
export const schemaVersion = 1
