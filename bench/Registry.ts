/**
 * All figures, in the order in which they are taken: those that share a kind of manager stand together.
 */
import type { Family } from "./Figure.ts"
import * as Commands from "./figures/Commands.ts"
import * as Fairness from "./figures/Fairness.ts"
import * as Fetch from "./figures/Fetch.ts"
import * as Http from "./figures/Http.ts"
import * as Idle from "./figures/Idle.ts"
import * as Managers from "./figures/Managers.ts"
import * as Memory from "./figures/Memory.ts"
import * as Queue from "./figures/Queue.ts"
import * as Scale from "./figures/Scale.ts"
import * as Single from "./figures/Single.ts"
import * as Start from "./figures/Start.ts"

export const families: ReadonlyArray<Family> = [
  // With workers that loaded handlers.
  Queue.queue,
  Queue.largeQueue,
  Single.single,
  Start.start,
  Queue.besidePgBoss,
  Queue.besideBullMq,
  Queue.besideDbos,
  Commands.commandsOfLargeWorkers,
  // With plain workers.
  Commands.commands,
  Commands.commandsBesideParallel,
  // Each with a Muster of its own.
  Fetch.fetching,
  Memory.memoryOfHundredThousand,
  Memory.reopening,
  Scale.scale,
  Http.http,
  // With simulated managers.
  Managers.managers,
  Idle.idle,
  Fairness.fairness
]

export interface Selection {
  /** Names, or what names begin with. Empty: all. */
  readonly only: ReadonlyArray<string>
  readonly short: boolean
}

/** Families with those of their figures that are asked for. A whole name means that figure, whatever else begins so. */
export const select = (all: ReadonlyArray<Family>, { only, short }: Selection): ReadonlyArray<Family> => {
  const names = new Set(all.flatMap(({ figures }) => figures.map(({ name }) => name)))
  const isWanted = (name: string) =>
    only.length === 0 || only.some((part) => (names.has(part) ? name === part : name.startsWith(part)))
  return all
    .filter((family) => !short || only.length > 0 || family.short === true)
    .map((family) => ({ ...family, figures: family.figures.filter(({ name }) => isWanted(name)) }))
    .filter(({ figures }) => figures.length > 0)
}
