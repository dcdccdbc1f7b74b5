/**
 * What a manager and its workers say to each other, over a Unix socket in the manager's directory. The worker calls;
 * what the manager wants to tell comes on the stream of `Attach`. Nothing here leaves the machine, and both ends are of
 * the same release.
 */
import { Schema } from "effect"
import { Rpc, RpcGroup } from "effect/rpc"
import { Deadline } from "../Lease.ts"
import { Timestamp } from "../Millis.ts"
import { SuiteId } from "../Suite/Id.ts"
import { TaskDefaults } from "../Task/Spec.ts"
import { WorkItems, WorkResults } from "./WorkLists.ts"

/** An item that its worker does not run. */
export const Returned = Schema.Struct({
  suiteId: SuiteId,
  index: Schema.Int,
  attempt: Schema.Int,
  /** Something broke, and it is not certain that nothing of it ran. */
  mayHaveBegun: Schema.Boolean
})
export type Returned = typeof Returned.Type

/** What a manager tells its worker. */
export const WorkerDirective = Schema.Union([
  /** The suite whose tasks come next, with what its tasks inherit. Always before its first item. */
  Schema.TaggedStruct("UseSuite", {
    suiteId: SuiteId,
    defaults: TaskDefaults,
    /** Of a suite that asks for a lease: until when its tasks may run unless it is renewed. */
    deadline: Schema.optionalKey(Deadline)
  }),
  /** The suite's lease was renewed. */
  Schema.TaggedStruct("Renewed", { suiteId: SuiteId, deadline: Deadline }),
  /** Nothing of this suite runs on the machine any more: what its commands left behind has to go. */
  Schema.TaggedStruct("LeaveSuite", { suiteId: SuiteId }),
  /** End this attempt: TERM, grace, KILL to its whole process tree. */
  Schema.TaggedStruct("Cancel", { suiteId: SuiteId, index: Schema.Int, attempt: Schema.Int }),
  /** Take nothing more; exit when what runs has ended. */
  Schema.TaggedStruct("Stop", {})
])
export type WorkerDirective = typeof WorkerDirective.Type

/** The worker is there. The stream stays open as long as both live; when it breaks the worker ends its tasks and itself. */
export const Attach = Rpc.make("Attach", {
  payload: {
    slot: Schema.Int,
    pid: Schema.Int,
    /** Handlers that it has loaded, with how many of each may run at once. */
    handlers: Schema.Array(Schema.Struct({ name: Schema.String, concurrency: Schema.Int }))
  },
  success: WorkerDirective,
  stream: true
})

/** Hands in what ended and asks for up to `max` further items; waits until there is one. */
export const Next = Rpc.make("Next", {
  payload: { slot: Schema.Int, max: Schema.Int, ended: WorkResults },
  success: WorkItems
})

/** Items that began to run. Told only for what runs longer than a moment, so that a flood of short ones is not slowed. */
export const Started = Rpc.make("Started", {
  payload: {
    slot: Schema.Int,
    items: Schema.Array(
      Schema.Struct({
        suiteId: SuiteId,
        index: Schema.Int,
        attempt: Schema.Int,
        startedAt: Timestamp,
        /** Process group of the command; absent for handlers. */
        pid: Schema.optionalKey(Schema.Int)
      })
    )
  }
})

/** Once a second from the worker's event loop: a worker whose thread is blocked falls silent. */
export const Beat = Rpc.make("Beat", { payload: { slot: Schema.Int } })

/** Results that shall not wait for the next `Next`. */
export const Ended = Rpc.make("Ended", { payload: { slot: Schema.Int, ended: WorkResults } })

/**
 * Items that shall be run by another worker, because one before them takes long here. None of them will be heard of again,
 * unless it is handed out again.
 */
export const GiveBack = Rpc.make("GiveBack", { payload: { slot: Schema.Int, items: Schema.Array(Returned) } })

export class WorkerRpcs extends RpcGroup.make(Attach, Next, Started, Ended, Beat, GiveBack) {}
