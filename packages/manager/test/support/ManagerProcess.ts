/**
 * A real manager process for tests, on a directory of its own.
 */
import { Deferred, Effect } from "effect"
import { spawn } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { token } from "./ScriptedCoordinator.ts"

const program = fileURLToPath(new URL("../../src/main.ts", import.meta.url))
/** The real worker. It is another package's program, so it is started, not imported. */
const worker = [process.execPath, fileURLToPath(new URL("../../../worker/src/main.ts", import.meta.url))]
const handlers = fileURLToPath(new URL("handlers.ts", import.meta.url))

/** A directory that is removed when the scope is closed. */
export const temporaryDirectory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "muster-manager-test-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true, maxRetries: 5 }))
)

export interface ManagerProcess {
  readonly pid: number
  readonly child: ChildProcess
  /** What it wrote to standard error. */
  readonly log: () => string
  /** The line on standard output that says that it is connected. */
  readonly ready: Effect.Effect<{ readonly managerId: string; readonly pid: number }>
  readonly exited: Effect.Effect<{ readonly code: number | null; readonly signal: string | null }>
}

export interface Options {
  readonly port: number
  readonly directory: string
  readonly env?: Readonly<Record<string, string>>
}

export const start = Effect.fnUntraced(function* ({ directory, env, port }: Options) {
  const exited = yield* Deferred.make<{ readonly code: number | null; readonly signal: string | null }>()
  const ready = yield* Deferred.make<{ readonly managerId: string; readonly pid: number }>()
  let log = ""
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, [program], {
        stdio: ["ignore", "pipe", "pipe"],
        env: {
          ...process.env,
          MUSTER_URL: `http://127.0.0.1:${port}`,
          MUSTER_TOKEN: token,
          MUSTER_MANAGER_DIR: directory,
          MUSTER_MANAGER_WORKERS: "1",
          MUSTER_WORKER_COMMAND: JSON.stringify(worker),
          MUSTER_HANDLERS: handlers,
          MUSTER_RECONNECT_MIN: "50ms",
          MUSTER_RECONNECT_MAX: "200ms",
          ...env
        }
      })
    ),
    (process) =>
      Effect.suspend(() => {
        process.kill("SIGKILL")
        return Deferred.await(exited)
      })
  )
  let output = ""
  child.stdout.on("data", (data: Buffer) => {
    output += data.toString()
    const [line, rest] = output.split("\n")
    if (line !== undefined && rest !== undefined) Deferred.doneUnsafe(ready, Effect.succeed(JSON.parse(line)))
  })
  child.stderr.on("data", (data: Buffer) => {
    log += data.toString()
  })
  child.on("close", (code, signal) => Deferred.doneUnsafe(exited, Effect.succeed({ code, signal })))
  return {
    pid: child.pid ?? 0,
    child,
    log: () => log,
    ready: Deferred.await(ready),
    exited: Deferred.await(exited)
  } satisfies ManagerProcess
})
