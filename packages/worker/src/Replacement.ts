/**
 * How an executor says that this process is no longer fit for work and has to be replaced by a fresh one.
 */
import { Context, Deferred, Effect, Layer } from "effect"

export interface Reason {
  readonly exitCode: number
  readonly message: string
}

export class Replacement extends Context.Service<
  Replacement,
  {
    /** The first reason counts. What runs may end; nothing new is taken. */
    readonly request: (reason: Reason) => void
    readonly requested: Deferred.Deferred<Reason>
  }
>()("@muster/worker/Replacement") {
  static readonly layer = Layer.sync(Replacement, () => {
    const requested = Deferred.makeUnsafe<Reason>()
    return {
      request: (reason) => {
        Deferred.doneUnsafe(requested, Effect.succeed(reason))
      },
      requested
    }
  })
}
