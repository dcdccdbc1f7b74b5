/**
 * What a manager's aggregate has to remember in order to decide: one shape per stage of its life. Plain data, so the
 * schema is also the form of its snapshots.
 */
import { Schema } from "effect"
import { Lease } from "../Lease.ts"
import { Timestamp } from "../Millis.ts"
import { SuiteId } from "../Suite/Id.ts"
import { SuspectReason } from "./Events.ts"
import { Epoch, ManagerId } from "./Id.ts"
import { Activity, ManagerSpec, ShutdownMode } from "./Spec.ts"

/** Before the first session. */
export const noEpoch = Epoch.make(0)

/** How many sessions that are over are remembered. */
export const maxEndedSessions = 8

/** A session that is over. Its process may still be there, and its suite may still hold leases in its name. */
export const EndedSession = Schema.Struct({
  instance: Schema.String,
  epoch: Epoch,
  /** What it was assigned to when it ended. */
  suiteId: Schema.NullOr(SuiteId),
  /** What its process may still have had. Until it is over the suite's tasks must not be handed on. */
  lease: Schema.optionalKey(Lease)
})
export type EndedSession = typeof EndedSession.Type

export const Assignment = Schema.Struct({
  suiteId: SuiteId,
  /** Asked to give it back. */
  releasing: Schema.Boolean,
  /** How long the manager may go on alone, if that is limited. */
  lease: Schema.optionalKey(Lease)
})
export type Assignment = typeof Assignment.Type

/** The current session of a manager process. */
export const Session = Schema.Struct({
  epoch: Epoch,
  instance: Schema.String,
  connectedAt: Timestamp,
  ready: Schema.Boolean,
  activity: Activity,
  assignment: Schema.NullOr(Assignment),
  /** How the process was asked to end, if it was. */
  shutdown: Schema.NullOr(ShutdownMode)
})
export type Session = typeof Session.Type

const registered = {
  id: ManagerId,
  /** As the latest session gave it. */
  spec: ManagerSpec,
  /** What an operator wants; outlives sessions. */
  draining: Schema.Boolean,
  /** The latest ones, oldest first. */
  ended: Schema.Array(EndedSession),
  updatedAt: Timestamp,
  /** How often it has said what cannot be, as last recorded; absent: never. */
  lies: Schema.optionalKey(Schema.Int)
}

/** Nothing has happened on this stream. */
export const Unknown = Schema.TaggedStruct("Unknown", {})
export type Unknown = typeof Unknown.Type

/** A session is open. */
export const Online = Schema.TaggedStruct("Online", { ...registered, session: Session })
export type Online = typeof Online.Type

/** The session may be gone. */
export const Suspected = Schema.TaggedStruct("Suspected", {
  ...registered,
  session: Session,
  reason: SuspectReason,
  since: Timestamp
})
export type Suspected = typeof Suspected.Type

/** No session is open. */
export const Offline = Schema.TaggedStruct("Offline", {
  ...registered,
  /** Of the last session; 0 before the first. */
  epoch: Epoch,
  /** When the last session began, if there was one. */
  connectedAt: Schema.NullOr(Timestamp)
})
export type Offline = typeof Offline.Type

export const State = Schema.Union([Unknown, Online, Suspected, Offline])
export type State = typeof State.Type

export const initial = (): State => ({ _tag: "Unknown" })
