/**
 * All figures, in the order in which they are taken: those that share a kind of manager stand together.
 */
import type { Family } from "./Figure.ts"
import * as Queue from "./figures/Queue.ts"

export const families: ReadonlyArray<Family> = [Queue.queue, Queue.largeQueue]

export interface Selection {
  /** Names, or what names begin with. Empty: all. */
  readonly only: ReadonlyArray<string>
  readonly short: boolean
}

/** Families with those of their figures that are asked for. */
export const select = (all: ReadonlyArray<Family>, { only, short }: Selection): ReadonlyArray<Family> =>
  all
    .filter((family) => !short || only.length > 0 || family.short === true)
    .map((family) => ({
      ...family,
      figures: family.figures.filter(({ name }) => only.length === 0 || only.some((part) => name.startsWith(part)))
    }))
    .filter(({ figures }) => figures.length > 0)
