/**
 * The actor of a pool: who runs what. Its id is the pool's name. Messages are volatile and say how things are, not what
 * changed: whoever sent one sends it again while it matters.
 */
import { Schema } from "effect"
import { Entity } from "effect/cluster"
import { Rpc } from "effect/rpc"
import { Unavailable } from "../Errors.ts"
import { Epoch, ManagerId } from "../Manager/Id.ts"
import { Timestamp } from "../Millis.ts"
import { SuiteId } from "../Suite/Id.ts"

export const CoordinatorEntity = Entity.make("Coordinator", [
  Rpc.make("AnnounceSuite", {
    payload: {
      suiteId: SuiteId,
      tags: Schema.Array(Schema.String),
      priority: Schema.Int,
      createdAt: Timestamp,
      workers: Schema.optionalKey(Schema.Int),
      queued: Schema.Int,
      pending: Schema.Int
    },
    error: Unavailable
  }),
  Rpc.make("AnnounceManager", {
    payload: {
      managerId: ManagerId,
      epoch: Epoch,
      tags: Schema.Array(Schema.String),
      workers: Schema.Int,
      ready: Schema.Boolean,
      draining: Schema.Boolean,
      assignedSuite: Schema.NullOr(SuiteId),
      /** It has been asked to give that back. */
      releasing: Schema.optionalKey(Schema.Boolean)
    },
    error: Unavailable
  }),
  Rpc.make("ManagerGone", { payload: { managerId: ManagerId, epoch: Epoch }, error: Unavailable }),
  Rpc.make("AssignmentReleased", {
    payload: { managerId: ManagerId, epoch: Epoch, suiteId: SuiteId },
    error: Unavailable
  }),
  /** Time passes: plan, say again what was not heard, look after managers that have fallen silent. */
  Rpc.make("Tick", { error: Unavailable })
])
