/**
 * A Postgres of the system's package, which unlike the one that Muster brings has all of its tools: `pg_dump`,
 * `pg_restore`, `pg_basebackup`. Each server has a directory and a port of its own and is gone with its scope.
 */
import { execFile, spawn } from "node:child_process"
import { chownSync, existsSync, mkdirSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { Effect } from "effect"
import type { Scope } from "effect"
import * as System from "../../e2e/support/System.ts"
import * as Wait from "../../e2e/support/Wait.ts"

const exec = promisify(execFile)

/** Where Debian keeps the programs of each version. */
const root = "/usr/lib/postgresql"

const needed = ["initdb", "postgres", "pg_dump", "pg_restore", "pg_basebackup", "psql"]

/** The programs of the newest version that has all of them, if one is installed. */
export const binaries: string | undefined = (existsSync(root) ? readdirSync(root) : [])
  .toSorted((a, b) => Number(b) - Number(a))
  .map((version) => join(root, version, "bin"))
  .find((directory) => needed.every((program) => existsSync(join(directory, program))))

/** Postgres refuses to run as root: then it runs as the user of its package. */
const isRoot = process.getuid?.() === 0
const account = "postgres"

const command = (program: string, args: ReadonlyArray<string>): readonly [string, ReadonlyArray<string>] => {
  const path = join(binaries ?? "", program)
  // Unlike `runuser` it leaves no process in between, which would keep signals to itself.
  const as = ["--reuid", account, "--regid", account, "--clear-groups", "--"]
  return isRoot ? ["setpriv", [...as, path, ...args]] : [path, args]
}

/** Runs one of the programs to its end. */
export const run = (program: string, args: ReadonlyArray<string>): Effect.Effect<string> =>
  Effect.promise(async () => {
    const [file, rest] = command(program, args)
    const { stdout } = await exec(file, [...rest], { cwd: "/", maxBuffer: 2 ** 26 })
    return stdout
  })

/** A directory that a server may have for its own. */
export const directory = (path: string): Effect.Effect<string> =>
  Effect.promise(async () => {
    mkdirSync(path, { recursive: true, mode: 0o700 })
    if (!isRoot) return path
    const { stdout } = await exec("id", ["-u", account])
    chownSync(path, Number(stdout), -1)
    return path
  })

export interface Server {
  readonly url: string
  readonly port: number
  readonly socket: string
  /** Ends it at once, as a power cut would. */
  readonly kill: Effect.Effect<void>
}

export const init = (data: string) =>
  run("initdb", ["-D", data, "-U", "postgres", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"])

/** Starts a server on data that are there. */
export const start = Effect.fnUntraced(function* (
  data: string,
  socket: string
): Effect.fn.Return<Server, never, Scope.Scope> {
  const port = yield* System.freePort
  const [file, args] = command("postgres", [
    "-D",
    data,
    "-p",
    String(port),
    "-k",
    socket,
    "-c",
    "listen_addresses=127.0.0.1"
  ])
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => spawn(file, [...args], { stdio: "ignore", cwd: "/" })),
    (running) =>
      Effect.callback<void>((resume) => {
        if (running.exitCode !== null || running.signalCode !== null) return resume(Effect.void)
        running.once("exit", () => resume(Effect.void))
        running.kill("SIGINT")
      })
  )
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  yield* Wait.until(
    "Postgres answers",
    Effect.promise(() => {
      const [psql, rest] = command("psql", ["-X", "-d", url, "-c", "select 1"])
      return exec(psql, [...rest], { cwd: "/" }).then(
        () => true,
        () => false
      )
    }),
    (answers) => answers
  )
  return {
    url,
    port,
    socket,
    kill: Effect.callback<void>((resume) => {
      child.once("exit", () => resume(Effect.void))
      // An immediate shutdown: no checkpoint, no goodbye.
      child.kill("SIGQUIT")
    })
  }
})
