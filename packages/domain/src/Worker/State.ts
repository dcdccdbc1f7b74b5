/**
 * What a worker's aggregate has to remember in order to decide: which process is or was in its place. Plain data, so the
 * schema is also the form of its snapshots.
 */
import { Schema } from "effect"
import { Timestamp } from "../Millis.ts"
import { WorkerId } from "./Id.ts"

/** How many changes are remembered so as to know them when they come again. */
export const maxRecent = 16

/** A change that was recorded: what, of which process, when. */
export const Recent = Schema.Tuple([Schema.Literals(["started", "crashed", "stopped"]), Schema.Int, Timestamp])
export type Recent = typeof Recent.Type

const known = {
  id: WorkerId,
  /** Of the latest process. */
  pid: Schema.Int,
  /** When the latest process started; null when only its end was told. */
  startedAt: Schema.NullOr(Timestamp),
  /** Processes that ended by themselves. */
  crashes: Schema.Int,
  /** Of the latest crash. */
  lastExitCode: Schema.NullOr(Schema.Int),
  lastSignal: Schema.NullOr(Schema.String),
  /** The latest ones, oldest first. */
  recent: Schema.Array(Recent),
  updatedAt: Timestamp
}

/** Nothing has happened on this stream. */
export const Unknown = Schema.TaggedStruct("Unknown", {})
export type Unknown = typeof Unknown.Type

export const Running = Schema.TaggedStruct("Running", known)
export type Running = typeof Running.Type

/** The latest process ended by itself; the next one is not there yet. */
export const Crashed = Schema.TaggedStruct("Crashed", known)
export type Crashed = typeof Crashed.Type

/** The latest process ended as its manager wanted. */
export const Stopped = Schema.TaggedStruct("Stopped", known)
export type Stopped = typeof Stopped.Type

export const State = Schema.Union([Unknown, Running, Crashed, Stopped])
export type State = typeof State.Type

export const initial = (): State => ({ _tag: "Unknown" })
