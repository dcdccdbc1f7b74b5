/**
 * A coordinator that is asked about itself. It owns nothing: it answers for whichever coordinator has its shard, so who
 * wants to hear one picks an id in one of its shards.
 */
import { Entity } from "effect/cluster"
import { Rpc } from "effect/rpc"
import { CoordinatorFacts } from "../Doctor/Coordinators.ts"

export const DoctorEntity = Entity.make("Doctor", [Rpc.make("DescribeCoordinator", { success: CoordinatorFacts })])
