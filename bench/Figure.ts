/**
 * A measured figure: what is measured, how often, beside what, and what it is held against.
 */
export interface Figure {
  readonly name: string
  readonly unit: string
  /** Larger is better, or smaller. */
  readonly better: "higher" | "lower"
  /** The peer measured in the same run, in turns with ours. */
  readonly peer?: string
  /** What must be reached: of the ratio to the peer where there is one, else of the median. */
  readonly goal: number
}

export interface Line {
  readonly figure: string
  readonly unit: string
  readonly median: number
  readonly min: number
  readonly max: number
  readonly peer?: string
  readonly peerMedian?: number
  readonly ratio?: number
  readonly goal: number
  readonly met: boolean
}

const round = (value: number): number => (value >= 100 ? Math.round(value) : Number(value.toPrecision(3)))

export const median = (values: ReadonlyArray<number>): number => quantile(values, 0.5)

/** The value that this part of the values does not exceed; nearest rank. */
export const quantile = (values: ReadonlyArray<number>, part: number): number => {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? Number.NaN
}

/** One JSON line per figure. */
export const line = (figure: Figure, values: ReadonlyArray<number>, peerValues: ReadonlyArray<number> = []): Line => {
  const middle = median(values)
  const peerMiddle = figure.peer === undefined ? undefined : median(peerValues)
  const ratio = peerMiddle === undefined ? undefined : middle / peerMiddle
  const held = ratio ?? middle
  return {
    figure: figure.name,
    unit: figure.unit,
    median: round(middle),
    min: round(Math.min(...values)),
    max: round(Math.max(...values)),
    ...(figure.peer === undefined || peerMiddle === undefined || ratio === undefined
      ? {}
      : { peer: figure.peer, peerMedian: round(peerMiddle), ratio: round(ratio) }),
    goal: figure.goal,
    met: figure.better === "higher" ? held >= figure.goal : held <= figure.goal
  }
}
