/**
 * Cleans up behind a worker that died, however it died: a shell of a few hundred kilobytes in a session of its own, which
 * waits for the end of a pipe that only the worker holds open. Then it kills the running command with its group, the
 * process that starts programs, and every process that carries the worker's cookie, until there is none left.
 *
 * It holds the lifeline to the manager (descriptor 3) as the worker does, so the manager learns of the end of a worker
 * when nothing of it is left, and not before.
 */
import { spawn } from "node:child_process"
import { Effect } from "effect"
import type { Scope } from "effect"
import type { Scratch } from "./Command/Scratch.ts"

/** Given by the manager to every worker. */
const lifeline = 3

/**
 * Arguments: the cookie's assignment, and the file that names the running command. Rounds are limited because a process
 * that hangs in the kernel must not keep the manager from starting another worker for ever; 200 rounds take some 10 s.
 */
const script = `trap '' HUP INT QUIT TERM TSTP TTIN TTOU USR1 USR2 PIPE
mark=$1 current=$2
while read -r _; do :; done
round=0
while [ $round -lt 200 ]; do
  round=$((round + 1))
  read -r pid < "$current" && [ "$pid" -gt 1 ] && kill -s KILL -- "-$pid"
  found=$(grep -slzxF -- "$mark" /proc/[0-9]*/environ)
  [ -n "$found" ] || break
  for file in $found; do
    pid=\${file#/proc/}
    kill -s KILL "\${pid%/environ}"
  done
  sleep 0.05
done 2>/dev/null
`

export interface Options {
  /** Assignment that all processes of the worker have in their environment. */
  readonly mark: string
  readonly scratch: Pick<Scratch, "currentFile" | "write">
  /** Called when the guardian died before the worker. */
  readonly onBroken: (message: string) => void
}

/** Runs until the scope ends, and then cleans up like after any other end. */
export const start = ({ mark, onBroken, scratch }: Options): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const child = spawn("/bin/sh", [scratch.write("guardian.sh", script), mark, scratch.currentFile], {
        detached: true,
        // No cookie in its own environment, and no locale that would make grep slow or shy of bytes.
        env: { PATH: process.env.PATH, LC_ALL: "C" },
        cwd: "/",
        stdio: ["pipe", "ignore", "ignore", lifeline]
      })
      const gone = (message: string) => onBroken(`the guardian process ${child.pid} ${message}`)
      child.on("error", (error) => gone(`could not be reached: ${error.message}`))
      child.on("exit", (code, signal) => gone(`ended (${signal ?? `exit code ${code}`})`))
      child.stdin?.on("error", () => {})
      return child
    }),
    (child) =>
      Effect.sync(() => {
        child.removeAllListeners("exit")
        child.stdin?.destroy()
      })
  ).pipe(Effect.asVoid)
