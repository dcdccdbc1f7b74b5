/**
 * When to look again: after each commit to a stream in this process, and after a while in any case, since other
 * coordinators' commits are not heard of. Costs nothing while nobody waits.
 */
import { Duration, Effect, Queue, Stream } from "effect"
import type { Scope } from "effect"
import type { EventStore } from "../EventStore.ts"

/** How long a change that another coordinator committed can stay unnoticed. */
export const pollInterval = Duration.millis(250)

/** Commits that come quickly after each other are looked at together. */
const gatherFor = Duration.millis(20)

export interface Wakeup {
  /** Returns when something may have changed since it returned last. */
  readonly wait: Effect.Effect<void>
}

/** Listens until the scope ends: to one stream, or to all. */
export const make = (
  store: EventStore["Service"],
  stream: string | undefined
): Effect.Effect<Wakeup, never, Scope.Scope> =>
  Effect.gen(function* () {
    const signals = yield* Queue.sliding<string>(1)
    const commits =
      stream === undefined ? store.commits : Stream.filter(store.commits, (committed) => committed === stream)
    yield* Effect.forkScoped(
      Stream.runForEach(commits, (committed) => Queue.offer(signals, committed)),
      {
        startImmediately: true
      }
    )
    return {
      wait: Effect.andThen(Effect.timeoutOption(Queue.take(signals), pollInterval), Effect.sleep(gatherFor))
    }
  })
