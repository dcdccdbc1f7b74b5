/**
 * `WorkerRpcs` as the manager serves it: the same names and the same JSON, but without a look into each task that it
 * passes on, which costs several times what it costs to pass one on. Specs were checked when they were submitted.
 */
import { RpcGroup } from "effect/rpc"
import { trusted } from "@muster/domain/Rpc/Trusted"
import * as Worker from "@muster/domain/Rpc/WorkerRpcs"

const Next = Worker.Next.setSuccess(trusted<ReadonlyArray<Worker.WorkItem>>())

export class WorkerRpcs extends RpcGroup.make(Worker.Attach, Next, Worker.Started, Worker.Ended, Worker.Beat) {}
