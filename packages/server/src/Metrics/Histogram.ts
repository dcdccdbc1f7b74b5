/**
 * A histogram that costs a few nanoseconds per value: tens of thousands of tasks a second end here.
 */
import { Metric } from "effect"
import type { Context } from "effect"

export interface Histogram {
  readonly observe: (seconds: number) => void
  readonly observeMany: (seconds: ReadonlyArray<number>) => void
}

/** From a millisecond to an hour, for what people wait for. */
export const waiting = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 3_600
]

/** From a tenth of a millisecond to ten seconds, for what one server does. */
export const working = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10]

/** Registers a histogram; its numbers are read only when somebody asks for them. */
export const register = (
  registry: Context.Context<never>,
  name: string,
  description: string,
  boundaries: ReadonlyArray<number>
): Histogram => {
  /** Values up to each boundary and above the one before; the last place is for those above all. */
  const counts = new Float64Array(boundaries.length + 1)
  let sum = 0
  let min = Number.POSITIVE_INFINITY
  let max = Number.NEGATIVE_INFINITY

  const observe = (value: number) => {
    let place = 0
    while (place < boundaries.length && value > (boundaries[place] ?? Number.POSITIVE_INFINITY)) place++
    counts[place] = (counts[place] ?? 0) + 1
    sum += value
    if (value < min) min = value
    if (value > max) max = value
  }

  const state = (): Metric.HistogramState => {
    let count = 0
    const buckets = boundaries.map((boundary, place): [number, number] => {
      count += counts[place] ?? 0
      return [boundary, count]
    })
    return { buckets, count: count + (counts[boundaries.length] ?? 0), min, max, sum }
  }

  Metric.registerUnsafe(Metric.histogram(name, { description, boundaries }), registry, {
    get: state,
    update: observe,
    modify: observe
  })
  return {
    observe,
    observeMany: (values) => {
      for (const value of values) observe(value)
    }
  }
}
