/**
 * What a pool has to remember in order to decide: suites with work, managers that are there, and who has what. It is
 * all in memory and all of it is in each snapshot, so what is over is forgotten.
 */
import { Schema } from "effect"
import { Epoch, ManagerId } from "../Manager/Id.ts"
import { Timestamp } from "../Millis.ts"
import { SuiteId } from "../Suite/Id.ts"

/** How many sessions that are gone are remembered, so that old news of them brings none back. */
export const maxGone = 4_096

export const Suite = Schema.Struct({
  suiteId: SuiteId,
  tags: Schema.Array(Schema.String),
  priority: Schema.Int,
  createdAt: Timestamp,
  workers: Schema.NullOr(Schema.Int),
  managers: Schema.NullOr(Schema.Array(ManagerId)),
  /** As last recorded: the true numbers are less than twice as high and more than half as high. */
  queued: Schema.Int,
  pending: Schema.Int,
  /** Since when nothing waits; null while something does. */
  drainedAt: Schema.NullOr(Timestamp),
  /** Nothing is pending. Remembered only as long as a manager has it. */
  ended: Schema.Boolean
})
export type Suite = typeof Suite.Type

export const Assignment = Schema.Struct({
  suiteId: SuiteId,
  slots: Schema.Int,
  /** Asked to give it back. */
  releasing: Schema.Boolean,
  /** When a plan asked for that. */
  askedAt: Schema.optionalKey(Timestamp),
  /** It was asked in vain, and is left alone until then. */
  keptUntil: Schema.optionalKey(Timestamp)
})
export type Assignment = typeof Assignment.Type

export const Manager = Schema.Struct({
  managerId: ManagerId,
  epoch: Epoch,
  tags: Schema.Array(Schema.String),
  workers: Schema.Int,
  ready: Schema.Boolean,
  draining: Schema.Boolean,
  assignment: Schema.NullOr(Assignment),
  /** Suites that it gave back unasked of late, and when. */
  givenBack: Schema.Array(Schema.Tuple([SuiteId, Timestamp]))
})
export type Manager = typeof Manager.Type

/** Used linearly: `evolve` changes the maps and replaces their entries. */
export interface State {
  readonly suites: Map<SuiteId, Suite>
  readonly managers: Map<ManagerId, Manager>
  /** Managers that are gone with their last epoch, oldest first. */
  readonly gone: Map<ManagerId, Epoch>
}

export const initial = (): State => ({ suites: new Map(), managers: new Map(), gone: new Map() })

/** The state as plain data, for snapshots. */
export const Snapshot = Schema.Struct({
  suites: Schema.Array(Suite),
  managers: Schema.Array(Manager),
  gone: Schema.Array(Schema.Tuple([ManagerId, Epoch]))
})
export type Snapshot = typeof Snapshot.Type

export const toSnapshot = (state: State): Snapshot => ({
  suites: [...state.suites.values()],
  managers: [...state.managers.values()],
  gone: [...state.gone]
})

export const fromSnapshot = (snapshot: Snapshot): State => ({
  suites: new Map(snapshot.suites.map((suite) => [suite.suiteId, suite])),
  managers: new Map(snapshot.managers.map((manager) => [manager.managerId, manager])),
  gone: new Map(snapshot.gone)
})
