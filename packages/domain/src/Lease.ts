/**
 * How long a machine that nobody hears may go on with tasks of a suite that asked for `--on-disconnect stop`.
 *
 * The lease is that of a manager's session. A machine counts from before it asked for the renewal that was answered, and
 * has ended everything `margin` before the end; whoever hands the tasks on counts from after it heard of the machine, and
 * waits `margin` longer. Only durations are compared, each measured on one machine: `docs/leases.md` has the argument.
 */
import { Schema } from "effect"

export const Lease = Schema.Struct({
  /** From a renewal to the end of the right to run anything. Milliseconds. */
  duration: Schema.Int,
  /** What each side keeps clear of the end. Milliseconds. */
  margin: Schema.Int
})
export type Lease = typeof Lease.Type

export const shortest = 5_000
export const longest = 86_400_000

/** Of a suite that asks for `stop` and says no more. */
export const defaultDuration = 120_000

/** A process tree that is killed is gone within this time, on a machine that is busy too. Milliseconds. */
const killTime = 1_000

/** Clocks that run freely differ by far less than this part of what they measure. */
const drift = 0.01

export const make = (duration: number): Lease => ({ duration, margin: killTime + Math.ceil(duration * drift) })

/** When the tasks of a machine may be handed on that was heard last then, or may have been. */
export const handOnAt = ({ duration, margin }: Lease, heard: number): number => heard + duration + margin

/** Between two renewals, where `usual` is that between two heartbeats: several may fail before anything has to end. */
export const renewEvery = ({ duration }: Lease, usual: number): number => Math.min(usual, Math.floor(duration / 6))

/** For how long an answer is waited for on one connection before another one is tried, where `usual` is for how long else. */
export const answerWithin = ({ duration }: Lease, usual: number): number => Math.min(usual, Math.floor(duration / 3))

/** A machine that was not heard for this long is doubted, where `usual` is for how long others are not. */
export const doubtAfter = ({ duration }: Lease, usual: number): number =>
  Math.min(usual, Math.floor((duration * 2) / 3))

/** The steps towards the end of a lease, by the machine's boot clock. All processes of the machine keep to the same. */
export const Deadline = Schema.Struct({
  /** No task begins after this. */
  begin: Schema.Int,
  /** What runs is ended in good order: TERM, the time that is left, KILL. */
  term: Schema.Int,
  /** What is left is killed with its worker. */
  kill: Schema.Int
})
export type Deadline = typeof Deadline.Type

/** For a KILL in good order and the word of it, before workers are killed. Milliseconds. */
const settleTime = 250

/** The steps of a lease that began then, for tasks that have `grace` milliseconds from TERM to KILL if there is time. */
export const deadline = ({ duration, margin }: Lease, begunAt: number, grace: number): Deadline => {
  const kill = begunAt + duration - margin
  const term = kill - settleTime - Math.min(grace, Math.floor(duration / 6))
  return { begin: term - Math.floor(duration / 20), term, kill }
}

/** Of a lease that was never renewed. */
export const noDeadline: Deadline = { begin: 0, term: 0, kill: 0 }

/** Time from TERM to KILL for what is to be ended now. */
export const graceLeft = ({ kill }: Deadline, now: number): number => Math.max(0, kill - settleTime - now)

/** Why an attempt has ended as `lease_lost`, for people. */
export const lostMessage = "its machine was cut off from the coordinators, and ended it before its lease was over"
