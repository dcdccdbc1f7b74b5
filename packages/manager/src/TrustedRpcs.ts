/**
 * The calls that carry tasks and results, with the same names and the same JSON as in the domain's groups, but without
 * looking into each task and each result once more: that costs several times what it costs to pass one on.
 *
 * What is looked at, and where: specs by the coordinator when they are submitted, results by this manager when a worker
 * hands them in (`Next`, `Ended`), and again by the coordinator that takes the report. Values of these types are their own
 * JSON, so the wire does not change (a test proves it).
 */
import { Schema } from "effect"
import { RpcGroup } from "effect/rpc"
import { ManagersOnly } from "@muster/domain/Rpc/Authentication"
import * as Manager from "@muster/domain/Rpc/ManagerRpcs"
import * as Worker from "@muster/domain/Rpc/WorkerRpcs"

const asIs = <A>() => Schema.declare((_): _ is A => true)

const LeaseTasks = Manager.LeaseTasks.setSuccess(asIs<Manager.LeaseReply>())

const ReportTasks = Manager.ReportTasks.setPayload(asIs<(typeof Manager.ReportTasks)["payloadSchema"]["Type"]>())

/** `ManagerRpcs` as the manager calls it. */
export class ManagerRpcs extends RpcGroup.make(
  Manager.Connect,
  Manager.Ready,
  Manager.Heartbeat,
  Manager.ChangeActivity,
  LeaseTasks,
  ReportTasks,
  Manager.Released,
  Manager.ReportWorkers,
  Manager.AnswerLog,
  Manager.Leave
).middleware(ManagersOnly) {}

const Next = Worker.Next.setSuccess(asIs<ReadonlyArray<Worker.WorkItem>>())

/** `WorkerRpcs` as the manager serves it. */
export class WorkerRpcs extends RpcGroup.make(
  Worker.Attach,
  Next,
  Worker.Started,
  Worker.Ended,
  Worker.Beat,
  Worker.GiveBack
) {}
