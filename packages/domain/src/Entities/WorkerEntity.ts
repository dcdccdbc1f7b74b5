/**
 * The actor of one worker place on a machine: what happened to the processes in it. Its id is the worker's id.
 */
import { Entity } from "effect/cluster"
import { Rpc } from "effect/rpc"
import { Unavailable } from "../Errors.ts"
import { WorkerChange } from "../Rpc/ManagerRpcs.ts"

export const WorkerEntity = Entity.make("Worker", [
  Rpc.make("RecordChange", { payload: WorkerChange, error: Unavailable })
])
