/**
 * What queries answer about workers.
 */
import { Schema } from "effect"
import { ManagerId } from "../Manager/Id.ts"
import { Instant, instant } from "../Suite/View.ts"
import { WorkerId } from "./Id.ts"
import type { State } from "./State.ts"

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

const states = { Running: "running", Crashed: "crashed", Stopped: "stopped" } as const

/** The view of a worker, or nothing when there is none. */
export const fromState = (state: State): WorkerView | undefined => {
  if (state._tag === "Unknown") return undefined
  const { id, pid, crashes, lastExitCode, lastSignal, startedAt, updatedAt } = state
  const [managerId = "", slot] = id.split(".")
  return {
    id,
    managerId: ManagerId.make(managerId),
    slot: Number(slot),
    pid,
    state: states[state._tag],
    crashes,
    lastExitCode,
    lastSignal,
    startedAt: startedAt === null ? null : instant(startedAt),
    updatedAt: instant(updatedAt)
  }
}
