/** One run of the command: from its arguments to its exit code. */
import { Effect, Fiber } from "effect"
import * as Cli from "./Cli.ts"
import * as ExitCode from "./ExitCode.ts"
import * as Signals from "./Signals.ts"

/** Runs a command line and ends the process. */
export const main = async (args: ReadonlyArray<string>): Promise<void> => {
  const fiber = Effect.runFork(Cli.run(args))
  let isEnding = false
  const onSignal = (signal: NodeJS.Signals) => {
    if (Signals.deliver(signal)) return
    if (isEnding) process.exit(ExitCode.interrupted)
    isEnding = true
    fiber.interruptUnsafe()
  }
  process.on("SIGINT", onSignal)
  process.on("SIGTERM", onSignal)
  const exit = await Effect.runPromise(Fiber.await(fiber))
  process.exit(await Effect.runPromise(Cli.report(exit)))
}
