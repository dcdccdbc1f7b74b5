/**
 * What a machine has to go through before and after a suite. A suite says nothing of that yet, so there is nothing to do:
 * the manager passes through `preparing` and `cleanup` at once. What a suite will ask for is carried out here.
 */
import { Context, Effect, Layer } from "effect"
import type { SuiteId } from "@muster/domain/Suite/Id"
import type { SuiteSpec } from "@muster/domain/Suite/Spec"

export class Hooks extends Context.Service<
  Hooks,
  {
    /** Makes the machine ready for the tasks of a suite. */
    readonly prepare: (suiteId: SuiteId, spec: SuiteSpec) => Effect.Effect<void>
    /** Removes what `prepare` and the tasks left behind. */
    readonly cleanup: (suiteId: SuiteId, spec: SuiteSpec) => Effect.Effect<void>
  }
>()("@muster/manager/Hooks") {}

/** For suites without hooks. */
export const layer: Layer.Layer<Hooks> = Layer.succeed(Hooks, {
  prepare: () => Effect.void,
  cleanup: () => Effect.void
})
