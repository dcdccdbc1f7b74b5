/** Starts the programs of Postgres as the right user, with nothing of this process's environment to lead them astray. */
import type { SpawnOptions } from "node:child_process"
import { execFile } from "node:child_process"
import { promisify } from "node:util"
import type { Home } from "./Home.ts"

const execute = promisify(execFile)

/**
 * PGPORT, PGOPTIONS and their like would change what a program does, and another locale what it says: messages are read
 * to explain failures. The working directory is one that every user can enter.
 */
export const options = ({ account }: Home) =>
  ({
    cwd: "/",
    env: { LC_ALL: "C", PATH: process.env["PATH"] ?? "/usr/bin:/bin" },
    ...(account === undefined ? {} : { uid: account.uid, gid: account.gid })
  }) satisfies SpawnOptions

/** Runs a program to its end and answers with its output; the signal kills it. */
export const run = (home: Home, program: string, args: ReadonlyArray<string>, signal?: AbortSignal) =>
  execute(program, args, signal === undefined ? options(home) : { ...options(home), signal })

/**
 * Wraps a command so that the kernel sends it SIGINT (Postgres: fast shutdown) when this process dies, even of SIGKILL.
 * `setpriv` replaces itself by the command, so the process id stays. BusyBox has a `setpriv` without that option, and
 * other systems have none: there the command runs unprotected.
 *
 * The kernel watches the thread that starts the process: do not start Postgres from a worker thread that ends earlier.
 */
export const endingWithParent = async (
  home: Home,
  program: string,
  args: ReadonlyArray<string>
): Promise<readonly [program: string, args: ReadonlyArray<string>]> => {
  const prefix = ["--pdeathsig", "INT", "--"]
  const supported = await run(home, "setpriv", [...prefix, "true"]).then(
    () => true,
    () => false
  )
  return supported ? ["setpriv", [...prefix, program, ...args]] : [program, args]
}
