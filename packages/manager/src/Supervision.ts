/**
 * Keeps a worker running in a slot: starts it, notices its end, and starts the next one.
 */
import { Effect } from "effect"
import * as Backoff from "./Backoff.ts"

/** How a worker's life went. */
export interface Life {
  /** From its start to its end. Milliseconds. */
  readonly lasted: number
  /** It ended because it was told to. */
  readonly wasExpected: boolean
}

/** A worker that lived so long died of its work and not of its start. Milliseconds. */
const steadyAfter = 5_000

/** Wait before the next start after the second early death in a row. The first is followed at once. Milliseconds. */
const restart = { base: 200, limit: 10_000 }

/** Early deaths in a row after one more life. */
export const earlyDeaths = (before: number, { lasted, wasExpected }: Life): number =>
  wasExpected || lasted >= steadyAfter ? 0 : before + 1

/** Milliseconds to wait before the next start. */
export const restartDelay = (deaths: number): number => Backoff.exponential(deaths - 1, restart.base, restart.limit)

/** One worker after the other, as long as one is wanted. */
export const supervise = Effect.fnUntraced(function* (isWanted: () => boolean, live: Effect.Effect<Life>) {
  let deaths = 0
  while (isWanted()) {
    deaths = earlyDeaths(deaths, yield* live)
    const delay = restartDelay(deaths)
    if (delay > 0) yield* Effect.sleep(delay)
  }
})
