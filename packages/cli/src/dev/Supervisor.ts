/** Keeps something running: starts it again when it has ended, at once the first time, then ever later. */
import { Clock, Deferred, Effect, Exit } from "effect"
import type { Scope } from "effect"

/** Something that runs, and how it ended in words. */
export interface Running {
  readonly pid: number
  readonly ended: Effect.Effect<string>
}

export interface Options<E> {
  readonly name: string
  readonly start: Effect.Effect<Running, E, Scope.Scope>
  readonly onStarted: (pid: number) => Effect.Effect<void>
  readonly onEnded: (pid: number) => Effect.Effect<void>
  /** A line for people. */
  readonly say: (line: string) => Effect.Effect<void>
}

const shortestPause = 100
const longestPause = 10_000
/** What ran so long was well; the next end is a first one again. */
const healthyAfter = 30_000

/** Milliseconds to wait before the next start. */
export const pauseAfter = (failures: number): number =>
  Math.min(longestPause, shortestPause * 2 ** Math.max(0, failures - 1))

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** Starts it, fails if that fails the first time, and from then on keeps it until the scope closes. */
export const keep = Effect.fn("Supervisor.keep")(function* <E>({ name, onEnded, onStarted, say, start }: Options<E>) {
  const first = yield* Deferred.make<void, E>()
  const once = Effect.scoped(
    Effect.gen(function* () {
      const running = yield* start
      yield* onStarted(running.pid)
      yield* Deferred.succeed(first, undefined)
      const how = yield* Effect.ensuring(running.ended, onEnded(running.pid))
      yield* say(`${name} (process ${running.pid}) ended with ${how}; starting it again`)
    })
  )
  const loop = Effect.gen(function* () {
    let failures = 0
    while (true) {
      const began = yield* Clock.currentTimeMillis
      const exit = yield* Effect.exit(once)
      if (Exit.isFailure(exit)) {
        // The first failure is the caller's; nobody would see the ones after it.
        if (yield* Deferred.failCause(first, exit.cause)) return
        const error = exit.cause.reasons.find((reason) => reason._tag === "Fail")?.error
        yield* say(`${name} does not start: ${messageOf(error)}`)
      }
      const now = yield* Clock.currentTimeMillis
      failures = now - began > healthyAfter ? 1 : failures + 1
      yield* Effect.sleep(pauseAfter(failures))
    }
  })
  yield* Effect.forkScoped(loop)
  yield* Deferred.await(first)
})
