import type { WorkerChange } from "../Rpc/ManagerRpcs.ts"
import type { WorkerId } from "./Id.ts"

/** A manager says what happened to one of its workers. May come twice. */
export interface RecordChange {
  readonly _tag: "RecordChange"
  readonly id: WorkerId
  readonly change: WorkerChange
  /** Milliseconds since 1970. */
  readonly now: number
}

export type WorkerCommand = RecordChange
