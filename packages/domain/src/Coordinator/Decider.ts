/**
 * The rules of a pool: what it is told becomes an event when it changes a plan, and `Plan` makes the plan an event.
 * Nothing is refused: news that is old, or of sessions that are over, changes nothing. `docs/states/coordinator.md`
 * draws them.
 */
import { Result } from "effect"
import type { Decider } from "../Decider.ts"
import type { Epoch, ManagerId } from "../Manager/Id.ts"
import * as Placement from "../Placement.ts"
import type { SuiteId } from "../Suite/Id.ts"
import type * as Commands from "./Commands.ts"
import type { CoordinatorCommand } from "./Commands.ts"
import type { AssignmentEndReason, CoordinatorEvent, UnavailableReason } from "./Events.ts"
import { evolve } from "./Evolve.ts"
import { initial } from "./State.ts"
import type { Manager, State, Suite } from "./State.ts"

type Events = ReadonlyArray<CoordinatorEvent>

/** How long a manager is kept for a suite of which no task waits, unless a plan says otherwise. Milliseconds. */
export const defaultLinger = 5_000

const nothing: Events = []

export const decide = (state: State, command: CoordinatorCommand): Result.Result<Events, never> => {
  switch (command._tag) {
    case "AnnounceSuite":
      return Result.succeed(announceSuite(state, command))
    case "AnnounceManager":
      return Result.succeed(announceManager(state, command))
    case "ManagerGone":
      return Result.succeed(managerGone(state, command))
    case "AssignmentReleased":
      return Result.succeed(assignmentReleased(state, command))
    case "Plan":
      return Result.succeed(plan(state, command))
  }
}

const announceSuite = (state: State, command: Commands.AnnounceSuite): Events => {
  const { suiteId, now: at } = command
  const known = state.suites.get(suiteId)
  if (command.queued > 0) {
    const isKnown = known?.drainedAt === null && !isNews(known, command) && !outgrows(state, known, command)
    return isKnown ? nothing : [suiteQueued(command)]
  }
  if (known === undefined) return nothing
  if (command.pending <= 0) return known.ended ? nothing : [{ _tag: "SuiteEnded", suiteId, at }]
  return known.drainedAt === null ? [{ _tag: "SuiteDrained", suiteId, at }] : nothing
}

const suiteQueued = (command: Commands.AnnounceSuite): CoordinatorEvent => {
  const { suiteId, tags, priority, createdAt, workers, managers, queued, now } = command
  return {
    _tag: "SuiteQueued",
    suiteId,
    tags,
    priority,
    createdAt,
    ...(workers === undefined ? {} : { workers }),
    ...(managers === undefined ? {} : { managers }),
    queued,
    pending: pendingOf(command),
    at: now
  }
}

const pendingOf = ({ pending, queued }: Commands.AnnounceSuite): number => Math.max(pending, queued)

/**
 * Whether a suite with tasks waiting has changed so much that a plan may come out differently. That more tasks are
 * pending matters once they have doubled; that fewer are is seen from those that wait, or else one that feeds tasks in
 * one by one would write an event with every second of them.
 */
const isNews = (known: Suite, command: Commands.AnnounceSuite): boolean =>
  command.queued >= 2 * known.queued ||
  2 * command.queued <= known.queued ||
  pendingOf(command) >= 2 * known.pending ||
  command.priority !== known.priority ||
  command.createdAt !== known.createdAt ||
  (command.workers ?? null) !== known.workers ||
  !isSameList(command.tags, known.tags) ||
  !isSameList(command.managers ?? null, known.managers)

/** Whether the managers that have the suite were enough for the tasks that were known, and are not for those there are. */
const outgrows = (state: State, known: Suite, command: Commands.AnnounceSuite): boolean => {
  if (pendingOf(command) <= known.pending) return false
  let slots = 0
  for (const { assignment } of state.managers.values()) {
    if (assignment?.suiteId === known.suiteId && !assignment.releasing) slots += assignment.slots
  }
  return known.pending <= slots && slots < pendingOf(command)
}

const isSameList = (a: ReadonlyArray<string> | null, b: ReadonlyArray<string> | null): boolean =>
  a === null || b === null ? a === b : a.length === b.length && a.every((item, place) => item === b[place])

const announceManager = (state: State, command: Commands.AnnounceManager): Events => {
  const { managerId, epoch } = command
  const known = state.managers.get(managerId)
  const gone = state.gone.get(managerId)
  if ((gone !== undefined && epoch <= gone) || (known !== undefined && epoch < known.epoch)) return nothing
  const current = known?.epoch === epoch ? known : undefined
  return [
    ...(known === undefined || current !== undefined ? nothing : removed(known, known.epoch, command.now)),
    ...(current !== undefined && isAsAnnounced(current, command) ? nothing : [managerSeen(command)]),
    ...reconcile(current, command)
  ]
}

/** Draining says more than not being ready: such a manager has nothing to become ready for. */
const whyUnavailable = (manager: Pick<Manager, "ready" | "draining">): UnavailableReason | undefined => {
  if (manager.draining) return "draining"
  return manager.ready ? undefined : "not_ready"
}

const isAsAnnounced = (known: Manager, command: Commands.AnnounceManager): boolean =>
  whyUnavailable(known) === whyUnavailable(command) &&
  known.workers === command.workers &&
  isSameList(known.tags, command.tags)

const managerSeen = (command: Commands.AnnounceManager): CoordinatorEvent => {
  const { managerId, epoch, tags, workers, now: at } = command
  const reason = whyUnavailable(command)
  return reason === undefined
    ? { _tag: "ManagerAvailable", managerId, epoch, tags, workers, at }
    : { _tag: "ManagerUnavailable", managerId, epoch, tags, workers, reason, at }
}

/**
 * Brings together what a manager should have and what it says it has. A suite that it should have and does not say so
 * may just not have reached it, and is told again; so is one that it should give back. One that it should not have shall
 * go.
 */
const reconcile = (known: Manager | undefined, command: Commands.AnnounceManager): Events => {
  const { managerId, epoch, assignedSuite: claimed, now: at } = command
  const held = known?.assignment ?? null
  if (held !== null && (!held.releasing || held.suiteId === claimed)) return nothing
  return [
    ...(held === null ? nothing : [assignmentEnded({ managerId, epoch }, held.suiteId, "released", at)]),
    ...(claimed === null
      ? nothing
      : [{ _tag: "ReleaseRequested", managerId, epoch, suiteId: claimed, reason: "not_assigned", at } as const])
  ]
}

const assignmentEnded = (
  { managerId, epoch }: Pick<Manager, "managerId" | "epoch">,
  suiteId: SuiteId,
  reason: AssignmentEndReason,
  at: number
): CoordinatorEvent => ({ _tag: "AssignmentEnded", managerId, epoch, suiteId, reason, at })

const removed = (manager: Manager, epoch: Epoch, at: number): Events => [
  ...(manager.assignment === null
    ? nothing
    : [assignmentEnded(manager, manager.assignment.suiteId, "session_over", at)]),
  { _tag: "ManagerRemoved", managerId: manager.managerId, epoch, at }
]

const managerGone = (state: State, { managerId, epoch, now }: Commands.ManagerGone): Events => {
  const known = state.managers.get(managerId)
  return known === undefined || epoch < known.epoch ? nothing : removed(known, epoch, now)
}

const assignmentReleased = (state: State, command: Commands.AssignmentReleased): Events => {
  const { managerId, epoch, suiteId, now } = command
  const known = state.managers.get(managerId)
  const held = known?.assignment
  if (known?.epoch !== epoch || held?.suiteId !== suiteId) return nothing
  return [assignmentEnded(known, suiteId, held.releasing ? "released" : "given_back", now)]
}

const plan = (state: State, { now: at, linger = defaultLinger }: Commands.Plan): Events => {
  const { assignments, releases } = placement(state, at, linger)
  return [
    ...releases.flatMap(({ managerId, ...release }) => {
      const epoch = state.managers.get(managerId)?.epoch
      return epoch === undefined ? [] : [{ _tag: "ReleaseRequested" as const, managerId, epoch, ...release, at }]
    }),
    ...assignments.flatMap(({ managerId, ...assignment }) => {
      const epoch = state.managers.get(managerId)?.epoch
      return epoch === undefined ? [] : [{ _tag: "SuiteAssigned" as const, managerId, epoch, ...assignment, at }]
    })
  ]
}

const placement = (state: State, now: number, linger: number): Placement.Plan =>
  Placement.plan({ now, linger, suites: state.suites.values(), managers: state.managers.values() })

/** What a manager's session shall do: have this suite, or give it back. */
export interface Wish {
  readonly _tag: "Assign" | "Unassign"
  readonly managerId: ManagerId
  readonly epoch: Epoch
  readonly suiteId: SuiteId
}

/** What is wanted of all managers, to be said to them again and again: who has it already changes nothing. */
export const directives = (state: State): ReadonlyArray<Wish> => {
  const wishes: Array<Wish> = []
  for (const { managerId, epoch, assignment } of state.managers.values()) {
    if (assignment === null) continue
    const _tag = assignment.releasing ? "Unassign" : "Assign"
    wishes.push({ _tag, managerId, epoch, suiteId: assignment.suiteId })
  }
  return wishes
}

/** Why managers do not run a suite, or all suites, as things are. */
export const explain = (state: State, now: number, suiteId?: SuiteId): ReadonlyArray<Placement.Refusal> =>
  planned(state, now).refusals(suiteId)

/** What a plan made now would change, with its refusals. Changes nothing. */
export const planned = (state: State, now: number, linger = defaultLinger): Placement.Plan =>
  placement(state, now, linger)

export const decider: Decider<State, CoordinatorCommand, CoordinatorEvent, never> = { initial, evolve, decide }
