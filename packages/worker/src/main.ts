/**
 * Entry of a worker process. Started by a manager only; see `WorkerConfig` for what it has to be told, and `ExitCode` for
 * what its end means.
 */
import { setFlagsFromString } from "node:v8"

// There may be 256 workers on a machine. One that runs commands needs next to no memory of its own and is kept small; what
// handlers of users need is not for the worker to judge, so with such it keeps Node's own balance of size and speed.
if (process.env.MUSTER_HANDLERS === undefined) {
  setFlagsFromString("--optimize-for-size")
  setFlagsFromString("--semi-space-growth-factor=1")
}

// A worker lives and dies with its manager, which alone decides what a signal for all of them means: Ctrl-C in a terminal
// and a service manager's TERM reach workers too, and would end tasks that the manager is about to let finish.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {})

// Only now, because loading it is what makes the heap grow.
const { run } = await import("./WorkerProcess.ts")
process.exit(await run())
