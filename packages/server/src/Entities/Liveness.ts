/**
 * What time has to say about a manager's session: a pure decision, and when to ask for the next one. A manager that
 * beats is looked at when it could have fallen silent, not every second.
 *
 * A session that runs a suite on a lease is given up when nothing of the suite can run there any more: `docs/leases.md`
 * says why that is certain.
 */
import * as Lease from "@muster/domain/Lease"
import type { SuspectReason } from "@muster/domain/Manager/Events"
import type { Online, Suspected } from "@muster/domain/Manager/State"
import type * as Timings from "../Timings.ts"

/** What is known beside the state, in memory only. Times are by this machine's boot clock. */
export interface Signs {
  /** A connection of the session ends here. */
  readonly connected: boolean
  readonly lastHeard: number
  /** When this coordinator took the manager over. */
  readonly loadedAt: number
  /** When the suspicion was first seen here, stored. */
  readonly suspectedAt: number
  /** When this coordinator last proved that nobody else speaks for the manager since it took it over. */
  readonly provenAt: number | undefined
}

export type Verdict =
  /** Nothing can be said before so many milliseconds have passed. */
  | { readonly _tag: "Wait"; readonly milliseconds: number }
  | { readonly _tag: "Suspect"; readonly reason: SuspectReason }
  | { readonly _tag: "Lose"; readonly reason: SuspectReason }

export const judge = (state: Online | Suspected, signs: Signs, timings: Timings.Shape, now: number): Verdict => {
  const { connected, lastHeard, loadedAt, provenAt, suspectedAt } = signs
  const lease = state.session.assignment?.lease
  if (state._tag === "Online") {
    const usual = connected ? timings.silentAfter : timings.takeoverGrace
    const patience = lease === undefined ? usual : Lease.doubtAfter(lease, usual)
    return after(lastHeard + patience - now, { _tag: "Suspect", reason: connected ? "silent" : "disconnected" })
  }
  const { reason } = state
  const lost: Verdict = { _tag: "Lose", reason }
  if (lease !== undefined) {
    // Whoever had it before may have heard it until the takeover.
    const heard = Math.max(lastHeard, loadedAt)
    return after(untilOver(lease, { heard, knownAt: suspectedAt, provenAt }, now), lost)
  }
  if (reason === "silent") return after(lastHeard + timings.lostAfter - now, lost)
  // Time before this coordinator took over does not count: the manager may have had nobody to talk to.
  return after(Math.max(suspectedAt, loadedAt) + timings.disconnectGrace - now, lost)
}

const after = (milliseconds: number, verdict: Verdict): Verdict =>
  milliseconds > 0 ? { _tag: "Wait", milliseconds } : verdict

/** Between two looks for a proof that is still to come. Milliseconds. */
const lookAgain = 100

/**
 * Milliseconds until it is certain that a lease is over: that its time had passed when this coordinator last proved that
 * it, and nobody else, could have renewed it, and that whoever comes after it reads why it may not be renewed
 * (`knownAt`: since when that is stored). 0 or less if it is certain now.
 */
export const untilOver = (
  lease: Lease.Lease,
  {
    heard,
    knownAt,
    provenAt
  }: { readonly heard: number; readonly knownAt: number; readonly provenAt: number | undefined },
  now: number
): number => {
  const due = Math.max(Lease.handOnAt(lease, heard), knownAt)
  return provenAt !== undefined && provenAt >= due ? 0 : Math.max(due - now, lookAgain)
}
