/**
 * One operating-system process of a worker.
 *
 * Three pipes tie it to its manager. It reads its standard input, which never carries anything: the end of it means that
 * the manager is gone. The manager reads the *lifeline* (descriptor 3), which the worker shares with the guardian that
 * cleans up behind it: the end of it means that worker, guardian and all their tasks are gone. Where the system has
 * `setpriv`, the kernel also kills the worker when the manager dies.
 */
import { spawn, spawnSync } from "node:child_process"
import { Duplex } from "node:stream"

export interface Options {
  readonly command: ReadonlyArray<string>
  readonly env: NodeJS.ProcessEnv
  /** Called once when nothing of the worker is left. */
  readonly onGone: (exit: Exit) => void
  /** Called once when the process itself has ended, which may be earlier. */
  readonly onExit: (exit: Exit) => void
}

export interface Exit {
  readonly exitCode: number | undefined
  readonly signal: string | undefined
  /** Why it could not even be started. */
  readonly failure: Error | undefined
}

export interface WorkerProcess {
  /** 0 if it could not be started. */
  readonly pid: number
  readonly kill: (signal: NodeJS.Signals) => void
}

const lifelineDescriptor = 3

let deathSignal: ReadonlyArray<string> | undefined

/** The prefix that has the kernel kill a command when its parent dies, or nothing where there is no such tool. */
const withDeathSignal = (): ReadonlyArray<string> => {
  const prefix = ["setpriv", "--pdeathsig", "KILL", "--"]
  deathSignal ??= spawnSync("setpriv", [...prefix.slice(1), "true"], { stdio: "ignore" }).status === 0 ? prefix : []
  return deathSignal
}

export const start = (options: Options): WorkerProcess => {
  const [program = "", ...args] = [...withDeathSignal(), ...options.command]
  let exit: Exit | undefined
  let isLifelineOpen = true
  const settle = () => {
    if (exit !== undefined && !isLifelineOpen) options.onGone(exit)
  }
  const exited = (how: Exit) => {
    if (exit !== undefined) return
    exit = how
    options.onExit(how)
    settle()
  }
  const child = spawn(program, args, {
    env: options.env,
    // Its own session: Ctrl-C in a terminal is for the manager, which decides what becomes of the workers.
    detached: true,
    stdio: ["pipe", process.stderr.fd, process.stderr.fd, "pipe"]
  })
  child.once("exit", (code, signal) =>
    exited({ exitCode: code ?? undefined, signal: signal ?? undefined, failure: undefined })
  )
  child.once("error", (failure) => {
    // Also a signal that could not be sent comes here; then the process lives and its exit is still to come.
    if (child.pid === undefined) exited({ exitCode: undefined, signal: undefined, failure })
  })
  // A dead worker's end of a pipe gives errors that say nothing new.
  child.stdin?.on("error", () => {})
  const lifeline = child.stdio[lifelineDescriptor]
  if (lifeline instanceof Duplex) {
    lifeline.on("error", () => {})
    lifeline.once("close", () => {
      isLifelineOpen = false
      settle()
    })
    lifeline.once("end", () => lifeline.destroy())
    lifeline.resume()
  } else {
    isLifelineOpen = false
  }
  return {
    pid: child.pid ?? 0,
    kill: (signal) => {
      child.kill(signal)
    }
  }
}
