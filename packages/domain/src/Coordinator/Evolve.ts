/**
 * How each event changes a pool. Total and silent: what cannot happen changes nothing. Entries are replaced, never
 * changed, so whoever has one keeps what it saw.
 */
import { giveBackPause, keptUntil } from "../Placement.ts"
import type { SuiteId } from "../Suite/Id.ts"
import type { CoordinatorEvent, ManagerAvailable, ManagerUnavailable, SuiteQueued } from "./Events.ts"
import { maxGone } from "./State.ts"
import type { Manager, State } from "./State.ts"

export const evolve = (state: State, event: CoordinatorEvent): State => {
  switch (event._tag) {
    case "SuiteQueued":
      suiteQueued(state, event)
      break
    case "SuiteDrained": {
      const suite = state.suites.get(event.suiteId)
      if (suite?.drainedAt === null) state.suites.set(event.suiteId, { ...suite, queued: 0, drainedAt: event.at })
      break
    }
    case "SuiteEnded": {
      const suite = state.suites.get(event.suiteId)
      if (suite === undefined) break
      const drainedAt = suite.drainedAt ?? event.at
      state.suites.set(event.suiteId, { ...suite, queued: 0, pending: 0, drainedAt, ended: true })
      forgetEnded(state, event.suiteId)
      break
    }
    case "ManagerAvailable":
      managerSeen(state, event, true, false)
      break
    case "ManagerUnavailable":
      managerSeen(state, event, event.reason !== "not_ready", event.reason === "draining")
      break
    case "ManagerRemoved": {
      const manager = state.managers.get(event.managerId)
      if (manager === undefined || manager.epoch > event.epoch) break
      state.managers.delete(event.managerId)
      state.gone.set(event.managerId, event.epoch)
      for (const [oldest] of state.gone) {
        if (state.gone.size <= maxGone) break
        state.gone.delete(oldest)
      }
      if (manager.assignment !== null) forgetEnded(state, manager.assignment.suiteId)
      break
    }
    case "SuiteAssigned":
      changeManager(state, event, (manager) => {
        const { at, slots, suiteId } = event
        if (!state.suites.has(suiteId)) return manager
        const held = manager.assignment
        if (held === null) return { ...manager, assignment: { suiteId, slots, releasing: false } }
        if (held.suiteId !== suiteId || held.askedAt === undefined || !held.releasing) return manager
        const assignment = { suiteId, slots, releasing: false, keptUntil: keptUntil(held.askedAt, at) }
        return { ...manager, assignment }
      })
      break
    case "ReleaseRequested":
      changeManager(state, event, (manager) => {
        // One that was not assigned here is known from now on, so that the manager is not given another one meanwhile.
        if (manager.assignment === null) {
          return { ...manager, assignment: { suiteId: event.suiteId, slots: 0, releasing: true } }
        }
        const { releasing, slots, suiteId } = manager.assignment
        return suiteId === event.suiteId && !releasing
          ? { ...manager, assignment: { suiteId, slots, releasing: true, askedAt: event.at } }
          : manager
      })
      break
    case "AssignmentEnded":
      changeManager(state, event, (manager) => {
        if (manager.assignment?.suiteId !== event.suiteId) return manager
        const givenBack = manager.givenBack.filter(
          ([suiteId, at]) => suiteId !== event.suiteId && at + giveBackPause > event.at
        )
        if (event.reason === "given_back") givenBack.push([event.suiteId, event.at])
        return { ...manager, assignment: null, givenBack }
      })
      forgetEnded(state, event.suiteId)
      break
  }
  return state
}

const suiteQueued = (state: State, event: typeof SuiteQueued.Type): void => {
  const { suiteId, tags, priority, createdAt, workers, managers, queued, pending } = event
  state.suites.set(suiteId, {
    suiteId,
    tags,
    priority,
    createdAt,
    workers: workers ?? null,
    managers: managers ?? null,
    queued,
    pending,
    drainedAt: null,
    ended: false
  })
}

const managerSeen = (
  state: State,
  { managerId, epoch, tags, workers }: typeof ManagerAvailable.Type | typeof ManagerUnavailable.Type,
  ready: boolean,
  draining: boolean
): void => {
  const known = state.managers.get(managerId)
  const gone = state.gone.get(managerId)
  if ((gone !== undefined && gone >= epoch) || (known !== undefined && known.epoch !== epoch)) return
  const { assignment, givenBack } = known ?? { assignment: null, givenBack: [] }
  state.gone.delete(managerId)
  state.managers.set(managerId, { managerId, epoch, tags, workers, ready, draining, assignment, givenBack })
}

const changeManager = (
  state: State,
  event: Pick<Manager, "managerId" | "epoch">,
  change: (manager: Manager) => Manager
): void => {
  const manager = state.managers.get(event.managerId)
  if (manager?.epoch === event.epoch) state.managers.set(event.managerId, change(manager))
}

/** An ended suite is remembered for the managers that still have it. */
const forgetEnded = (state: State, suiteId: SuiteId): void => {
  if (state.suites.get(suiteId)?.ended === true && !isHeld(state, suiteId)) state.suites.delete(suiteId)
}

const isHeld = (state: State, suiteId: SuiteId): boolean => {
  for (const manager of state.managers.values()) if (manager.assignment?.suiteId === suiteId) return true
  return false
}
