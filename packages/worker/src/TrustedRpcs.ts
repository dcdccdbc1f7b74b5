/**
 * `WorkerRpcs` as the worker calls it: the same names and the same JSON, without looking into what passes.
 *
 * To check and copy each item and result costs several times what it costs to run a small handler. It would find nothing:
 * the other side of the socket is a process of the same release on the same machine, it checks what it gets, and values of
 * these types are their own JSON (a test proves that for each of them).
 */
import { Schema } from "effect"
import { Rpc, RpcGroup } from "effect/rpc"
import { Attach, Beat, Ended, GiveBack, Next, Started } from "@muster/domain/Rpc/WorkerRpcs"
import type { WorkerDirective, WorkItem } from "@muster/domain/Rpc/WorkerRpcs"

const asIs = <A>() => Schema.declare((_): _ is A => true)

export class TrustedRpcs extends RpcGroup.make(
  Rpc.make(Attach._tag, {
    payload: asIs<(typeof Attach)["payloadSchema"]["Type"]>(),
    success: asIs<WorkerDirective>(),
    stream: true
  }),
  Rpc.make(Next._tag, {
    payload: asIs<(typeof Next)["payloadSchema"]["Type"]>(),
    success: asIs<ReadonlyArray<WorkItem>>()
  }),
  Rpc.make(Started._tag, { payload: asIs<(typeof Started)["payloadSchema"]["Type"]>() }),
  Rpc.make(Ended._tag, { payload: asIs<(typeof Ended)["payloadSchema"]["Type"]>() }),
  Rpc.make(GiveBack._tag, { payload: asIs<(typeof GiveBack)["payloadSchema"]["Type"]>() }),
  Rpc.make(Beat._tag, { payload: asIs<(typeof Beat)["payloadSchema"]["Type"]>() })
) {}
