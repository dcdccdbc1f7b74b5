/**
 * What can happen to a pool: suites get and lose work, managers come and go, and who runs what is decided. Only what
 * changes a plan is an event; numbers of tasks are recorded when they have doubled or halved, so that a suite of a
 * million tasks costs some twenty of them. Times are milliseconds since 1970.
 *
 * Names and fields are wire format: never rename, only add.
 */
import { Schema } from "effect"
import { Epoch, ManagerId } from "../Manager/Id.ts"
import { Timestamp } from "../Millis.ts"
import { Reason, ReleaseReason } from "../Placement.ts"
import { SuiteId } from "../Suite/Id.ts"

/** A suite has tasks waiting: for the first time, again, or so many more or fewer that it matters. */
export const SuiteQueued = Schema.TaggedStruct("SuiteQueued", {
  suiteId: SuiteId,
  tags: Schema.Array(Schema.String),
  priority: Schema.Int,
  createdAt: Timestamp,
  /** Workers that each manager starts for it; absent: the manager's own number. */
  workers: Schema.optionalKey(Schema.Int),
  /** The only managers that may run it; absent: any with its tags. */
  managers: Schema.optionalKey(Schema.Array(ManagerId)),
  /** Tasks that could be handed out now. */
  queued: Schema.Int,
  /** Tasks that are not settled. */
  pending: Schema.Int,
  at: Timestamp
})

/** Nothing of the suite waits any more, but something still runs or is held back. */
export const SuiteDrained = Schema.TaggedStruct("SuiteDrained", { suiteId: SuiteId, at: Timestamp })

/** Nothing of the suite is pending any more. */
export const SuiteEnded = Schema.TaggedStruct("SuiteEnded", { suiteId: SuiteId, at: Timestamp })

/** A session of a manager can take work. */
export const ManagerAvailable = Schema.TaggedStruct("ManagerAvailable", {
  managerId: ManagerId,
  epoch: Epoch,
  tags: Schema.Array(Schema.String),
  workers: Schema.Int,
  at: Timestamp
})

/** `draining`: an operator wants it to take no more. `not_ready`: it has not said that it is ready, or is suspected. */
export const UnavailableReason = Schema.Literals(["draining", "not_ready"])
export type UnavailableReason = typeof UnavailableReason.Type

/** A session of a manager is there and can take no new work. */
export const ManagerUnavailable = Schema.TaggedStruct("ManagerUnavailable", {
  managerId: ManagerId,
  epoch: Epoch,
  tags: Schema.Array(Schema.String),
  workers: Schema.Int,
  reason: UnavailableReason,
  at: Timestamp
})

/** The session is over. */
export const ManagerRemoved = Schema.TaggedStruct("ManagerRemoved", {
  managerId: ManagerId,
  epoch: Epoch,
  at: Timestamp
})

/** A manager shall run a suite: a free one, or one that was asked to give this suite back and still has it. */
export const SuiteAssigned = Schema.TaggedStruct("SuiteAssigned", {
  managerId: ManagerId,
  epoch: Epoch,
  suiteId: SuiteId,
  /** Workers that it starts for the suite. */
  slots: Schema.Int,
  /** Better suites that it did not get and why; the first few. */
  refused: Schema.Array(Schema.Tuple([SuiteId, Reason])),
  at: Timestamp
})

/** A manager shall give its suite back. It counts as taken until it has. */
export const ReleaseRequested = Schema.TaggedStruct("ReleaseRequested", {
  managerId: ManagerId,
  epoch: Epoch,
  suiteId: SuiteId,
  reason: ReleaseReason,
  /** With `suite_waits`: for whom. */
  waiting: Schema.optionalKey(SuiteId),
  at: Timestamp
})

/** `released`: as asked. `given_back`: unasked. `session_over`: the manager or its session is gone. */
export const AssignmentEndReason = Schema.Literals(["released", "given_back", "session_over"])
export type AssignmentEndReason = typeof AssignmentEndReason.Type

/** The manager no longer runs the suite. */
export const AssignmentEnded = Schema.TaggedStruct("AssignmentEnded", {
  managerId: ManagerId,
  epoch: Epoch,
  suiteId: SuiteId,
  reason: AssignmentEndReason,
  at: Timestamp
})

export const CoordinatorEvent = Schema.Union([
  SuiteQueued,
  SuiteDrained,
  SuiteEnded,
  ManagerAvailable,
  ManagerUnavailable,
  ManagerRemoved,
  SuiteAssigned,
  ReleaseRequested,
  AssignmentEnded
])
export type CoordinatorEvent = typeof CoordinatorEvent.Type

/** Version of the shapes above, stored with each event. */
export const schemaVersion = 1
