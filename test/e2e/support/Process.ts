/**
 * Real processes under test: started with their output in a file, killed by id, waited for.
 */
import { spawn } from "node:child_process"
import { chmodSync, closeSync, mkdtempSync, openSync, readFileSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Deferred, Effect } from "effect"
import type { Scope } from "effect"

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface Process {
  readonly pid: number
  readonly kill: (signal: NodeJS.Signals) => Effect.Effect<void>
  readonly exited: Effect.Effect<Exit>
  /** What it has printed so far. */
  readonly output: () => string
}

/** A directory that is gone after the test. Every user can pass through it, since Postgres may run as another one. */
export const directory = (prefix: string): Effect.Effect<string, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const path = mkdtempSync(join(tmpdir(), `muster-${prefix}-`))
      chmodSync(path, 0o755)
      return path
    }),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )

/** Starts a program of this repository with the Node that runs the test. Killed when the scope closes. */
export const start = (options: {
  readonly name: string
  readonly args: ReadonlyArray<string>
  readonly env: Readonly<Record<string, string>>
  readonly logs: string
}): Effect.Effect<Process, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.gen(function* () {
      const exit = yield* Deferred.make<Exit>()
      const path = join(options.logs, `${options.name}.log`)
      const log = openSync(path, "a")
      const child = spawn(process.execPath, options.args, {
        env: { PATH: process.env["PATH"] ?? "", HOME: options.logs, ...options.env },
        stdio: ["pipe", log, log]
      })
      closeSync(log)
      child.once("exit", (code, signal) => {
        Deferred.doneUnsafe(exit, Effect.succeed({ code, signal }))
      })
      const pid = yield* child.pid === undefined
        ? Effect.die(new Error(`${options.name} did not start`))
        : Effect.succeed(child.pid)
      return {
        pid,
        kill: (signal: NodeJS.Signals) => Effect.sync(() => void child.kill(signal)),
        exited: Deferred.await(exit),
        output: () => readFileSync(path, "utf8")
      }
    }),
    // A frozen process does not hear SIGKILL any later than another one.
    (running) => Effect.andThen(running.kill("SIGKILL"), running.exited)
  )

/** Whether a process is there and not only waits for its parent to read its exit code. */
export const isAlive = (pid: number): boolean => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    return stat.charAt(stat.lastIndexOf(")") + 2) !== "Z"
  } catch {
    return false
  }
}

/** Processes whose environment has this text: tasks carry their id there, whatever they forked. */
export const withEnvironment = (text: string): ReadonlyArray<number> =>
  readdirSync("/proc").flatMap((entry) => {
    const pid = Number(entry)
    if (!Number.isInteger(pid) || !isAlive(pid)) return []
    try {
      return readFileSync(`/proc/${pid}/environ`, "utf8").includes(text) ? [pid] : []
    } catch {
      return []
    }
  })
