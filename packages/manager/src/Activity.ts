/**
 * What a manager is doing, as a state machine. That it may also be offline is for the coordinator to say: a manager
 * without a connection goes on with what it does.
 *
 * ```
 *   idle ──▶ preparing ──▶ executing ──▶ cleanup ──▶ idle
 *              └──▶ idle       └──▶ idle
 * ```
 *
 * `preparing → idle`: the machine could not be prepared. `executing → idle`: the session is over, and with it the right
 * to run anything; there is nothing to tidy up for.
 */
import { Data, Result } from "effect"
import { activityMoves } from "@muster/domain/Manager/Decider"
import type { Activity } from "@muster/domain/Manager/Spec"
import type { SuiteId } from "@muster/domain/Suite/Id"

/** The activity with the suite that it is for, since when, and what came before. */
export interface State {
  readonly activity: Activity
  /** `null` when idle, and only then. */
  readonly suiteId: SuiteId | null
  /** Milliseconds since 1970. */
  readonly since: number
  /** The latest finished activities, oldest first. */
  readonly history: ReadonlyArray<Past>
}

export interface Past {
  readonly activity: Activity
  readonly suiteId: SuiteId | null
  /** How long it lasted. Milliseconds. */
  readonly lasted: number
}

/** A step that the machine does not allow. */
export class ActivityConflict extends Data.TaggedError("ActivityConflict")<{
  readonly from: Activity
  readonly to: Activity
}> {
  override get message() {
    return `a manager that is ${this.from} cannot become ${this.to}; allowed: ${activityMoves[this.from].join(", ")}`
  }
}

/** Enough to see the last few dozen suites. */
export const historyLimit = 100

export const initial = (now: number): State => ({ activity: "idle", suiteId: null, since: now, history: [] })

/** The state after a step to `to`. The suite is the one of the first step until the machine is idle again. */
export const step = (
  state: State,
  to:
    | { readonly activity: "preparing"; readonly suiteId: SuiteId }
    | { readonly activity: Exclude<Activity, "preparing"> },
  now: number
): Result.Result<State, ActivityConflict> => {
  if (!activityMoves[state.activity].includes(to.activity)) {
    return Result.fail(new ActivityConflict({ from: state.activity, to: to.activity }))
  }
  const suiteId = to.activity === "preparing" ? to.suiteId : to.activity === "idle" ? null : state.suiteId
  const past: Past = { activity: state.activity, suiteId: state.suiteId, lasted: Math.max(0, now - state.since) }
  return Result.succeed({
    activity: to.activity,
    suiteId,
    since: now,
    history: [...state.history.slice(1 - historyLimit), past]
  })
}
