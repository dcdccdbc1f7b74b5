/**
 * Runs a manager with the settings of the environment. Standard output has one line, when the manager is connected:
 * `{"ready":true,"managerId":"…","pid":…}`; all else goes to standard error.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Cause, Effect, Exit, Logger, Option, Predicate } from "effect"
import * as Manager from "./Manager.ts"

const codes: Readonly<Record<string, number>> = Manager.exitCodes

const codeOf = (error: unknown): number =>
  Predicate.hasProperty(error, "_tag") && typeof error._tag === "string" ? (codes[error._tag] ?? 1) : 1

const program = Manager.run(undefined, {
  onReady: (manager) =>
    Effect.sync(() => {
      process.stdout.write(`${JSON.stringify({ ready: true, ...manager })}\n`)
    })
}).pipe(
  // What a user can mend is one line. A defect keeps its cause.
  Effect.tapError((error) => Effect.sync(() => process.stderr.write(`muster manager: ${error.message}\n`))),
  Effect.tapDefect((defect) => Effect.logFatal(defect)),
  Effect.provideService(Logger.LogToStderr, true)
)

// `run` hears the signals itself. The runtime hears them too and would interrupt what comes after it.
NodeRuntime.runMain(Effect.uninterruptible(program), {
  disableErrorReporting: true,
  teardown: (exit, onExit) => {
    if (Exit.isSuccess(exit)) return onExit(0)
    onExit(Option.match(Cause.findErrorOption(exit.cause), { onNone: () => 1, onSome: codeOf }))
  }
})
