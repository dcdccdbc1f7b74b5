/**
 * The executor of a managed worker: commands and handlers.
 */
import { Effect, Layer } from "effect"
import { isCommand } from "@muster/domain/Task"
import type { ScratchDirectory } from "./Command/Scratch.ts"
import * as CommandExecutor from "./CommandExecutor.ts"
import type { Shape } from "./Executor.ts"
import { Executor } from "./Executor.ts"
import * as HandlerExecutor from "./HandlerExecutor.ts"
import type { Replacement } from "./Replacement.ts"
import type { WorkerConfig } from "./WorkerConfig.ts"

export const layer: Layer.Layer<Executor, never, WorkerConfig | ScratchDirectory | Replacement> = Layer.effect(
  Executor,
  Effect.gen(function* () {
    const [commands, handlers] = yield* Effect.all([CommandExecutor.make(), HandlerExecutor.make()], {
      concurrency: "unbounded"
    })
    return Executor.of({
      handlers: handlers.handlers,
      share: (spec) => (isCommand(spec) ? 1 : 1 / handlers.concurrency(spec.handler)),
      capacity: commands.capacity,
      start: (attempt, progress) => {
        const { spec } = attempt.item
        if (isCommand(spec)) commands.start(attempt, spec, progress)
        else handlers.start(attempt, spec, progress)
      },
      giveBack: () => commands.giveBack(),
      cancel: (attempt) => {
        commands.cancel(attempt)
        handlers.cancel(attempt)
      },
      leave: (suiteId) => commands.leave(suiteId),
      expire: (attempt, grace) => {
        commands.expire(attempt, grace)
        handlers.expire(attempt)
      },
      limit: (kill) => commands.limit(kill),
      processId: (attempt) => commands.processId(attempt),
      endAll: Effect.andThen(handlers.endAll, commands.endAll)
    } satisfies Shape)
  })
)
