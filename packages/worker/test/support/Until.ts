/**
 * Waits for something that only a look can tell.
 */
import { Effect } from "effect"

const interval = 5

/** Looks until there is something, and answers with it; fails after `limit` milliseconds. */
export const until = <A>(what: string, look: () => A | undefined | false, limit = 10_000): Effect.Effect<A> =>
  Effect.gen(function* () {
    // By the clock and not by counting: a look may take longer than the wait for the next one.
    for (const deadline = performance.now() + limit; performance.now() < deadline;) {
      const found = look()
      if (found !== undefined && found !== false) return found
      yield* Effect.sleep(interval)
    }
    return yield* Effect.die(new Error(`waited ${limit} ms in vain for ${what}`))
  })
