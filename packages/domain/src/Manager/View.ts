/**
 * What queries answer about managers.
 */
import { Schema } from "effect"
import { SuiteId } from "../Suite/Id.ts"
import { Instant, instant } from "../Suite/View.ts"
import { Epoch, ManagerId } from "./Id.ts"
import { ManagerSpec, ManagerState } from "./Spec.ts"
import { LiesView } from "./Lies.ts"
import type { State } from "./State.ts"

export const ManagerView = Schema.Struct({
  id: ManagerId,
  ...ManagerSpec.fields,
  state: ManagerState,
  epoch: Epoch,
  suiteId: Schema.NullOr(SuiteId),
  draining: Schema.Boolean,
  connectedAt: Schema.NullOr(Instant),
  updatedAt: Instant,
  /** What it has said that cannot be; shown of a single manager, and absent when there is nothing. */
  lies: Schema.optionalKey(LiesView)
})
export type ManagerView = typeof ManagerView.Type

/** The view of a manager, or nothing when there is none. A suspected one shows what it was doing. */
export const fromState = (state: State): ManagerView | undefined => {
  if (state._tag === "Unknown") return undefined
  const { id, spec, draining } = state
  const updatedAt = instant(state.updatedAt)
  if (state._tag === "Offline") {
    const connectedAt = state.connectedAt === null ? null : instant(state.connectedAt)
    return { id, ...spec, state: "offline", epoch: state.epoch, suiteId: null, draining, connectedAt, updatedAt }
  }
  const { activity, assignment, connectedAt, epoch } = state.session
  return {
    id,
    ...spec,
    state: activity,
    epoch,
    suiteId: assignment?.suiteId ?? null,
    draining,
    connectedAt: instant(connectedAt),
    updatedAt
  }
}
