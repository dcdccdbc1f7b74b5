/**
 * What golden logs are compared by: states and rows as plain data, without what happens to stand where in memory.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import * as Coordinator from "@muster/domain/Coordinator/Events"
import * as Pool from "@muster/domain/Coordinator/State"
import * as Manager from "@muster/domain/Manager/Events"
import type { Recorded } from "@muster/domain/Recorded"
import * as Suite from "@muster/domain/Suite/Events"
import type { Outstanding } from "@muster/domain/Suite/Outstanding"
import * as SuiteState from "@muster/domain/Suite/State"
import { Flag, Phase } from "@muster/domain/Suite/TaskTable"
import { TaskState } from "@muster/domain/Task/Attempt"
import * as Worker from "@muster/domain/Worker/Events"
import { projections } from "@muster/server/Projections/Inline"
import * as StreamStates from "@muster/server/StreamStates"

/** Every type of event that there is. */
export const knownTypes: ReadonlyArray<string> = [
  ...Suite.SuiteEvent.members,
  ...Manager.ManagerEvent.members,
  ...Worker.WorkerEvent.members,
  ...Coordinator.CoordinatorEvent.members
].map(({ fields }) => fields._tag.schema.literal)

const lossesOf = (outstanding: Outstanding) =>
  outstanding
    .entries()
    .map(([manager, attempt, ranges]) => `${manager}#${attempt}: ${JSON.stringify(ranges)}`)
    .toSorted()

const taskOf = (state: SuiteState.Existing, index: number) => {
  const { tasks } = state
  const phase = tasks.phaseOf(index)
  const isHeld = phase === Phase.assigned || phase === Phase.running
  const holder = isHeld ? state.holders.at(tasks.holder[index] ?? -1) : undefined
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

const suiteOf = (state: SuiteState.SuiteState) =>
  state._tag === "Missing"
    ? state
    : {
        id: state.id,
        spec: state.spec,
        createdAt: state.createdAt,
        state: state.state,
        paused: state.paused,
        stopped: state.stopped,
        lastSubmittedAt: state.lastSubmittedAt,
        completedAt: state.completedAt,
        version: state.version,
        counts: SuiteState.taskCounts(state),
        tasks: Array.from({ length: state.tasks.size }, (_, index) => taskOf(state, index)),
        plain: state.plain.ranges(),
        queue: state.queue.first(Infinity),
        fences: [...state.fences].toSorted(([a], [b]) => (a < b ? -1 : 1)),
        lostAttempts: lossesOf(state.lostAttempts),
        lostLeases: lossesOf(state.lostLeases)
      }

/** The states of a stream after each of its events, by the beginning of its name. */
const kinds: Readonly<Record<string, (events: ReadonlyArray<Recorded>) => ReadonlyArray<unknown>>> = {
  suite: (events) => steps(StreamStates.suite, events, suiteOf),
  manager: (events) => steps(StreamStates.manager, events, (state) => state),
  worker: (events) => steps(StreamStates.worker, events, (state) => state),
  coordinator: (events) => steps(StreamStates.pool, events, Pool.toSnapshot)
}

const steps = <State, Event>(
  { decider, decode }: StreamStates.StreamState<State, Event>,
  events: ReadonlyArray<Recorded>,
  show: (state: State) => unknown
): ReadonlyArray<unknown> => {
  let state = decider.initial()
  return events.map((event) => {
    state = decider.evolve(state, decode(event))
    // The next event may change it in place.
    return plain(show(state))
  })
}

/** The states of each stream, by its name: one after each event, since what an event does may be undone by a later one. */
export const states = (log: ReadonlyArray<Recorded>): Readonly<Record<string, ReadonlyArray<unknown>>> =>
  Object.fromEntries(
    [...Map.groupBy(log, ({ stream }) => stream)]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([stream, events]) => [stream, kinds[stream.slice(0, stream.indexOf("-"))]?.(events) ?? []])
  )

/** Without `undefined`, and without anything that JSON does not hold. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

/** The rows of all read models that are written with the events, by table, in the order of their JSON. */
export const rows = Effect.gen(function* () {
  const sql = yield* SqlClient
  const tables = projections.flatMap((projection) => projection.tables)
  const found = yield* Effect.forEach(tables, (table) =>
    Effect.map(
      sql.unsafe<{ readonly row: unknown }>(`select to_jsonb(t) as row from "${table}" t order by to_jsonb(t)::text`),
      (all) => [table, all.map(({ row }) => row)] as const
    )
  )
  return plain(Object.fromEntries(found))
})
