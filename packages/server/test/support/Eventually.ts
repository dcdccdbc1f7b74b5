import { Effect } from "effect"
import { inspect } from "node:util"

const limitMillis = 10_000
const pauseMillis = 5

/**
 * Repeats an effect in real time until its answer is as wanted, for what another connection or process has to do first.
 * A condition that is not met in 10 s is a defect that shows the last answer.
 */
export const eventually = Effect.fnUntraced(function* <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  isAsWanted: (answer: A) => boolean
) {
  const deadline = performance.now() + limitMillis
  for (;;) {
    const answer = yield* effect
    if (isAsWanted(answer)) return answer
    if (performance.now() > deadline) {
      return yield* Effect.die(new Error(`not as wanted after ${limitMillis} ms: ${inspect(answer, { depth: 4 })}`))
    }
    yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, pauseMillis)))
  }
})
