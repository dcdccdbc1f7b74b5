/**
 * What can happen to a manager: its registration, its sessions one after the other, and what was asked of it.
 * Times are milliseconds since 1970.
 *
 * Names and fields are wire format: never rename, only add.
 */
import { Schema } from "effect"
import { Lease } from "../Lease.ts"
import { Timestamp } from "../Millis.ts"
import { SuiteId } from "../Suite/Id.ts"
import { Epoch, ManagerId } from "./Id.ts"
import { LieCounts } from "./Lies.ts"
import { Activity, ManagerSpec, ShutdownMode } from "./Spec.ts"

/** The manager was heard of for the first time. */
export const ManagerRegistered = Schema.TaggedStruct("ManagerRegistered", {
  id: ManagerId,
  spec: ManagerSpec,
  at: Timestamp
})

/** A new process opened a session. It begins idle, not ready, and with nothing assigned. */
export const ManagerConnected = Schema.TaggedStruct("ManagerConnected", {
  epoch: Epoch,
  /** Names the process. */
  instance: Schema.String,
  spec: ManagerSpec,
  at: Timestamp
})

/** All results kept from earlier sessions were handed in: work may be assigned from now on. */
export const ManagerReady = Schema.TaggedStruct("ManagerReady", { epoch: Epoch, at: Timestamp })

export const ManagerActivityChanged = Schema.TaggedStruct("ManagerActivityChanged", {
  epoch: Epoch,
  from: Activity,
  to: Activity,
  /** What the manager says it does this for. */
  suiteId: Schema.NullOr(SuiteId),
  at: Timestamp
})

/** `disconnected`: its connection closed without a goodbye. `silent`: heartbeats are missing. */
export const SuspectReason = Schema.Literals(["disconnected", "silent"])
export type SuspectReason = typeof SuspectReason.Type

/** The session may be gone. It keeps its epoch, its assignment and its leases until the grace is over. */
export const ManagerSuspected = Schema.TaggedStruct("ManagerSuspected", {
  epoch: Epoch,
  reason: SuspectReason,
  at: Timestamp
})

/** A suspected session was heard from again. */
export const ManagerReconnected = Schema.TaggedStruct("ManagerReconnected", { epoch: Epoch, at: Timestamp })

/** Why a session was given up: as for suspicion, or `replaced` by a new process of the same manager. */
export const LostReason = Schema.Literals(["disconnected", "silent", "replaced"])
export type LostReason = typeof LostReason.Type

/**
 * What was known of a lease when its session was given up. `over`: its time had passed, so that nothing of it runs any
 * more. `gone`: the next process of the manager has seen that nothing is left of it. `open`: neither, so what it held is
 * handed on later.
 */
export const LeaseEnd = Schema.Literals(["over", "gone", "open"])
export type LeaseEnd = typeof LeaseEnd.Type

/** The session is over for good: whatever it held is given to others. */
export const ManagerLost = Schema.TaggedStruct("ManagerLost", {
  epoch: Epoch,
  reason: LostReason,
  /** What it was assigned to, so whose leases are free now. */
  suiteId: Schema.NullOr(SuiteId),
  /** Of a suite that asks for `--on-disconnect stop`. */
  leaseEnd: Schema.optionalKey(LeaseEnd),
  at: Timestamp
})

/** The manager said goodbye after it had given everything back. */
export const ManagerLeft = Schema.TaggedStruct("ManagerLeft", {
  epoch: Epoch,
  suiteId: Schema.NullOr(SuiteId),
  at: Timestamp
})

/** The session has this suite: a free one, or one that was asked to give it back and keeps it. */
export const ManagerAssigned = Schema.TaggedStruct("ManagerAssigned", {
  epoch: Epoch,
  suiteId: SuiteId,
  /** Of a suite that asks for `--on-disconnect stop`: how long the manager may be alone with it. */
  lease: Schema.optionalKey(Lease),
  at: Timestamp
})

/** The manager shall give its suite back. It stays assigned until it has. */
export const ManagerReleaseRequested = Schema.TaggedStruct("ManagerReleaseRequested", {
  epoch: Epoch,
  suiteId: SuiteId,
  at: Timestamp
})

/** Nothing of the suite is left on the machine. */
export const ManagerReleased = Schema.TaggedStruct("ManagerReleased", {
  epoch: Epoch,
  suiteId: SuiteId,
  at: Timestamp
})

/** The manager shall take no more work, in this session and later ones, until the drain is ended. */
export const ManagerDrainRequested = Schema.TaggedStruct("ManagerDrainRequested", {
  actor: Schema.String,
  at: Timestamp
})

export const ManagerDrainEnded = Schema.TaggedStruct("ManagerDrainEnded", { actor: Schema.String, at: Timestamp })

/** The manager's process shall end. */
export const ManagerShutdownRequested = Schema.TaggedStruct("ManagerShutdownRequested", {
  epoch: Epoch,
  mode: ShutdownMode,
  actor: Schema.String,
  at: Timestamp
})

/**
 * It has said what cannot be. Recorded whenever the number of its lies has doubled, so that even a manager that does nothing
 * else adds few events.
 */
export const ManagerLied = Schema.TaggedStruct("ManagerLied", {
  /** Since the event before. */
  kinds: LieCounts,
  /** In all. */
  total: Schema.Int,
  /** One of them, in words. */
  example: Schema.String,
  at: Timestamp
})

export const ManagerEvent = Schema.Union([
  ManagerRegistered,
  ManagerConnected,
  ManagerReady,
  ManagerActivityChanged,
  ManagerSuspected,
  ManagerReconnected,
  ManagerLost,
  ManagerLeft,
  ManagerAssigned,
  ManagerReleaseRequested,
  ManagerReleased,
  ManagerDrainRequested,
  ManagerDrainEnded,
  ManagerShutdownRequested,
  ManagerLied
])
export type ManagerEvent = typeof ManagerEvent.Type

/** Version of the shapes above, stored with each event. */
export const schemaVersion = 1
