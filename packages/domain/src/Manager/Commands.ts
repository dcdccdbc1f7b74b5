/**
 * What can be asked of a manager. Every command may come twice, late or not at all: the second time it changes nothing,
 * and whoever wants something says it again.
 */
import type { Lease } from "../Lease.ts"
import type { SuiteId } from "../Suite/Id.ts"
import type { SuspectReason } from "./Events.ts"
import type { Epoch, ManagerId } from "./Id.ts"
import type { LieCounts } from "./Lies.ts"
import type { Activity, ManagerSpec, ShutdownMode } from "./Spec.ts"

interface Addressed {
  readonly managerId: ManagerId
  /** Milliseconds since 1970. */
  readonly now: number
}

/** Speaks of one session; refused with `SessionFenced` when another one is current. */
interface OfSession extends Addressed {
  readonly epoch: Epoch
}

/** A process opens its session or resumes it. */
export interface Connect extends Addressed {
  readonly _tag: "Connect"
  readonly instance: string
  readonly spec: ManagerSpec
  /** Instances of which nothing is left, as this one has seen: processes before it on its machine, or itself before. */
  readonly gone: ReadonlyArray<string>
}

export interface Ready extends OfSession {
  readonly _tag: "Ready"
}

export interface ChangeActivity extends OfSession {
  readonly _tag: "ChangeActivity"
  readonly activity: Activity
  readonly suiteId: SuiteId | null
}

/** The connection closed without a goodbye, or heartbeats are missing. */
export interface Disconnect extends OfSession {
  readonly _tag: "Disconnect"
  readonly reason: SuspectReason
}

/** The session was heard from on a connection that it has: an end to suspicion without `Connect`. */
export interface Resume extends OfSession {
  readonly _tag: "Resume"
}

/** The grace is over of a suspicion, or the lease, after which nothing of the suite runs there any more. */
export interface Lose extends OfSession {
  readonly _tag: "Lose"
  /** When the suspicion began that was judged; another one is another matter. */
  readonly since: number
  readonly reason: SuspectReason
}

export interface Leave extends OfSession {
  readonly _tag: "Leave"
}

/** The coordinator wants this session to run this suite, and no other. */
export interface Assign extends OfSession {
  readonly _tag: "Assign"
  readonly suiteId: SuiteId
  /** What the suite asks for, if it does. */
  readonly lease: Lease | undefined
}

/** The coordinator wants this session not to run this suite. */
export interface Unassign extends OfSession {
  readonly _tag: "Unassign"
  readonly suiteId: SuiteId
}

/** The manager has given the suite back, asked or unasked. */
export interface Released extends OfSession {
  readonly _tag: "Released"
  readonly suiteId: SuiteId
}

export interface RequestDrain extends Addressed {
  readonly _tag: "RequestDrain"
  readonly draining: boolean
  readonly actor: string
}

export interface RequestShutdown extends Addressed {
  readonly _tag: "RequestShutdown"
  readonly mode: ShutdownMode
  readonly actor: string
}

/** It has said what cannot be. */
export interface RecordLies extends Addressed {
  readonly _tag: "RecordLies"
  /** Since the last event of this kind. */
  readonly kinds: LieCounts
  readonly example: string
}

export type ManagerCommand =
  | Connect
  | Ready
  | ChangeActivity
  | Disconnect
  | Resume
  | Lose
  | Leave
  | Assign
  | Unassign
  | Released
  | RequestDrain
  | RequestShutdown
  | RecordLies
