/**
 * What was measured before, to notice a loss. Only what means the same on another machine is kept: a ratio to a peer, a ratio
 * to a yardstick, or a value that does not depend on the speed of the machine.
 */
import { Schema } from "effect"
import { Form } from "./Bench.ts"
import type { Figure, Line } from "./Figure.ts"

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

/**
 * What of a line can be held against another run; undefined where nothing can. A peer comes first: it is hit by the same
 * things as we are when the machine is busy, a yardstick by only some of them.
 */
export const comparable = (figure: Figure, line: Line): typeof Entry.Type | undefined => {
  if (figure.unchecked === true) return undefined
  if (line.ratio !== undefined) return { value: line.ratio, of: `ratio to ${line.peer ?? ""}` }
  if (line.yardstickRatio !== undefined) return { value: line.yardstickRatio, of: `ratio to ${line.yardstick ?? ""}` }
  return figure.portable === true ? { value: line.median, of: figure.unit } : undefined
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

/** What a figure lost since the baseline, if that is too much. A figure that is new, or measures another thing, lost nothing. */
export const loss = (entries: Entries, figure: Figure, line: Line): Loss | undefined => {
  const before = entries[figure.name]
  const now = comparable(figure, line)
  if (before === undefined || now === undefined || before.of !== now.of) return undefined
  const lost = partLost(figure, before.value, now.value)
  if (lost <= tolerance) return undefined
  return { figure: figure.name, baseline: before.value, measured: now.value, of: now.of, loss: lost }
}

/** Of two lines of one figure the one that compares better. */
export const better = (figure: Figure, one: Line, other: Line): Line => {
  const [a, b] = [comparable(figure, one)?.value, comparable(figure, other)?.value]
  if (a === undefined || b === undefined) return one
  return (figure.better === "higher" ? a >= b : a <= b) ? one : other
}

export const describe = ({ baseline, figure, loss: lost, measured, of }: Loss): string =>
  `${figure} lost ${Math.round(lost * 100)} %: baseline ${baseline}, measured ${measured} (${of})`
