/**
 * A process of `muster dev`. It cannot outlive this one: the kernel ends it where `setpriv` can ask for that, and the end
 * of its standard input tells it everywhere.
 */
import { Deferred, Effect, Schedule } from "effect"
import type { Scope } from "effect"
import { spawn, spawnSync } from "node:child_process"
import { closeSync, openSync, readFileSync, renameSync, statSync } from "node:fs"
import * as Failure from "../Failure.ts"

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface Child {
  readonly pid: number
  readonly exit: Effect.Effect<Exit>
  /** The last thing that it said, for messages. */
  readonly lastWords: Effect.Effect<string | undefined>
}

export interface Options {
  readonly command: ReadonlyArray<string>
  readonly env: NodeJS.ProcessEnv
  readonly log: string
  /** Milliseconds between TERM and KILL when it has to go. */
  readonly grace: number
}

/** Tells `server start` and `manager start` that the end of their standard input means the end of their parent. */
export const parentVariable = "MUSTER_PARENT_PIPE"

const readyInterval = "50 millis"
const readyPatience = "1 minute"

const maxLogBytes = 20 * 1024 * 1024

let deathSignal: ReadonlyArray<string> | undefined

/** The prefix that has the kernel kill a command when its parent dies; nothing where there is no such tool. */
const withDeathSignal = (): ReadonlyArray<string> => {
  const prefix = ["--pdeathsig", "KILL", "--"]
  deathSignal ??=
    spawnSync("setpriv", [...prefix, "true"], { stdio: "ignore" }).status === 0 ? ["setpriv", ...prefix] : []
  return deathSignal
}

/** Opens a log at its end; one older log is kept. */
const openLog = (path: string): number => {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  if (size > maxLogBytes) renameSync(path, `${path}.1`)
  return openSync(path, "a", 0o600)
}

export const describeExit = ({ code, signal }: Exit): string => (signal === null ? `exit code ${code}` : signal)

/** What the command line says of an error stands at the end of its log. */
const readLastWords = (path: string, from: number): string | undefined => {
  const text = readFileSync(path).subarray(from).toString("utf8")
  const said = text.split("\n").filter((line) => line.startsWith("muster: "))
  return said.at(-1)?.slice("muster: ".length)
}

/** Starts a process that ends with the scope. */
export const start = Effect.fn("Child.start")(function* ({
  command,
  env,
  grace,
  log
}: Options): Effect.fn.Return<Child, Failure.CommandFailed, Scope.Scope> {
  const ended = Deferred.makeUnsafe<Exit>()
  const exit = Deferred.await(ended)
  const acquire = Effect.callback<
    { readonly pid: number; readonly kill: (signal: NodeJS.Signals) => void; readonly logStart: number },
    Failure.CommandFailed
  >((resume) => {
    const [program = "", ...args] = [...withDeathSignal(), ...command]
    const file = openLog(log)
    const logStart = statSync(log).size
    const child = spawn(program, args, {
      env: { ...env, [parentVariable]: "1" },
      // A session of its own: Ctrl-C in a terminal is for the supervisor, which ends its children in order.
      detached: true,
      stdio: ["pipe", file, file]
    })
    closeSync(file)
    child.stdin?.on("error", () => {})
    child.once("exit", (code, signal) => Deferred.doneUnsafe(ended, Effect.succeed({ code, signal })))
    child.once("error", (error) => resume(Effect.fail(Failure.failed(`cannot start ${program}: ${error.message}`))))
    child.once("spawn", () =>
      resume(Effect.succeed({ pid: child.pid ?? 0, kill: (signal) => void child.kill(signal), logStart }))
    )
  })
  const { logStart, pid } = yield* Effect.acquireRelease(acquire, ({ kill }) =>
    Effect.gen(function* () {
      kill("SIGTERM")
      const isGone = yield* Effect.timeoutOption(exit, grace)
      if (isGone._tag === "Some") return
      kill("SIGKILL")
      yield* exit
    })
  )
  return { pid, exit, lastWords: Effect.sync(() => readLastWords(log, logStart)) }
})

/** Asks again and again until it works, or the child has ended, or the time is up. */
export const untilReady = (
  what: string,
  child: Child,
  check: Effect.Effect<void, unknown>,
  log: string
): Effect.Effect<void, Failure.CommandFailed> => {
  const itsLog = `its log is ${log}`
  const ended = Effect.gen(function* () {
    const exit = yield* child.exit
    const said = yield* child.lastWords
    const line =
      said === undefined ? `the ${what} ended with ${describeExit(exit)} while it started` : `${what}: ${said}`
    return yield* Failure.failed(line, itsLog)
  })
  // It is tried for ever, so no error of the check comes out.
  const works = Effect.orDie(Effect.retry(check, Schedule.spaced(readyInterval)))
  return Effect.raceFirst(works, ended).pipe(
    Effect.timeoutOrElse({
      duration: readyPatience,
      orElse: () => Effect.fail(Failure.failed(`the ${what} was not ready within ${readyPatience}`, itsLog))
    })
  )
}
