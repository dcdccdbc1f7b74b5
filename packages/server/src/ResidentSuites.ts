/**
 * The suites whose actors live in this process, for what is asked of them thousands of times a second. A call to an actor
 * goes through the cluster, which finds out where the actor is and may cost more than what is asked; where it is here, it
 * is asked directly.
 *
 * Nothing rests on this. An actor that has lost its suite is fenced by the store, whichever way a command came, and one that
 * closes refuses what it has not answered; whoever asked does so again, through the cluster.
 */
import { Context, Layer } from "effect"
import type { Effect } from "effect"
import type { Unavailable } from "@muster/domain/Errors"
import type { SuiteError } from "@muster/domain/Suite/Errors"
import type { SuiteId } from "@muster/domain/Suite/Id"
import type { Suites } from "./Suites.ts"

/** What may be asked directly: the calls of `Suites` that the hot path is made of, without the suite's id. */
export type Resident = {
  readonly [Call in "submit" | "lease" | "report"]: (
    payload: Omit<Parameters<Suites["Service"][Call]>[0], "suiteId">
  ) => Effect.Effect<Effect.Success<ReturnType<Suites["Service"][Call]>>, SuiteError | Unavailable>
}

/**
 * The cluster puts an actor to rest that it has not sent anything to for two minutes, and does not see what comes directly.
 * So often it is sent something for that alone. Milliseconds.
 */
const touchInterval = 30_000

interface Known {
  readonly resident: Resident
  touchedAt: number
}

export class ResidentSuites extends Context.Service<
  ResidentSuites,
  {
    readonly add: (suiteId: SuiteId, resident: Resident) => void
    /** Nothing is changed if another one has taken its place. */
    readonly remove: (suiteId: SuiteId, resident: Resident) => void
    readonly find: (suiteId: SuiteId) => Resident | undefined
    /** True now and again, `now` being milliseconds: whoever asks the actor is to have the cluster send it something too. */
    readonly isTouchDue: (suiteId: SuiteId, now: number) => boolean
  }
>()("@muster/server/ResidentSuites") {}

export const make = (): ResidentSuites["Service"] => {
  const all = new Map<SuiteId, Known>()
  return {
    add: (suiteId, resident) => {
      all.set(suiteId, { resident, touchedAt: 0 })
    },
    remove: (suiteId, resident) => {
      if (all.get(suiteId)?.resident === resident) all.delete(suiteId)
    },
    find: (suiteId) => all.get(suiteId)?.resident,
    isTouchDue: (suiteId, now) => {
      const known = all.get(suiteId)
      if (known === undefined || Math.abs(now - known.touchedAt) < touchInterval) return false
      known.touchedAt = now
      return true
    }
  }
}

export const layer: Layer.Layer<ResidentSuites> = Layer.sync(ResidentSuites, make)
