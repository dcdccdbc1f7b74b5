/**
 * A coordinator as a process of its own, with the settings of the environment. Standard output stays empty; the log goes
 * to standard error.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Effect, Logger } from "effect"
import { run } from "./Server.ts"
import { config, problem } from "./ServerConfig.ts"

const program = Effect.flatMap(config, run).pipe(
  // What a user can mend is one line. A defect keeps its cause.
  Effect.tapError((error) => {
    const reason = error._tag === "ConfigError" ? problem(error) : error.message
    return Effect.sync(() => process.stderr.write(`muster server: ${reason}\n`))
  }),
  Effect.tapDefect((defect) => Effect.logFatal(defect)),
  Effect.provideService(Logger.LogToStderr, true)
)

NodeRuntime.runMain(program, { disableErrorReporting: true })
