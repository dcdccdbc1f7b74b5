/**
 * What was measured before, to notice a loss. Only what means the same on another machine is kept: a ratio to a peer, a ratio
 * to a yardstick, or a value that does not depend on the speed of the machine.
 */
import { Schema } from "effect"
import { Form } from "./Bench.ts"
import { ratios } from "./Figure.ts"
import type { Figure, Sample } from "./Figure.ts"
import { median } from "./Quantile.ts"

/** A loss of a larger part than this fails the check. */
export const tolerance = 0.25

const Entry = Schema.Struct({
  value: Schema.Finite,
  /** Of what the value is a ratio, or its unit. */
  of: Schema.String
})

/** By form, since a ratio depends on the sizes, and by figure. */
export const Baseline = Schema.Record(Form, Schema.optionalKey(Schema.Record(Schema.String, Entry)))
export type Baseline = typeof Baseline.Type
export type Entries = Readonly<Record<string, typeof Entry.Type>>

/** Of what the values are that can be held against another run; undefined where nothing can. */
const basis = (figure: Figure): string | undefined => {
  if (figure.unchecked === true) return undefined
  // A peer comes first: it is hit by the same things as we are when the machine is busy, a yardstick by only some of them.
  if (figure.peer !== undefined) return `ratio to ${figure.peer}`
  if (figure.yardstick !== undefined) return `ratio to ${figure.yardstick}`
  return figure.portable === true ? figure.unit : undefined
}

/** What of each round can be held against another run. */
const values = (figure: Figure, samples: ReadonlyArray<Sample>): ReadonlyArray<number> => {
  if (figure.peer !== undefined) return ratios(samples, ({ peer }) => peer)
  if (figure.yardstick !== undefined) return ratios(samples, ({ yardstick }) => yardstick)
  return samples.map(({ value }) => value)
}

/** What is kept of a figure; undefined where nothing can be. */
export const entry = (figure: Figure, samples: ReadonlyArray<Sample>): typeof Entry.Type | undefined => {
  const of = basis(figure)
  const found = values(figure, samples)
  return of === undefined || found.length === 0 ? undefined : { value: Number(median(found).toPrecision(3)), of }
}

export interface Loss {
  readonly figure: string
  readonly baseline: number
  readonly measured: number
  readonly of: string
  /** Part that was lost: 0.3 means 30 %. */
  readonly loss: number
}

const partLost = ({ better }: Figure, baseline: number, measured: number): number =>
  better === "higher" ? 1 - measured / baseline : measured / baseline - 1

const lossOf =
  (pick: (figure: Figure, found: ReadonlyArray<number>) => number) =>
  (entries: Entries, figure: Figure, samples: ReadonlyArray<Sample>): Loss | undefined => {
    const before = entries[figure.name]
    const of = basis(figure)
    const found = values(figure, samples)
    if (before === undefined || before.of !== of || found.length === 0) return undefined
    const measured = pick(figure, found)
    const lost = partLost(figure, before.value, measured)
    if (lost <= tolerance) return undefined
    return { figure: figure.name, baseline: before.value, measured: Number(measured.toPrecision(3)), of, loss: lost }
  }

/**
 * What a figure seems to have lost since the baseline, by the median of its rounds, if that is too much. A figure that is
 * new, or measures another thing, lost nothing.
 */
export const suspicion = lossOf((_, found) => median(found))

/**
 * The same by the best round: only this fails a check. Noise makes some rounds bad, a real loss makes all of them bad.
 */
export const loss = lossOf(({ better }, found) => (better === "higher" ? Math.max : Math.min)(...found))

export const describe = ({ baseline, figure, loss: lost, measured, of }: Loss): string =>
  `${figure} lost ${Math.round(lost * 100)} %: baseline ${baseline}, measured ${measured} (${of})`
