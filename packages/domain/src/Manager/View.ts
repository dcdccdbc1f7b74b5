/**
 * What queries answer about managers.
 */
import { Schema } from "effect"
import { SuiteId } from "../Suite/Id.ts"
import { Instant } from "../Suite/View.ts"
import { Epoch, ManagerId } from "./Id.ts"
import { ManagerSpec, ManagerState } from "./Spec.ts"

export const ManagerView = Schema.Struct({
  id: ManagerId,
  ...ManagerSpec.fields,
  state: ManagerState,
  epoch: Epoch,
  suiteId: Schema.NullOr(SuiteId),
  draining: Schema.Boolean,
  connectedAt: Schema.NullOr(Instant),
  updatedAt: Instant
})
export type ManagerView = typeof ManagerView.Type
