/**
 * What only the manager's own decider refuses, and all that it may answer with.
 */
import { Schema } from "effect"
import { ManagerNotFound, ManagerOffline, SessionFenced } from "./Errors.ts"
import { ManagerId } from "./Id.ts"
import { Activity } from "./Spec.ts"

/** No manager makes this step (MIT-100): one of its reports got lost, or it is not one of ours. */
export class ActivityNotAllowed extends Schema.TaggedError<ActivityNotAllowed>()(
  "ActivityNotAllowed",
  { managerId: ManagerId, from: Activity, to: Activity, allowed: Schema.Array(Activity) },
  { httpApiStatus: 409 }
) {
  override get message() {
    return `manager ${this.managerId} cannot go from ${this.from} to ${this.to}; allowed: ${this.allowed.join(", ")}`
  }
}

/** The manager takes no suite now. Whoever wants it to says so again. */
export class ManagerNotAvailable extends Schema.TaggedError<ManagerNotAvailable>()(
  "ManagerNotAvailable",
  { managerId: ManagerId, reason: Schema.Literals(["not_ready", "suspected", "draining", "shutting_down"]) },
  { httpApiStatus: 409 }
) {
  override get message() {
    return `manager ${this.managerId} takes no suite: it is ${this.reason.replace("_", " ")}`
  }
}

/** What a manager's decider answers when it refuses. */
export const ManagerError = Schema.Union([
  ManagerNotFound,
  SessionFenced,
  ManagerOffline,
  ActivityNotAllowed,
  ManagerNotAvailable
])
export type ManagerError = typeof ManagerError.Type
