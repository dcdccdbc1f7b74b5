/**
 * The port to whoever has the tasks: a manager on this machine.
 */
import { Context, Data } from "effect"
import type { Effect, Stream } from "effect"
import type { Returned, Started, WorkerDirective } from "@muster/domain/Rpc/WorkerRpcs"
import type { WorkItem, WorkResult } from "@muster/domain/Rpc/WorkLists"
import type { Announcement } from "./Executor.ts"

/** The source is gone, and with it the right to run anything. */
export class SourceLost extends Data.TaggedError("SourceLost")<{ readonly cause: unknown }> {
  override get message() {
    return `the connection to the manager ended: ${String(this.cause)}`
  }
}

/** An attempt that runs for longer than a moment. */
export type StartedItem = (typeof Started)["payloadSchema"]["Type"]["items"][number]

export class TaskSource extends Context.Service<
  TaskSource,
  {
    /** Says that the worker is there. The stream ends or fails when the source is gone. */
    readonly attach: (handlers: ReadonlyArray<Announcement>) => Stream.Stream<WorkerDirective, SourceLost>
    /** Hands in results and waits for up to `max` items. Gives none when there will be none. */
    readonly next: (max: number, ended: ReadonlyArray<WorkResult>) => Effect.Effect<ReadonlyArray<WorkItem>, SourceLost>
    /** Hands in results without asking for more. */
    readonly ended: (ended: ReadonlyArray<WorkResult>) => Effect.Effect<void, SourceLost>
    readonly started: (items: ReadonlyArray<StartedItem>) => Effect.Effect<void, SourceLost>
    /** Gives back items that were not run. */
    readonly giveBack: (items: ReadonlyArray<Returned>) => Effect.Effect<void, SourceLost>
    /** A sign of life. */
    readonly beat: Effect.Effect<void, SourceLost>
  }
>()("@muster/worker/TaskSource") {}
