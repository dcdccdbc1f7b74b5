/**
 * Runs a manager with the settings of the environment. Standard output has one line, when the manager is connected:
 * `{"ready":true,"managerId":"…","pid":…}`; all else goes to standard error.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Effect, Logger } from "effect"
import * as Manager from "./Manager.ts"

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

NodeRuntime.runMain(program, { disableErrorReporting: true, teardown: Manager.teardown })
