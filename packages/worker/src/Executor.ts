/**
 * The port behind which tasks run: commands, handlers, or whatever comes next.
 *
 * It speaks in callbacks and not in effects, because a worker passes 100,000 handler tasks a second through it, most of
 * which end within the call. A fiber for each would cost more than the tasks.
 */
import { Context } from "effect"
import type { Effect } from "effect"
import type { WorkItem } from "@muster/domain/Rpc/WorkLists"
import * as Text from "@muster/domain/Text"
import type { AttemptResult, Outcome, Resolved, TaskDefaults, TaskSpec } from "@muster/domain/Task"

/** One try of one task in this worker. */
export interface Attempt {
  readonly item: WorkItem
  /** What its suite says for all of its tasks: the same object for each. */
  readonly defaults: TaskDefaults
  readonly settings: Resolved
  /** Milliseconds since 1970; absent until it is known to have begun. */
  startedAt: number | undefined
}

/** What an attempt's owner hears of it. */
export interface Progress {
  /** Nothing of it runs any more. Called once, maybe before `start` returns, unless it is given back or abandoned. */
  readonly settle: (result: AttemptResult) => void
  /** It has run for a moment; `startedAt` is there. Not called for what ends before. */
  readonly begun: () => void
  /** It goes on whatever is done, until this process ends: its end is for others to see and to tell. */
  readonly abandon: () => void
  /** It is not run here. `mayHaveBegun` if that is not certain: something broke. */
  readonly giveBack: (mayHaveBegun: boolean) => void
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
  /** Most commands that it takes at once. It runs one after the other all the same. */
  readonly capacity: number
  /** Begins an attempt, or takes it to begin it after those that it has. */
  readonly start: (attempt: Attempt, progress: Progress) => void
  /** Gives back, soon, what it has not begun. */
  readonly giveBack: () => void
  /** Ends an attempt: TERM or interruption, grace, KILL. Its `settle` is called as ever. Harmless for one that ended. */
  readonly cancel: (attempt: Attempt) => void
  /** Ends what commands of this suite left behind in sessions of their own. Nothing of it runs, and nothing more comes. */
  readonly leave: (suiteId: string) => void
  /** As `cancel`, because the lease of its suite ends: within `grace` milliseconds, and what has not begun is given back. */
  readonly expire: (attempt: Attempt, grace: number) => void
  /** If this worker hangs beyond this moment of the boot clock, it is to be killed with all that it runs. */
  readonly limit: (kill: number | undefined) => void
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
