/**
 * What the load was told by the coordinators, kept by itself: an answer is a promise, and at the end each is looked for in
 * the log.
 */
import type { SuiteId } from "@muster/domain/Suite/Id"
import type { Log } from "./Log.ts"

export interface Entry {
  readonly id: SuiteId
  readonly name: string
  /** Tasks are ended before they are handed on. */
  readonly stops: boolean
  /** What was answered: so many tasks from this index on. */
  readonly accepted: Array<{ readonly firstIndex: number; readonly count: number }>
  /** What was answered: these were cancelled or put back. */
  closed: boolean
}

export interface Ledger {
  readonly suites: ReadonlyMap<string, Entry>
  readonly created: (entry: Pick<Entry, "id" | "name" | "stops">) => Entry
  readonly accepted: () => number
}

export const make = (): Ledger => {
  const suites = new Map<string, Entry>()
  return {
    suites,
    created: ({ id, name, stops }) => {
      const entry: Entry = { id, name, stops, accepted: [], closed: false }
      suites.set(id, entry)
      return entry
    },
    accepted: () => {
      let sum = 0
      for (const { accepted } of suites.values()) for (const { count } of accepted) sum += count
      return sum
    }
  }
}

/** What was answered and does not stand in the log, or stands there as something else. */
export const violations = (ledger: Pick<Ledger, "suites">, log: Pick<Log, "suites">): ReadonlyArray<string> => {
  const found: Array<string> = []
  for (const { accepted, id, name } of ledger.suites.values()) {
    const suite = log.suites.get(id)
    if (suite === undefined) {
      found.push(`lost: suite ${id} (${name}) was answered, and is not in the log`)
      continue
    }
    let after = 0
    for (const { count, firstIndex } of accepted.toSorted((a, b) => a.firstIndex - b.firstIndex)) {
      const last = firstIndex + count - 1
      if (last >= suite.tasks.length) {
        found.push(
          `lost: tasks ${firstIndex} to ${last} of suite ${id} (${name}) were answered; the log has ${suite.tasks.length}`
        )
      }
      if (firstIndex < after) found.push(`accepted twice: index ${firstIndex} of suite ${id} (${name})`)
      after = last + 1
    }
  }
  return found
}
