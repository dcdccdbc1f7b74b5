/**
 * The port behind which tasks run: commands, handlers, or whatever comes next.
 *
 * It speaks in callbacks and not in effects, because a worker passes 100,000 handler tasks a second through it, most of
 * which end within the call. A fiber for each would cost more than the tasks.
 */
import { Context } from "effect"
import type { Effect } from "effect"
import type { WorkItem } from "@muster/domain/Rpc/WorkerRpcs"
import * as Text from "@muster/domain/Text"
import type { AttemptResult, Outcome, Resolved, TaskSpec } from "@muster/domain/Task"

/** One try of one task in this worker. */
export interface Attempt {
  readonly item: WorkItem
  readonly settings: Resolved
  /** Milliseconds since 1970 at which it was given to the executor. */
  readonly startedAt: number
}

/** A handler that this worker can run, and how many of it at once. */
export interface Announcement {
  readonly name: string
  readonly concurrency: number
}

export interface Shape {
  readonly handlers: ReadonlyArray<Announcement>
  /** Part of the worker that a task takes while it runs, above 0 and up to 1: the worker runs 1 in all. */
  readonly share: (spec: TaskSpec) => number
  /** Begins an attempt. `settle` is called exactly once when nothing of it runs any more, maybe before this returns. */
  readonly start: (attempt: Attempt, settle: (result: AttemptResult) => void) => void
  /** Ends an attempt: TERM or interruption, grace, KILL. Its `settle` is called as ever. Harmless for one that ended. */
  readonly cancel: (attempt: Attempt) => void
  /** Process group of a running command. */
  readonly processId: (attempt: Attempt) => number | undefined
  /** Ends everything at once and without grace: the worker goes. */
  readonly endAll: Effect.Effect<void>
}

export class Executor extends Context.Service<Executor, Shape>()("@muster/worker/Executor") {}

/** The result of an attempt of which nothing ran. */
export const unstarted = ({ attempt, index }: WorkItem, outcome: Outcome): AttemptResult => ({
  index,
  attempt,
  outcome,
  finishedAt: Date.now()
})

/** The result of an attempt that cannot be run as it is, and why, in one line. */
export const notStarted = (attempt: Attempt, message: string): AttemptResult => ({
  ...unstarted(attempt.item, "not_started"),
  message: Text.toCarriable(message)
})
