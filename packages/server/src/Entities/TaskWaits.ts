/**
 * How long tasks waited from submission to the start of their first attempt, for the metrics. Submissions that were
 * stored before this actor was loaded are not known to it and not measured.
 */
import type { SuiteEvent } from "@muster/domain/Suite/Events"
import type { Histogram } from "../Metrics/Histogram.ts"

/** Submissions that are remembered, the latest ones. */
const remembered = 10_000

export interface TaskWaits {
  readonly note: (event: SuiteEvent) => void
}

export const make = (histogram: Histogram): TaskWaits => {
  const firstIndexes: Array<number> = []
  const times: Array<number> = []

  const submittedAt = (index: number): number | undefined => {
    let low = 0
    let high = firstIndexes.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((firstIndexes[middle] ?? 0) <= index) low = middle + 1
      else high = middle
    }
    return times[low - 1]
  }

  const started = (index: number, attempt: number, at: number | undefined) => {
    const since = attempt === 1 ? submittedAt(index) : undefined
    // The start is by the manager's clock: where that is behind, the wait is not known better than "none".
    if (since !== undefined && at !== undefined) histogram.observe(Math.max(at - since, 0) / 1_000)
  }

  // A task that was told to have started is not counted again when it ends.
  const counted = new Set<number>()

  return {
    note: (event) => {
      if (event._tag === "TasksSubmitted") {
        firstIndexes.push(event.firstIndex)
        times.push(event.at)
        if (firstIndexes.length > remembered) {
          firstIndexes.shift()
          times.shift()
        }
      } else if (event._tag === "TasksStarted") {
        for (const [index, attempt, at] of event.tasks) {
          started(index, attempt, at)
          counted.add(index)
        }
      } else if (event._tag === "AttemptsEnded") {
        for (const { attempt, index, startedAt } of event.attempts) {
          if (!counted.delete(index)) started(index, attempt, startedAt)
        }
      }
    }
  }
}
