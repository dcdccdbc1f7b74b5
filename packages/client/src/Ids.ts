/**
 * Ids that a client makes itself, so that a request which is sent twice means the same thing both times.
 */
import { Clock, Effect, Random } from "effect"
import * as ShortId from "@muster/domain/ShortId"
import { SuiteId } from "@muster/domain/Suite/Id"

const shortId = Effect.gen(function* () {
  const now = yield* Clock.currentTimeMillis
  const random = Random.Random.pipe(Effect.map((source) => () => source.nextDoubleUnsafe()))
  return ShortId.make(now, yield* random)
})

export const suiteId: Effect.Effect<SuiteId> = Effect.map(shortId, (id) => SuiteId.make(id))

/** Two short ids: 70 random bits, since commands of all clients share one namespace per suite. */
export const commandId: Effect.Effect<string> = Effect.zipWith(shortId, shortId, (a, b) => a + b)
