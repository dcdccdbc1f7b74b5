/**
 * A suite's state as plain data that is the same for states that behave the same: without what happens to stand where in
 * tables that are only filled up and used again.
 */
import type { Outstanding } from "@muster/domain/Suite/Outstanding"
import * as State from "@muster/domain/Suite/State"
import type { SuiteState } from "@muster/domain/Suite/State"
import { Flag, Phase } from "@muster/domain/Suite/TaskTable"
import { TaskState } from "@muster/domain/Task/Attempt"

export const isHeldPhase = (phase: number): boolean => phase === Phase.assigned || phase === Phase.running

export const dumpTask = (state: State.Existing, index: number) => {
  const { tasks } = state
  const phase = tasks.phaseOf(index)
  const holder = isHeldPhase(phase) ? state.holders.at(tasks.holder[index] ?? -1) : undefined
  const profile = state.profiles[tasks.profile[index] ?? -1]
  return {
    state: TaskState.literals[phase],
    attempts: tasks.attempts[index],
    failures: tasks.failures[index],
    crashes: tasks.crashes[index],
    cancelRequested: tasks.hasFlag(index, Flag.cancelRequested),
    delayedUntil: tasks.hasFlag(index, Flag.delayed) ? state.delays.get(index) : undefined,
    holder: holder === undefined ? undefined : `${holder.manager}@${holder.epoch}`,
    priority: profile?.priority,
    retry: profile?.retry
  }
}

const losses = (outstanding: Outstanding) =>
  outstanding
    .entries()
    .map(([manager, attempt, ranges]) => `${manager}#${attempt}: ${JSON.stringify(ranges)}`)
    .toSorted()

const farAway = 2 ** 52

export const dump = (state: SuiteState) => {
  if (state._tag === "Missing") return state
  return {
    id: state.id,
    spec: state.spec,
    createdAt: state.createdAt,
    state: state.state,
    paused: state.paused,
    stopped: state.stopped,
    lastSubmittedAt: state.lastSubmittedAt,
    completedAt: state.completedAt,
    version: state.version,
    counts: State.taskCounts(state),
    tasks: Array.from({ length: state.tasks.size }, (_, index) => dumpTask(state, index)),
    plain: state.plain.ranges(),
    queue: state.queue.first(Infinity),
    ready: State.nextReady(state, Infinity, farAway),
    delays: [...state.delays.entries()].toSorted(([x], [y]) => x - y),
    nextRetryAt: State.nextRetryAt(state),
    holders: state.holders
      .list()
      .filter((holder) => holder.tasks > 0)
      .map(({ epoch, manager, tasks }) => `${manager}@${epoch}: ${tasks}`)
      .toSorted(),
    fences: [...state.fences].toSorted(([x], [y]) => x.localeCompare(y)),
    lostAttempts: losses(state.lostAttempts),
    lostLeases: losses(state.lostLeases),
    specs: Array.from({ length: state.tasks.size }, (_, index) => State.specPlace(state, index))
  }
}
