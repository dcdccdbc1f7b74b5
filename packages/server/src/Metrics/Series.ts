/**
 * Counters and gauges whose numbers stand in plain variables and are read only when somebody asks for them.
 */
import { Metric } from "effect"
import type { Context } from "effect"

type Labels = Readonly<Record<string, string>>

export interface Counter {
  readonly add: (count: number) => void
}

const ignored = () => undefined

/** A number that only rises. */
export const counter = (
  registry: Context.Context<never>,
  name: string,
  description: string,
  attributes?: Labels
): Counter => {
  let count = 0
  counterFrom(registry, name, description, () => count, attributes)
  return {
    add: (more) => {
      count += more
    }
  }
}

/** A counter that somebody else keeps. */
export const counterFrom = (
  registry: Context.Context<never>,
  name: string,
  description: string,
  read: () => number,
  attributes?: Labels
): void => {
  const metric = Metric.counter(name, { description, incremental: true, attributes })
  Metric.registerUnsafe(metric, registry, {
    get: () => ({ count: read(), incremental: true }),
    update: ignored,
    modify: ignored
  })
}

/** A number that is what it is now. */
export const gauge = (
  registry: Context.Context<never>,
  name: string,
  description: string,
  read: () => number,
  attributes?: Labels
): void => {
  Metric.registerUnsafe(Metric.gauge(name, { description, attributes }), registry, {
    get: () => ({ value: read() }),
    update: ignored,
    modify: ignored
  })
}
