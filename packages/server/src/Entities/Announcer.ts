/**
 * Says how things are to somebody else, again and again until it is heard, and only the latest: what has changed in the
 * meantime replaces what was to be said.
 */
import { Effect, Latch } from "effect"
import type { Scope } from "effect"

export interface Announcer {
  /** There is something to say. Never waits. */
  readonly poke: Effect.Effect<void>
}

/**
 * `say` looks at how things are and tells it; it answers in how many milliseconds it wants to be asked again unasked, if
 * at all. It is never run twice at a time.
 */
export const make = (say: Effect.Effect<number | undefined>): Effect.Effect<Announcer, never, Scope.Scope> =>
  Effect.gen(function* () {
    const latch = yield* Latch.make(false)
    let again: number | undefined
    yield* Effect.gen(function* () {
      yield* again === undefined ? latch.await : Effect.timeoutOption(latch.await, again)
      yield* latch.close
      again = yield* say
    }).pipe(Effect.forever, Effect.forkScoped)
    return { poke: Effect.asVoid(latch.open) }
  })
