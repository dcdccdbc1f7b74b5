/**
 * Waiting for something to be so, with a limit. Tests never sleep for a fixed time.
 */
import { Clock, Effect } from "effect"

const interval = 25

/** Asks again and again until the answer is as wanted; fails, saying what it saw last, when the limit is over. */
export const until = <A, E, R>(
  what: string,
  ask: Effect.Effect<A, E, R>,
  isSo: (answer: A) => boolean,
  limit = 30_000
): Effect.Effect<A, E, R> =>
  Effect.gen(function* () {
    const began = yield* Clock.currentTimeMillis
    for (;;) {
      const answer = yield* ask
      if (isSo(answer)) return answer
      const now = yield* Clock.currentTimeMillis
      if (now - began > limit) {
        return yield* Effect.die(new Error(`not within ${limit} ms: ${what}; last seen: ${JSON.stringify(answer)}`))
      }
      yield* Effect.sleep(interval)
    }
  })
