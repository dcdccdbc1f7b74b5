/**
 * How long the system took to go on after a fault: from the fault to the next committed outcome of work that its victim was
 * concerned with. That is
 *
 * - for a worker: the tasks that ran in it,
 * - for a manager, its machine or one of its links: the tasks that were leased to it, whoever ends them,
 * - for a coordinator or its link to Postgres: tasks of suites whose actors lived on it,
 * - for Postgres: any task.
 *
 * A victim without such work gives no time. A time contains the whole length of a cut or a freeze, unless work went on
 * elsewhere before its end.
 */
import { quantile } from "../bench/Quantile.ts"
import type { Committed } from "./Log.ts"

/** Whether a task is one of those that the victim was concerned with. */
export type Concern = (suiteId: string, index: number) => boolean

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
    committed: ({ at, index, suiteId }) => {
      for (const fault of waiting) {
        if (at < fault.at || !fault.concern(suiteId, index)) continue
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
