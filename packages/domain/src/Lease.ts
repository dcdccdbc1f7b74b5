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

/** When a machine kills what is left, if its lease began then. */
export const killAt = ({ duration, margin }: Lease, begin: number): number => begin + duration - margin

/** When the tasks of a machine may be handed on that was heard last then, or may have been. */
export const handOnAt = ({ duration, margin }: Lease, heard: number): number => heard + duration + margin

/** Between two renewals, where `usual` is that between two heartbeats: several may fail before anything has to end. */
export const renewEvery = ({ duration }: Lease, usual: number): number => Math.min(usual, Math.floor(duration / 6))

/** A machine that was not heard for this long is doubted, where `usual` is for how long others are not. */
export const doubtAfter = ({ duration }: Lease, usual: number): number =>
  Math.min(usual, Math.floor((duration * 2) / 3))

/** Time from TERM to KILL before the end of a lease: what a suite's tasks have by default, if that is short beside it. */
export const graceOf = ({ duration }: Lease, usual: number): number => Math.min(usual, Math.floor(duration / 6))

/** A task does not begin when there is less than this left until its TERM would come. */
export const leastToBegin = ({ duration }: Lease): number => Math.floor(duration / 20)
