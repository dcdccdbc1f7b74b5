/**
 * Why a task is in its state: from the states of its suite, its pool and the managers concerned, all as they were at one
 * moment, and from what the suite's events say of it. Why managers do not get the suite is asked of the planner itself.
 */
import { planned } from "../Coordinator/Decider.ts"
import type { State as PoolState } from "../Coordinator/State.ts"
import type { ManagerId } from "../Manager/Id.ts"
import { noEpoch } from "../Manager/State.ts"
import type { State as ManagerState } from "../Manager/State.ts"
import type { Plan, Reason } from "../Placement.ts"
import { taskId } from "../Suite/Id.ts"
import * as Suite from "../Suite/State.ts"
import { Flag, Phase } from "../Suite/TaskTable.ts"
import { instant } from "../Suite/View.ts"
import { TaskState } from "../Task/Attempt.ts"
import { resolveRetry } from "../Task/Spec.ts"
import type { TaskSpec } from "../Task/Spec.ts"
import type { State as WorkerState } from "../Worker/State.ts"
import * as History from "./History.ts"
import { tell } from "./Tell.ts"
import type { ExplainedAttempt, Happening, Holding, ManagerName, TaskExplanation, Waiting } from "./View.ts"
import * as Words from "./Words.ts"

/** How things were at one moment. */
export interface Facts {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly suite: Suite.Existing
  /** Place of a task that the suite has. */
  readonly index: number
  readonly spec: TaskSpec
  /** Stored events of the suite in order, among which are all that speak of the task, and all of the suite as a whole. */
  readonly events: ReadonlyArray<History.Noted>
  readonly pool: PoolState
  /** How long a manager is kept for a suite of which no task waits. */
  readonly linger: number
  /** Managers that were looked up: at least those that `concerned` gives. */
  readonly managers: ReadonlyMap<ManagerId, ManagerState>
  /** Workers of the manager that holds the task. */
  readonly workers: ReadonlyArray<WorkerState>
}

/** Managers that are looked up at most, beside those that had the task: each is a stream of events. */
export const mostLookedUp = 32

/** Managers that are gone, of which as many are named. */
const mostGone = 5

/** Refusals that the manager's own history says more about. */
const isOfTheManager = ({ _tag }: Reason): boolean => _tag === "NotReady" || _tag === "Draining"

/** The managers whose own histories an explanation needs: those that had the task, and some of those that do not get it. */
export const concerned = (facts: Omit<Facts, "managers" | "workers">): ReadonlyArray<ManagerId> => {
  const had = History.entries(facts.events, facts.index).flatMap(({ said }) =>
    "manager" in said ? [said.manager] : []
  )
  if (facts.suite.tasks.phaseOf(facts.index) !== Phase.queued) return [...new Set(had)]
  const refusals = planOf(facts).refusals(facts.suite.id)
  const others = [
    ...working(facts).map(({ managerId }) => managerId),
    ...refusals.filter(({ reason }) => isOfTheManager(reason)).map(({ managerId }) => managerId),
    ...refusals.filter(({ reason }) => !isOfTheManager(reason)).map(({ managerId }) => managerId),
    ...gone(facts.pool)
  ]
  return [...new Set([...had, ...[...new Set(others)].slice(0, mostLookedUp)])]
}

/** The manager that holds the task, if one does. */
export const holderOf = ({ index, suite }: Pick<Facts, "index" | "suite">): ManagerId | undefined => {
  const phase = suite.tasks.phaseOf(index)
  return phase === Phase.assigned || phase === Phase.running
    ? suite.holders.at(suite.tasks.holder[index] ?? -1)?.manager
    : undefined
}

type Known = Omit<Facts, "managers" | "workers">

const policyOf = ({ spec, suite }: Known) => resolveRetry(spec.retry ?? suite.spec.defaults?.retry)

const planOf = ({ at, linger, pool }: Known): Plan => planned(pool, at, linger)

const working = ({ pool, suite }: Known) =>
  [...pool.managers.values()].filter(({ assignment }) => assignment?.suiteId === suite.id)

/** Managers that are gone, the latest first. */
const gone = (pool: PoolState): ReadonlyArray<ManagerId> => [...pool.gone.keys()].toReversed().slice(0, mostGone)

export const explain = (facts: Facts): TaskExplanation => {
  const { at, events, index, spec, suite } = facts
  const entries = History.entries(events, index)
  const attempts = History.attempts(events, index, policyOf(facts))
  const state = TaskState.literals[suite.tasks.phaseOf(index)] ?? "queued"
  const submission = entries.find(({ said }) => said._tag === "Submitted")
  const submittedAt = submission?.recordedAt ?? suite.createdAt
  const since = sinceWhen(state, entries) ?? submittedAt
  const waiting = state === "queued" ? waitingOf(facts) : null
  const held = holdingOf(facts, entries, attempts)
  const id = taskId(suite.id, index)
  const called = callers(facts)
  const told = { at, suite, state, since, events, entries, attempts, managers: facts.managers, waiting, held, id }
  return {
    id,
    index,
    spec,
    at: instant(at),
    state,
    since: instant(since),
    ...tell({ ...told, nameOf: called }),
    suite: {
      id: suite.id,
      name: suite.spec.name ?? null,
      state: suite.state,
      paused: suite.paused,
      tasks: Suite.taskCounts(suite),
      version: suite.version
    },
    submitted: { at: instant(submittedAt), actor: submission?.actor ?? "unknown" },
    waiting,
    held,
    attempts: attempts.map((attempt) => explainAttempt(attempt, called)),
    history: entries.map((entry) => happening(entry, called)),
    managers: [...facts.managers.keys()].map((manager) => nameOf(facts, manager))
  }
}

/** What managers are called in sentences: by name, unless another one that is spoken of has the same. */
const callers = (facts: Facts): ((id: ManagerId) => string) => {
  const uses = new Map<string, number>()
  for (const id of facts.managers.keys()) {
    const { name } = nameOf(facts, id)
    if (name !== null) uses.set(name, (uses.get(name) ?? 0) + 1)
  }
  return (id) => {
    const { name } = nameOf(facts, id)
    if (name === null) return id
    return uses.get(name) === 1 ? name : `${name} (${id})`
  }
}

const nameOf = ({ managers }: Facts, id: ManagerId): ManagerName => {
  const manager = managers.get(id)
  return { id, name: manager === undefined || manager._tag === "Unknown" ? null : manager.spec.name }
}

/** The entry that brought a task to its state. */
const sinceWhen = (state: TaskState, entries: ReadonlyArray<History.Entry>): number | undefined => {
  const leads = (said: History.Said): boolean => {
    switch (state) {
      case "queued":
        return History.bringsToQueue(said)
      case "assigned":
        return said._tag === "Leased"
      case "running":
        return said._tag === "Started"
      case "succeeded":
      case "failed":
        return said._tag === "Ended"
      case "cancelled":
        return said._tag === "Cancelled" || said._tag === "Ended"
    }
  }
  return entries.findLast(({ said }) => leads(said))?.recordedAt
}

const waitingOf = (facts: Facts): Waiting => {
  const { at, index, pool, suite } = facts
  const plan = planOf(facts)
  const delayedUntil = suite.tasks.hasFlag(index, Flag.delayed) ? suite.delays.get(index) : undefined
  const name = (id: ManagerId) => nameOf(facts, id)
  return {
    before: Suite.readyBefore(suite, index, at),
    priority: suite.profiles[suite.tasks.profile[index] ?? 0]?.priority ?? 0,
    retryAt: delayedUntil === undefined || delayedUntil <= at ? null : instant(delayedUntil),
    known: pool.suites.has(suite.id),
    working: working(facts).flatMap(({ assignment, managerId }) =>
      assignment === null
        ? []
        : [{ manager: name(managerId), slots: assignment.slots, releasing: assignment.releasing }]
    ),
    next: plan.assignments.filter(({ suiteId }) => suiteId === suite.id).map(({ managerId }) => name(managerId)),
    refused: plan.refusals(suite.id).map(({ managerId, reason }) => ({
      manager: name(managerId),
      reason,
      why: whyRefused(facts, managerId, reason)
    })),
    gone: gone(pool).map(name)
  }
}

/** Why one manager does not get the suite, with what its own history adds. */
const whyRefused = ({ at, managers }: Facts, id: ManagerId, reason: Reason): string => {
  const manager = managers.get(id)
  if (reason._tag === "NotReady" && manager?._tag === "Suspected") {
    return `${Words.silence(manager.reason)} for ${Words.span(at - manager.since)}, since ${Words.clock(manager.since)}`
  }
  if (reason._tag === "NotReady" && manager?._tag === "Online") {
    return `connected at ${Words.clock(manager.session.connectedAt)} and has not said yet that it is ready`
  }
  return Words.refusal(reason, false, at)
}

const holdingOf = (
  facts: Facts,
  entries: ReadonlyArray<History.Entry>,
  attempts: ReadonlyArray<History.Attempt>
): Holding | null => {
  const { index, suite, workers } = facts
  const id = holderOf(facts)
  if (id === undefined) return null
  const open = attempts.findLast(({ ended }) => ended === undefined)
  const request = suite.tasks.hasFlag(index, Flag.cancelRequested)
    ? entries.findLast(({ said }) => said._tag === "CancellationRequested")
    : undefined
  return {
    manager: nameOf(facts, id),
    epoch: suite.holders.at(suite.tasks.holder[index] ?? -1)?.epoch ?? open?.epoch ?? noEpoch,
    attempt: suite.tasks.attemptsOf(index) + 1,
    leasedAt: open?.leasedAt === undefined ? null : instant(open.leasedAt),
    until: null,
    startedAt: open?.startedAt === undefined ? null : instant(open.startedAt),
    workers: workers.flatMap((worker) => (worker._tag === "Running" ? [{ id: worker.id, pid: worker.pid }] : [])),
    cancellation:
      request?.said._tag === "CancellationRequested"
        ? { at: instant(request.recordedAt), actor: request.actor, reason: request.said.reason }
        : null
  }
}

const explainAttempt = (attempt: History.Attempt, called: (id: ManagerId) => string): ExplainedAttempt => {
  const { ended, epoch, leasedAt, manager, number, startedAt } = attempt
  const result = ended?.result
  return {
    number,
    manager,
    epoch,
    leasedAt: instantOrNull(leasedAt),
    startedAt: instantOrNull(startedAt),
    finishedAt: instantOrNull(result?.finishedAt),
    recordedAt: instantOrNull(ended?.recordedAt),
    duration: result?.duration ?? null,
    exitCode: result?.exitCode ?? null,
    signal: result?.signal ?? null,
    outcome: result?.outcome ?? null,
    peakMemory: result?.peakMemory ?? null,
    message: result?.message ?? null,
    stdout: result?.stdout ?? "",
    stderr: result?.stderr ?? "",
    next: result?.next ?? null,
    retryAt: instantOrNull(result?.retryAt),
    why:
      ended === undefined
        ? `it ${startedAt === undefined ? "is leased to" : "runs on"} ${called(manager)}`
        : `it ${Words.ending(ended.result)}; ${ended.why}`
  }
}

const instantOrNull = (time: number | undefined): string | null => (time === undefined ? null : instant(time))

const happening = (
  { actor, recordedAt, said, type, version }: History.Entry,
  called: (id: ManagerId) => string
): Happening => ({ at: instant(recordedAt), actor, version, type, what: whatHappened(said, called) })

const whatHappened = (said: History.Said, called: (id: ManagerId) => string): string => {
  switch (said._tag) {
    case "Submitted":
      return "submitted"
    case "Leased":
      return `leased to ${called(said.manager)}, session ${said.epoch}, for attempt ${said.attempt}`
    case "Started":
      return `attempt ${said.attempt} began on ${called(said.manager)}`
    case "Ended": {
      const next = said.result.next === "retry" ? ", back to the queue" : ""
      return `attempt ${said.result.attempt} ${Words.ending(said.result)}${next}`
    }
    case "Returned":
      return said.reason === "returned"
        ? `given back unstarted by ${called(said.manager)}`
        : `taken back unstarted from ${called(said.manager)}, which was lost`
    case "Late":
      return `a late result of attempt ${said.result.attempt} from ${called(said.manager)} changed nothing: it ${Words.ending(said.result)}`
    case "Cancelled":
      return `cancelled${because(said.reason)}`
    case "CancellationRequested":
      return `cancellation asked for${because(said.reason)}`
    case "Requeued":
      return "put back into the queue, with all of its retries"
  }
}

const because = (reason: string): string => (reason === "" ? "" : ` (${reason})`)
