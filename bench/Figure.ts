/**
 * A measured figure: what it is called, beside what it is taken, what it is held against, and the line that it becomes.
 */
import type { Effect, Scope } from "effect"
import type { Bench, Form } from "./Bench.ts"
import type { Cost } from "./Cost.ts"
import * as Costs from "./Cost.ts"
import { median } from "./Quantile.ts"

/** What has to be reached: by the ratio to the peer, or by the median itself. */
export interface Goal {
  readonly of: "ratio" | "median"
  readonly value: number
}

export interface Figure {
  readonly name: string
  readonly unit: string
  readonly better: "higher" | "lower"
  /** What a user would pick instead, taken in turns with ours. */
  readonly peer?: string
  /**
   * Something that takes the time which this machine needs for such work, taken in turns with ours. It is no rival; it makes
   * figures of different machines and different moments comparable.
   */
  readonly yardstick?: string
  /** The value does not depend on how fast the machine is: it is a size, or a ratio already. */
  readonly portable?: true
  /** Too noisy to say that something was lost: `--check` leaves it out. */
  readonly unchecked?: true
  /** Absent where the figure is for information only. */
  readonly goal?: Goal
}

export type Setting = string | number | boolean
export type Settings = Readonly<Record<string, Setting>>

/** What one round gave for one figure. */
export interface Sample {
  readonly value: number
  readonly peer?: number
  readonly yardstick?: number
  readonly cost?: Cost
  /** Parts of the value that are worth showing, such as one for each route. Kept from the last round. */
  readonly detail?: Readonly<Record<string, number>>
}

/** Samples by the name of their figure. */
export type Round = Readonly<Record<string, Sample>>

/** Figures that are taken together, because one round gives them all. */
export interface Family {
  readonly figures: ReadonlyArray<Figure>
  /** Belongs to the form for CI. */
  readonly short?: true
  /** One round gives all that further rounds could add. */
  readonly once?: true
  /** Rounds, where not as many as usual. */
  readonly rounds?: Readonly<Record<Form, number>>
  /**
   * Sets up what all rounds use. What it opens lives as long as the rounds. `NotInstalled` leaves the family out; whatever
   * else fails ends the bench.
   */
  readonly prepare: (bench: Bench) => Effect.Effect<Prepared, unknown, Scope.Scope>
}

export interface Prepared {
  /** Everything that one must know to understand the values. */
  readonly settings: Settings
  readonly round: Effect.Effect<Round, unknown, Scope.Scope>
}

export interface Line {
  readonly figure: string
  readonly unit: string
  readonly better: Figure["better"]
  readonly median: number
  readonly min: number
  readonly max: number
  readonly peer?: string
  readonly peerMedian?: number
  /** Median of the ratios of all pairs. */
  readonly ratio?: number
  readonly ratioMin?: number
  readonly ratioMax?: number
  readonly yardstick?: string
  readonly yardstickMedian?: number
  readonly yardstickRatio?: number
  readonly goal: number | null
  readonly goalOf?: Goal["of"]
  readonly met: boolean | null
  readonly settings: Settings
  readonly cost?: Cost
  readonly detail?: Readonly<Record<string, number>>
}

const round = (value: number): number => (value >= 100 ? Math.round(value) : Number(value.toPrecision(3)))

const isNumber = (value: number | undefined): value is number => value !== undefined

const rounded = (values: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, round(value)]))

/**
 * Of each round by itself. A machine that is slower for a while is so for both sides of a pair, which the medians of each
 * side do not know.
 */
export const ratios = (samples: ReadonlyArray<Sample>, pick: (sample: Sample) => number | undefined) =>
  samples.flatMap((sample) => {
    const theirs = pick(sample)
    return theirs === undefined ? [] : [sample.value / theirs]
  })

/** All rounds of a figure as one line. */
export const line = (figure: Figure, samples: ReadonlyArray<Sample>, settings: Settings): Line => {
  const values = samples.map(({ value }) => value)
  const middle = median(values)
  const beside = (pick: (sample: Sample) => number | undefined) => {
    const found = ratios(samples, pick)
    return {
      theirs: round(median(samples.map(pick).filter(isNumber))),
      ratio: median(found),
      least: round(Math.min(...found)),
      most: round(Math.max(...found))
    }
  }
  const peer = figure.peer === undefined ? undefined : beside((sample) => sample.peer)
  const yardstick = figure.yardstick === undefined ? undefined : beside((sample) => sample.yardstick)
  const held = figure.goal?.of === "ratio" ? (peer?.ratio ?? Number.NaN) : middle
  const costs = samples.flatMap(({ cost }) => (cost === undefined ? [] : [cost]))
  const detail = samples.at(-1)?.detail
  return {
    figure: figure.name,
    unit: figure.unit,
    better: figure.better,
    median: round(middle),
    min: round(Math.min(...values)),
    max: round(Math.max(...values)),
    ...(figure.peer === undefined || peer === undefined
      ? {}
      : {
          peer: figure.peer,
          peerMedian: peer.theirs,
          ratio: round(peer.ratio),
          ratioMin: peer.least,
          ratioMax: peer.most
        }),
    ...(figure.yardstick === undefined || yardstick === undefined
      ? {}
      : {
          yardstick: figure.yardstick,
          yardstickMedian: yardstick.theirs,
          yardstickRatio: round(yardstick.ratio)
        }),
    ...(figure.goal === undefined
      ? { goal: null, met: null }
      : {
          goal: figure.goal.value,
          goalOf: figure.goal.of,
          met: figure.better === "higher" ? held >= figure.goal.value : held <= figure.goal.value
        }),
    settings: { ...settings, rounds: samples.length },
    ...(costs.length === 0 ? {} : { cost: Costs.median(costs) }),
    ...(detail === undefined ? {} : { detail: rounded(detail) })
  }
}
