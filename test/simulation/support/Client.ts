/**
 * A user's program: asks one of the coordinators, and asks again, there or elsewhere, under the same command id until it is
 * answered.
 */
import { Effect, Exit, Option, Random } from "effect"
import type { Unavailable } from "@muster/domain/Errors"
import type { Suites } from "@muster/server/Suites"
import type { Coordinator } from "./Coordinator.ts"
import type { Host } from "./Host.ts"
import type { Network } from "./Network.ts"

/** How long an answer is waited for before the question is asked again. */
const patience = "6 seconds"

export interface Options {
  readonly host: Host
  readonly network: Network
  /** Those that run now. */
  readonly coordinators: () => ReadonlyArray<Coordinator>
}

export const make = ({ coordinators, host, network }: Options) => {
  /** One try: the question and the answer travel, and the coordinator may die between them. */
  const once = <A, E>(question: (suites: Suites["Service"]) => Effect.Effect<A, E>, to: Coordinator) =>
    Effect.callback<Exit.Exit<A, E> | undefined>((resume) => {
      network.carryBetween(host.name, to.host.name, undefined, () => {
        to.host.post(() => {
          const suites = to.suites()
          const answer = (exit: Exit.Exit<A, E> | undefined) =>
            network.carryBetween(to.host.name, host.name, undefined, () =>
              host.post(() => resume(Effect.succeed(exit)))
            )
          if (suites === undefined) answer(undefined)
          else to.host.fork(question(suites), answer)
        })
      })
    })

  /** Asks until it is answered by the domain. */
  const ask = <A, E extends { readonly _tag: string }>(
    question: (suites: Suites["Service"]) => Effect.Effect<A, E | Unavailable>
  ): Effect.Effect<Exit.Exit<A, E | Unavailable>> =>
    Effect.gen(function* () {
      for (;;) {
        const all = coordinators()
        const one = all[Math.floor((yield* Random.next) * all.length)]
        if (one !== undefined) {
          const exit = yield* Effect.timeoutOption(once(question, one), patience)
          if (Option.isSome(exit) && exit.value !== undefined && !isPassing(exit.value)) return exit.value
        }
        yield* Effect.sleep(200 + 600 * (yield* Random.next))
      }
    })

  return { ask }
}

export type Client = ReturnType<typeof make>

const isPassing = <A, E extends { readonly _tag: string }>(exit: Exit.Exit<A, E>): boolean => {
  if (Exit.isSuccess(exit)) return false
  const error = Exit.findErrorOption(exit)
  // Without an error it was interrupted: its coordinator was going.
  return error._tag === "None" || error.value._tag === "Unavailable"
}
