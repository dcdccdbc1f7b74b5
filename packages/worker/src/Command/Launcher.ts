/**
 * The port behind which programs are started: one at a time, each as the leader of a session of its own.
 *
 * Why not simply `child_process.spawn`: it forks this process, and a fork copies page tables. Measured on 2 cores
 * (processor time per `/bin/true` in microseconds, everything from the request to the known exit included, and the
 * rate of two workers side by side where two were run):
 *
 * | way | µs | |
 * |---|---|---|
 * | `xargs -n1` (the yardstick, does nothing else) | 800 | 1,970/s |
 * | `posix_spawn` in a loop of C | 630 | 2,880/s |
 * | Python with `os.posix_spawn`, driven from here | 900 | 1,780/s |
 * | Perl with fork and exec, driven from here | 1,060 | 1,700/s |
 * | `child_process.spawn` | 1,400 | 1,450/s |
 *
 * The shells `dash` (which uses vfork) and `bash` are about as fast as Python, but a shell cannot tell exit code 130 from
 * death by SIGINT, loses variables with unusual names, runs its builtins instead of the program that was meant, and `dash`
 * cannot give a task a process group. So: Python where there is one, else Node itself.
 */
import type { Effect, Scope } from "effect"
import type { Scratch } from "./Scratch.ts"

/** What to start. All paths but the program are absolute. */
export interface Start {
  readonly program: string
  /** `argv[0]`: the name that the program sees of itself. */
  readonly name: string
  readonly args: ReadonlyArray<string>
  readonly cwd: string
  /** On top of the launcher's base environment. */
  readonly env: Readonly<Record<string, string>>
  /** A file; without one reading gives the end at once. */
  readonly stdin: string | undefined
  /** Named pipes that this worker reads. */
  readonly stdout: string
  readonly stderr: string
}

export type End =
  /** The system refused; `code` is the name of its error, such as `ENOENT`. */
  | { readonly _tag: "Refused"; readonly code: string }
  | {
      readonly _tag: "Ended"
      readonly pid: number
      readonly exitCode: number | undefined
      readonly signal: string | undefined
      /** Bytes; absent when the system did not tell. */
      readonly peakMemory: number | undefined
      /** Processes of its group are still there. */
      readonly hasLeftovers: boolean
    }

export interface Launcher {
  readonly kind: "python" | "node"
  /** A helper process of its own, which no clean-up may take for a leftover. */
  readonly helper: number | undefined
  /** Starts a program. Only one at a time. `onEnd` is called once, not before this returns. */
  readonly launch: (start: Start, onEnd: (end: End) => void) => void
  /** The running program, which is also its process group and session. */
  readonly current: () => number | undefined
}

export interface Options {
  /** What every program finds in its environment. */
  readonly env: Readonly<Record<string, string>>
  /**
   * Its file `current` names the running program, for a guardian that has to end it when nobody else is left to ask:
   * decimal digits and a newline, `0` when none runs.
   */
  readonly scratch: Pick<Scratch, "currentFile" | "write">
  /** Called when programs can no longer be started. What ran is lost from sight. */
  readonly onBroken: (message: string) => void
}

/** Makes a launcher, or nothing where this kind does not work. */
export type Make = (options: Options) => Effect.Effect<Launcher | undefined, never, Scope.Scope>
