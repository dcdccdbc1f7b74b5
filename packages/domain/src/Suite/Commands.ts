/**
 * What a suite can be asked to do. Each command carries the time, and what else is not in the suite's own history.
 */
import type { Epoch, ManagerId } from "../Manager/Id.ts"
import type { AttemptResult } from "../Task/Attempt.ts"
import type { TaskSpec } from "../Task/Spec.ts"
import type { SuiteId } from "./Id.ts"
import type { CancelMode, SuiteSpec } from "./Spec.ts"

interface At {
  /** Milliseconds since 1970. */
  readonly now: number
}

export interface CreateSuite extends At {
  readonly _tag: "CreateSuite"
  readonly id: SuiteId
  readonly spec: SuiteSpec
}

export interface SubmitTasks extends At {
  readonly _tag: "SubmitTasks"
  readonly tasks: ReadonlyArray<TaskSpec>
}

/**
 * A manager's session asks for up to `max` tasks. With 0 it takes back what it asked for under the same command id, if that
 * was not carried out.
 */
export interface LeaseTasks extends At {
  readonly _tag: "LeaseTasks"
  readonly manager: ManagerId
  readonly epoch: Epoch
  readonly max: number
}

/** A manager's session says what began, what ended, and what it gives back unstarted. */
export interface ReportTasks extends At {
  readonly _tag: "ReportTasks"
  readonly manager: ManagerId
  readonly epoch: Epoch
  /** Index, number of the attempt, time of start. */
  readonly started: ReadonlyArray<readonly [index: number, attempt: number, startedAt: number]>
  readonly ended: ReadonlyArray<AttemptResult>
  readonly returned: ReadonlyArray<readonly [index: number, attempt: number]>
  /** In [0, 1): spreads the retries. */
  readonly random: number
}

/** All that a manager held under this epoch and older ones is taken back. */
export interface ReclaimLeases extends At {
  readonly _tag: "ReclaimLeases"
  readonly manager: ManagerId
  readonly epoch: Epoch
}

export interface CancelTasks extends At {
  readonly _tag: "CancelTasks"
  readonly indexes: ReadonlyArray<number>
  readonly reason: string
}

/** Settled tasks run again: the given ones, or all failed ones. */
export interface RetryTasks extends At {
  readonly _tag: "RetryTasks"
  readonly tasks: ReadonlyArray<number> | "failed"
}

export interface PauseSuite extends At {
  readonly _tag: "PauseSuite"
}
export interface ResumeSuite extends At {
  readonly _tag: "ResumeSuite"
}
export interface CloseSuite extends At {
  readonly _tag: "CloseSuite"
}
export interface CancelSuite extends At {
  readonly _tag: "CancelSuite"
  readonly reason: string
  readonly mode: CancelMode
}
/** Time passed: closes an idle suite. */
export interface Sweep extends At {
  readonly _tag: "Sweep"
}

export type SuiteCommand =
  | CreateSuite
  | SubmitTasks
  | LeaseTasks
  | ReportTasks
  | ReclaimLeases
  | CancelTasks
  | RetryTasks
  | PauseSuite
  | ResumeSuite
  | CloseSuite
  | CancelSuite
  | Sweep
