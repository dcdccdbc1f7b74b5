/**
 * One trial: something happens to a coordinator that has suites, and a client connected to it goes on submitting.
 */
import { Effect, Fiber } from "effect"
import * as Wait from "../e2e/support/Wait.ts"
import type { Place, Stage, Suite } from "./Stage.ts"

export const kinds = ["kill", "freeze", "stop"] as const
export type Kind = (typeof kinds)[number]

/** Milliseconds from the signal. */
export interface Sample {
  readonly kind: Kind
  /**
   * Until the first outcome was committed by whoever has the suite now, that is behind something in its stream that was
   * asked for after the signal: the slowest suite of the victim.
   */
  readonly suite: number
  /** Until a client that was connected to the victim had its first answer to something that it asked after the signal. */
  readonly client: number
  /** Until the process was gone; for a freeze nothing. */
  readonly gone: number | null
  /** Suites that the victim had. */
  readonly suites: number
}

const signals = { kill: "SIGKILL", freeze: "SIGSTOP", stop: "SIGTERM" } as const

/** Milliseconds. */
const limit = 30_000
const betweenTasks = 50
const betweenLooks = 5

interface Choice {
  readonly place: Place
  readonly suites: ReadonlyArray<Suite>
}

/** A coordinator that has at least one of the suites, by lot. */
const choose = Effect.fnUntraced(function* (stage: Stage, random: () => number) {
  const coordinators = yield* stage.settled
  const choices: Array<Choice> = []
  for (const [place, coordinator] of coordinators) {
    const suites = yield* stage.hostedBy(coordinator)
    if (suites.length > 0) choices.push({ place, suites })
  }
  const choice = choices[Math.floor(random() * choices.length)]
  return choice === undefined ? yield* Effect.die(new Error("no coordinator has a suite")) : choice
})

/** Looks often, since what is measured is the time. */
const soon = <A>(what: string, ask: Effect.Effect<A>, isSo: (answer: A) => boolean) =>
  Effect.gen(function* () {
    const until = performance.now() + limit
    for (;;) {
      const answer = yield* ask
      if (isSo(answer)) return answer
      if (performance.now() > until) return yield* Effect.die(new Error(`not within ${limit} ms: ${what}`))
      yield* Effect.sleep(betweenLooks)
    }
  })

export const run = Effect.fnUntraced(function* (stage: Stage, kind: Kind, random: () => number) {
  const { place, suites } = yield* choose(stage, random)
  return yield* Effect.scoped(
    Effect.gen(function* () {
      const client = yield* stage.clientAt(place)
      yield* Effect.orDie(client.serverInfo)

      let answers = 0
      let signalledAt = Number.POSITIVE_INFINITY
      let clientAt: number | undefined
      const firstAfter = new Map<Suite, number>()
      const submitting = yield* Effect.forEach(
        suites,
        (suite) =>
          Effect.gen(function* () {
            const askedAt = performance.now()
            const index = yield* stage.submit(client, suite)
            answers++
            if (askedAt > signalledAt) {
              clientAt ??= performance.now()
              if (!firstAfter.has(suite)) firstAfter.set(suite, index)
            }
          }).pipe(Effect.delay(betweenTasks), Effect.forever, Effect.forkScoped),
        { concurrency: "unbounded" }
      )
      yield* Wait.until(
        "the client is served",
        Effect.sync(() => answers),
        (count) => count > suites.length * 3
      )

      signalledAt = performance.now()
      yield* place.signal(signals[kind])
      const gone = yield* Effect.forkScoped(
        Effect.map(kind === "freeze" ? Effect.never : place.exited, () => performance.now() - signalledAt)
      )
      const recoveries = yield* Effect.forEach(
        suites,
        (suite) =>
          Effect.gen(function* () {
            const index = yield* soon(
              "a task is accepted",
              Effect.sync(() => firstAfter.get(suite)),
              (at) => at !== undefined
            )
            yield* soon("an outcome is committed", stage.hasOutcomeSince(suite, index ?? 0), (isSo) => isSo)
            return performance.now() - signalledAt
          }),
        { concurrency: "unbounded" }
      )
      yield* Effect.forEach(submitting, Fiber.interrupt, { discard: true })
      const sample: Sample = {
        kind,
        suite: Math.max(...recoveries),
        client: (clientAt ?? Number.NaN) - signalledAt,
        gone:
          kind === "freeze"
            ? null
            : yield* Effect.timeoutOrElse(Fiber.join(gone), {
                duration: limit,
                orElse: () => Effect.die(new Error(`not gone within ${limit} ms: ${place.output()}`))
              }),
        suites: suites.length
      }
      // Back to three, for the next trial.
      yield* kind === "freeze" ? place.signal("SIGCONT") : place.replace
      return sample
    })
  )
})
