/**
 * What time has to say about a manager's session: a pure decision, and when to ask for the next one. A manager that
 * beats is looked at when it could have fallen silent, not every second.
 */
import type { SuspectReason } from "@muster/domain/Manager/Events"
import type { Online, Suspected } from "@muster/domain/Manager/State"
import type * as Timings from "../Timings.ts"

/** What is known beside the state, in memory only. Times are milliseconds since 1970. */
export interface Signs {
  /** A connection of the session ends here. */
  readonly connected: boolean
  readonly lastHeard: number
  /** When this coordinator took the manager over. */
  readonly loadedAt: number
}

export type Verdict =
  /** Nothing can be said before so many milliseconds have passed. */
  | { readonly _tag: "Wait"; readonly milliseconds: number }
  | { readonly _tag: "Suspect"; readonly reason: SuspectReason }
  | { readonly _tag: "Lose"; readonly reason: SuspectReason }

export const judge = (state: Online | Suspected, signs: Signs, timings: Timings.Shape, now: number): Verdict => {
  const { connected, lastHeard, loadedAt } = signs
  if (state._tag === "Online") {
    return connected
      ? after(lastHeard + timings.silentAfter - now, { _tag: "Suspect", reason: "silent" })
      : after(lastHeard + timings.takeoverGrace - now, { _tag: "Suspect", reason: "disconnected" })
  }
  const { reason, since } = state
  const lost: Verdict = { _tag: "Lose", reason }
  if (reason === "silent") return after(lastHeard + timings.lostAfter - now, lost)
  // Time before this coordinator took over does not count: the manager may have had nobody to talk to.
  return after(Math.max(since, loadedAt) + timings.disconnectGrace - now, lost)
}

const after = (milliseconds: number, verdict: Verdict): Verdict =>
  milliseconds > 0 ? { _tag: "Wait", milliseconds } : verdict
