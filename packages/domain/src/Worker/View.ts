/**
 * What queries answer about workers.
 */
import { Schema } from "effect"
import { ManagerId } from "../Manager/Id.ts"
import { Instant } from "../Suite/View.ts"
import { WorkerId } from "./Id.ts"

export const WorkerView = Schema.Struct({
  id: WorkerId,
  managerId: ManagerId,
  slot: Schema.Int,
  pid: Schema.Int,
  state: Schema.Literals(["running", "crashed", "stopped"]),
  crashes: Schema.Int,
  lastExitCode: Schema.NullOr(Schema.Int),
  lastSignal: Schema.NullOr(Schema.String),
  startedAt: Schema.NullOr(Instant),
  updatedAt: Instant
})
export type WorkerView = typeof WorkerView.Type
