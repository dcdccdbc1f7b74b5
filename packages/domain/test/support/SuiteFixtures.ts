/**
 * The words of the tests of suites: events and commands of one suite, short enough to be read in a row.
 */
import type { Epoch, ManagerId } from "@muster/domain/Manager/Id"
import { decider } from "@muster/domain/Suite/Decider"
import type { SuiteCommand } from "@muster/domain/Suite/Commands"
import type { LeaseRange, Range, ReturnReason, SuiteEvent } from "@muster/domain/Suite/Events"
import { taskId } from "@muster/domain/Suite/Id"
import type { CancelMode, SuiteSpec } from "@muster/domain/Suite/Spec"
import type { AttemptResult, EndedAttempt, Outcome } from "@muster/domain/Task/Attempt"
import type { TaskSpec } from "@muster/domain/Task/Spec"
import { epoch, manager, start, suite } from "./Arbitraries.ts"
import * as GivenWhenThen from "./GivenWhenThen.ts"

export const { given } = GivenWhenThen.make(decider)

export const id = suite(1)
export const task = (index: number) => taskId(id, index)

/** A session of a manager. */
export interface Session {
  readonly manager: ManagerId
  readonly epoch: Epoch
}

export const session = (number: number, sessionEpoch = 1): Session => ({
  manager: manager(number),
  epoch: epoch(sessionEpoch)
})
export const a: Session = session(1)
export const b: Session = session(2)

/** When the histories happened, and when the commands come. */
export const at = start
export const now = start + 1_000

export const spec: TaskSpec = { program: "/bin/true" }
export const times = (count: number, of: TaskSpec = spec): ReadonlyArray<TaskSpec> =>
  Array.from({ length: count }, () => of)

// Events

export const created = (of: SuiteSpec = {}): SuiteEvent => ({ _tag: "SuiteCreated", id, spec: of, at })

export const submitted = (
  firstIndex: number,
  tasks: ReadonlyArray<TaskSpec>,
  when = at
): Extract<SuiteEvent, { _tag: "TasksSubmitted" }> => ({ _tag: "TasksSubmitted", firstIndex, tasks, at: when })

export const leased = (who: Session, leases: ReadonlyArray<LeaseRange>, when = at): SuiteEvent => ({
  _tag: "TasksLeased",
  ...who,
  leases,
  at: when
})

export const started = (who: Session, tasks: ReadonlyArray<readonly [number, number]>, when = at): SuiteEvent => ({
  _tag: "TasksStarted",
  ...who,
  tasks: tasks.map(([index, attempt]) => [index, attempt, at] as const),
  at: when
})

export const ended = (who: Session, attempts: ReadonlyArray<EndedAttempt>, when = at): SuiteEvent => ({
  _tag: "AttemptsEnded",
  ...who,
  attempts,
  at: when
})

export const returned = (who: Session, ranges: ReadonlyArray<Range>, reason: ReturnReason, when = at): SuiteEvent => ({
  _tag: "LeasesReturned",
  ...who,
  ranges,
  reason,
  at: when
})

export const late = (who: Session, attempts: ReadonlyArray<AttemptResult>, when = at): SuiteEvent => ({
  _tag: "LateResultsRecorded",
  ...who,
  attempts,
  at: when
})

export const cancelled = (ranges: ReadonlyArray<Range>, reason: string, when = at): SuiteEvent => ({
  _tag: "TasksCancelled",
  ranges,
  reason,
  at: when
})

export const cancellationRequested = (ranges: ReadonlyArray<Range>, reason: string, when = at): SuiteEvent => ({
  _tag: "TaskCancellationRequested",
  ranges,
  reason,
  at: when
})

export const requeued = (ranges: ReadonlyArray<Range>, when = at): SuiteEvent => ({
  _tag: "TasksRequeued",
  ranges,
  at: when
})

export const paused = (when = at): SuiteEvent => ({ _tag: "SuitePaused", at: when })
export const resumed = (when = at): SuiteEvent => ({ _tag: "SuiteResumed", at: when })
export const closed = (reason: "idle" | "user" = "user", when = at): SuiteEvent => ({
  _tag: "SuiteClosed",
  reason,
  at: when
})
export const completed = (when = at): SuiteEvent => ({ _tag: "SuiteCompleted", at: when })
export const reopened = (reason: "submit" | "retry" | "manager_lost", when = at): SuiteEvent => ({
  _tag: "SuiteReopened",
  reason,
  at: when
})
export const suiteCancelled = (mode: CancelMode, reason: string, when = at): SuiteEvent => ({
  _tag: "SuiteCancelled",
  mode,
  reason,
  at: when
})
export const stopped = (when = at): SuiteEvent => ({ _tag: "SuiteStopped", at: when })

/** How an attempt ended, as its manager says. */
export const result = (index: number, attempt = 1, outcome: Outcome = "succeeded"): AttemptResult => ({
  index,
  attempt,
  outcome,
  finishedAt: at
})

// Commands

export const create = (of: SuiteSpec = {}): SuiteCommand => ({ _tag: "CreateSuite", id, spec: of, now })
export const submit = (tasks: ReadonlyArray<TaskSpec>, when = now): SuiteCommand => ({
  _tag: "SubmitTasks",
  tasks,
  now: when
})
export const lease = (who: Session, max: number, when = now): SuiteCommand => ({
  _tag: "LeaseTasks",
  ...who,
  max,
  now: when
})
export const report = (
  who: Session,
  what: {
    readonly started?: ReadonlyArray<readonly [number, number]>
    readonly ended?: ReadonlyArray<AttemptResult>
    readonly returned?: ReadonlyArray<readonly [number, number]>
    readonly random?: number
  },
  when = now
): SuiteCommand => ({
  _tag: "ReportTasks",
  ...who,
  started: (what.started ?? []).map(([index, attempt]) => [index, attempt, at] as const),
  ended: what.ended ?? [],
  returned: what.returned ?? [],
  random: what.random ?? 0.5,
  now: when
})
export const reclaim = (who: Session, when = now): SuiteCommand => ({ _tag: "ReclaimLeases", ...who, now: when })
export const cancelTasks = (indexes: ReadonlyArray<number>, when = now): SuiteCommand => ({
  _tag: "CancelTasks",
  indexes,
  reason: "unwanted",
  now: when
})
export const retry = (tasks: ReadonlyArray<number> | "failed", when = now): SuiteCommand => ({
  _tag: "RetryTasks",
  tasks,
  now: when
})
export const pause = (when = now): SuiteCommand => ({ _tag: "PauseSuite", now: when })
export const resume = (when = now): SuiteCommand => ({ _tag: "ResumeSuite", now: when })
export const close = (when = now): SuiteCommand => ({ _tag: "CloseSuite", now: when })
export const cancelSuite = (mode: CancelMode, when = now): SuiteCommand => ({
  _tag: "CancelSuite",
  mode,
  reason: "unwanted",
  now: when
})
export const sweep = (when = now): SuiteCommand => ({ _tag: "Sweep", now: when })
