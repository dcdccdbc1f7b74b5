/**
 * What a pool is told and asked. Suites and managers say how things are, not what changed, as often as they like; what
 * is known already changes nothing.
 */
import type { Epoch, ManagerId } from "../Manager/Id.ts"
import type { SuiteId } from "../Suite/Id.ts"

interface At {
  /** Milliseconds since 1970. */
  readonly now: number
}

/** How much work a suite has. */
export interface AnnounceSuite extends At {
  readonly _tag: "AnnounceSuite"
  readonly suiteId: SuiteId
  readonly tags: ReadonlyArray<string>
  readonly priority: number
  readonly createdAt: number
  /** Workers that each manager starts for it; absent: the manager's own number. */
  readonly workers?: number
  /** The only managers that may run it; absent: any with its tags. */
  readonly managers?: ReadonlyArray<ManagerId>
  /** Tasks that could be handed out: 0 while the suite is paused or cancelled. */
  readonly queued: number
  /** Tasks that are not settled: queued, assigned and running. 0: the suite has ended, as far as managers go. */
  readonly pending: number
}

/** How a manager's session is. */
export interface AnnounceManager extends At {
  readonly _tag: "AnnounceManager"
  readonly managerId: ManagerId
  readonly epoch: Epoch
  readonly tags: ReadonlyArray<string>
  readonly workers: number
  /** Said to be ready, and not suspected. */
  readonly ready: boolean
  readonly draining: boolean
  /** What it runs or still has to give back. */
  readonly assignedSuite: SuiteId | null
}

/** A session is over: lost, left or replaced. */
export interface ManagerGone extends At {
  readonly _tag: "ManagerGone"
  readonly managerId: ManagerId
  readonly epoch: Epoch
}

/** A manager has given a suite back, asked or unasked. */
export interface AssignmentReleased extends At {
  readonly _tag: "AssignmentReleased"
  readonly managerId: ManagerId
  readonly epoch: Epoch
  readonly suiteId: SuiteId
}

/** Decide who runs what, given all that is known and the time. */
export interface Plan extends At {
  readonly _tag: "Plan"
  /** How long a manager is kept for a suite that has no task waiting, in milliseconds (default 5 s). */
  readonly linger?: number
}

export type CoordinatorCommand = AnnounceSuite | AnnounceManager | ManagerGone | AssignmentReleased | Plan
