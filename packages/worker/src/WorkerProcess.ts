/**
 * Everything that a worker process consists of.
 */
import { Cause, Effect } from "effect"
import { ScratchDirectory } from "./Command/Scratch.ts"
import * as ExitCode from "@muster/domain/WorkerExit"
import * as Guardian from "./Guardian.ts"
import * as ManagedTaskSource from "./ManagedTaskSource.ts"
import { Replacement } from "./Replacement.ts"
import * as TaskExecutor from "./TaskExecutor.ts"
import * as Worker from "./Worker.ts"
import { cookieVariable, layerConfig, WorkerConfig } from "./WorkerConfig.ts"

/** The manager holds the other end of standard input and writes nothing: its end means that the manager is gone. */
const orphaned = Effect.callback<void>((resume) => {
  const gone = () => resume(Effect.void)
  process.stdin.once("end", gone)
  process.stdin.once("close", gone)
  process.stdin.once("error", gone)
  process.stdin.resume()
})

const work = Effect.gen(function* () {
  const config = yield* WorkerConfig
  const replacement = yield* Replacement
  // First of all: from here on nothing that this process starts can outlive it.
  yield* Guardian.start({
    mark: cookieVariable(config),
    scratch: yield* ScratchDirectory,
    onBroken: (message) => replacement.request({ exitCode: ExitCode.broken, message })
  })
  // Not by running out of things to do: handlers of users may have left timers and sockets behind.
  const leave = (exitCode: number) => process.exit(exitCode)
  return yield* Worker.run({ orphaned, leave }).pipe(Effect.provide([TaskExecutor.layer, ManagedTaskSource.layer]))
})

const program: Effect.Effect<number> = work.pipe(
  Effect.scoped,
  Effect.provide(ScratchDirectory.layer),
  Effect.provide([Replacement.layer, layerConfig]),
  Effect.catchTags({
    ConfigError: (error) => Effect.as(Effect.logError(error.message), ExitCode.badSettings),
    SocketError: (error) => Effect.as(Effect.logError(error.message), ExitCode.managerLost)
  }),
  Effect.catchCause((cause) => Effect.as(Effect.logError(Cause.pretty(cause)), ExitCode.broken))
)

/** Runs a worker by the environment of this process, and answers with the exit code that it shall end with. */
export const run = (): Promise<number> => Effect.runPromise(program)
