/**
 * Entry of a worker process. Started by a manager only; see `WorkerConfig` for what it has to be told, and `ExitCode` for
 * what its end means.
 */
import { Effect } from "effect"
import { program } from "./WorkerProcess.ts"

// A worker lives and dies with its manager, which alone decides what a signal for all of them means: Ctrl-C in a terminal
// and a service manager's TERM reach workers too, and would end tasks that the manager is about to let finish.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {})

const exitCode = await Effect.runPromise(program)

// Not by running out of things to do: handlers of users may have left timers and sockets behind.
process.exit(exitCode)
