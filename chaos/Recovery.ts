/**
 * How long the system took to go on after a fault: from the fault to the next committed outcome of work that its victim was
 * concerned with. Work is tasks that somebody had a lease for when the fault began:
 *
 * - for a worker: those that ran in it,
 * - for a manager, its machine or one of its links: those that were leased to it, whoever ends them,
 * - for a coordinator or its link to Postgres: those of suites whose actors lived on it,
 * - for Postgres: all.
 *
 * That an attempt was lost, or ended because of a lease, is no outcome here: work has not gone on with it. A victim without such work gives no time. A time
 * contains how long the tasks take by themselves (up to 8 s), and the whole length of a cut or a freeze unless work went on
 * before its end.
 */
import { quantile } from "../bench/Quantile.ts"
import type { Committed } from "./Log.ts"

/** Ids of the tasks that a victim was concerned with. */
export type Concern = ReadonlySet<string>

export interface Recovery {
  /** A fault at this time, in milliseconds by the wall clock of the machine. */
  readonly began: (group: string, at: number, concern: Concern) => void
  readonly committed: (outcome: Committed) => void
  readonly summary: () => Readonly<Record<string, Times>>
}

/** Milliseconds. */
export interface Times {
  readonly count: number
  readonly p50: number
  readonly p99: number
  readonly longest: number
}

export const make = (): Recovery => {
  const waiting = new Set<{ readonly group: string; readonly at: number; readonly concern: Concern }>()
  const times = new Map<string, Array<number>>()
  return {
    began: (group, at, concern) => void waiting.add({ group, at, concern }),
    committed: ({ at, index, outcome, suiteId }) => {
      if (outcome === "lost" || outcome === "lease_lost") return
      for (const fault of waiting) {
        if (at < fault.at || !fault.concern.has(`${suiteId}.${index}`)) continue
        waiting.delete(fault)
        const found = times.get(fault.group)
        if (found === undefined) times.set(fault.group, [at - fault.at])
        else found.push(at - fault.at)
      }
    },
    summary: () =>
      Object.fromEntries(
        [...times]
          .toSorted(([a], [b]) => (a < b ? -1 : 1))
          .map(([group, of]) => [
            group,
            { count: of.length, p50: quantile(of, 0.5), p99: quantile(of, 0.99), longest: Math.max(...of) }
          ])
      )
  }
}
