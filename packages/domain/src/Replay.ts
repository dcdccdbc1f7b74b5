/**
 * A log walked event by event, with the states beside it: every stream folded by its own `evolve`, as the actors did.
 */
import { evolve as evolvePool } from "./Coordinator/Evolve.ts"
import type { CoordinatorEvent } from "./Coordinator/Events.ts"
import * as Pool from "./Coordinator/State.ts"
import { evolve as evolveManager } from "./Manager/Evolve.ts"
import type { ManagerEvent } from "./Manager/Events.ts"
import * as Manager from "./Manager/State.ts"
import { evolve as evolveSuite } from "./Suite/Evolve.ts"
import type { SuiteEvent } from "./Suite/Events.ts"
import * as Snapshot from "./Suite/Snapshot.ts"
import type { SuiteState, TaskCounts } from "./Suite/Spec.ts"
import * as Suite from "./Suite/State.ts"
import { decider as worker } from "./Worker/Decider.ts"
import type { WorkerEvent } from "./Worker/Events.ts"
import * as Worker from "./Worker/State.ts"

/** The states of all streams, by name. Used linearly: `step` changes it in place. */
export interface World {
  readonly suites: Map<string, Suite.SuiteState>
  readonly managers: Map<string, Manager.State>
  readonly workers: Map<string, Worker.State>
  readonly pools: Map<string, Pool.State>
}

/** An event in today's shape, with the stream that it is of. */
export type Happened =
  | { readonly stream: `suite-${string}`; readonly event: SuiteEvent }
  | { readonly stream: `manager-${string}`; readonly event: ManagerEvent }
  | { readonly stream: `worker-${string}`; readonly event: WorkerEvent }
  | { readonly stream: `coordinator-${string}`; readonly event: CoordinatorEvent }

export const make = (): World => ({ suites: new Map(), managers: new Map(), workers: new Map(), pools: new Map() })

type Of<Prefix extends string> = Extract<Happened, { readonly stream: `${Prefix}-${string}` }>

const isOf = <Prefix extends "suite" | "manager" | "worker" | "coordinator">(
  happened: Happened,
  prefix: Prefix
): happened is Of<Prefix> => happened.stream.startsWith(`${prefix}-`)

export const step = (world: World, happened: Happened): void => {
  const { stream } = happened
  if (isOf(happened, "suite")) {
    world.suites.set(stream, evolveSuite(world.suites.get(stream) ?? Suite.initial(), happened.event))
  } else if (isOf(happened, "manager")) {
    world.managers.set(stream, evolveManager(world.managers.get(stream) ?? Manager.initial(), happened.event))
  } else if (isOf(happened, "worker")) {
    world.workers.set(stream, worker.evolve(world.workers.get(stream) ?? Worker.initial(), happened.event))
  } else if (isOf(happened, "coordinator")) {
    world.pools.set(stream, evolvePool(world.pools.get(stream) ?? Pool.initial(), happened.event))
  }
}

/** A world that goes its own way. */
export const copy = (world: World): World => ({
  suites: new Map([...world.suites].map(([stream, state]) => [stream, copySuite(state)])),
  // Their states are replaced, never changed.
  managers: new Map(world.managers),
  workers: new Map(world.workers),
  pools: new Map(
    [...world.pools].map(([stream, { gone, managers, suites }]) => [
      stream,
      { suites: new Map(suites), managers: new Map(managers), gone: new Map(gone) }
    ])
  )
})

const copySuite = (state: Suite.SuiteState): Suite.SuiteState =>
  state._tag === "Missing" ? state : (Snapshot.decode(Snapshot.encode(state)) ?? state)

/** What there is to see of a suite. */
export interface SuiteSummary {
  readonly id: string
  readonly name: string | null
  readonly state: SuiteState
  readonly paused: boolean
  readonly tasks: TaskCounts
  /** Sessions that hold tasks of it. */
  readonly held: ReadonlyArray<{ readonly manager: string; readonly epoch: number; readonly tasks: number }>
}

export interface ManagerSummary {
  readonly id: string
  readonly name: string
  readonly state: "online" | "suspected" | "offline"
  readonly epoch: number
  readonly activity: string | null
  readonly suite: string | null
  readonly draining: boolean
  readonly workers: number
}

/** A world as plain data: what a person wants to see beside an event. */
export interface Summary {
  readonly suites: ReadonlyArray<SuiteSummary>
  readonly managers: ReadonlyArray<ManagerSummary>
  /** What the pool knows: numbers, and who shall run what. */
  readonly pool: {
    readonly suites: number
    readonly managers: number
    readonly assigned: ReadonlyArray<{ readonly manager: string; readonly suite: string; readonly releasing: boolean }>
  }
}

export const summary = (world: World): Summary => {
  const pools = [...world.pools.values()]
  return {
    suites: [...world.suites.values()].flatMap((state) => (state._tag === "Missing" ? [] : [suiteSummary(state)])),
    managers: [...world.managers.values()].flatMap((state) =>
      state._tag === "Unknown" ? [] : [managerSummary(state, world.workers)]
    ),
    pool: {
      suites: pools.reduce((sum, { suites }) => sum + suites.size, 0),
      managers: pools.reduce((sum, { managers }) => sum + managers.size, 0),
      assigned: pools.flatMap(({ managers }) =>
        [...managers.values()].flatMap(({ assignment, managerId }) =>
          assignment === null
            ? []
            : [{ manager: managerId, suite: assignment.suiteId, releasing: assignment.releasing }]
        )
      )
    }
  }
}

const suiteSummary = (state: Suite.Existing): SuiteSummary => ({
  id: state.id,
  name: state.spec.name ?? null,
  state: state.state,
  paused: state.paused,
  tasks: Suite.taskCounts(state),
  held: state.holders.list().flatMap(({ epoch, manager, tasks }) => (tasks === 0 ? [] : [{ manager, epoch, tasks }]))
})

const managerSummary = (
  state: Exclude<Manager.State, { readonly _tag: "Unknown" }>,
  workers: World["workers"]
): ManagerSummary => {
  const session = state._tag === "Offline" ? undefined : state.session
  let running = 0
  for (const [stream, own] of workers) {
    if (own._tag === "Running" && stream.startsWith(`worker-${state.id}.`)) running++
  }
  return {
    id: state.id,
    name: state.spec.name,
    state: ({ Online: "online", Suspected: "suspected", Offline: "offline" } as const)[state._tag],
    epoch: state._tag === "Offline" ? state.epoch : state.session.epoch,
    activity: session?.activity ?? null,
    suite: session?.assignment?.suiteId ?? null,
    draining: state.draining,
    workers: running
  }
}
