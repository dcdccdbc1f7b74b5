/**
 * The port behind which programs are started: one after the other, each as the leader of a session of its own.
 *
 * Why not simply `child_process.spawn`: it forks this process, and a fork copies page tables. Why several commands may be
 * handed over at once: a round trip through this process for each would cost as much again as the start.
 *
 * Processor time per `/bin/true` in microseconds on 2 cores, of starting and ending alone and of all of Muster
 * (coordinator, Postgres, manager, two workers), and the rate of the latter against `xargs -P2` in the same run:
 *
 * | way | start to end | all of Muster | times `xargs` |
 * |---|---|---|---|
 * | `xargs -n1` (the yardstick, does nothing else) | 870 | | 2,070/s |
 * | `posix_spawn` in a loop of C | 630 | | |
 * | `launcher/launcher.c` | 570 | 820 | 1.09 |
 * | the same, each worker with 1 GB of memory | 590 | 850 | 1.06 |
 * | Python with `os.posix_spawn`, one round trip each | 680 | 1,280 to 1,500 | 0.6 |
 * | `child_process.spawn` | 1,330 | 3,100 | 0.31 |
 * | the same, each worker with 1 GB of memory | 22,000 | 50,000 | 0.01 |
 */
import type { Effect, Scope } from "effect"
import type { OutputStream } from "@muster/domain/Manager/Directive"
import type { Scratch } from "./Scratch.ts"

/** What to start. All paths but the program are absolute. */
export interface Start {
  readonly program: string
  /** `argv[0]`: the name that the program sees of itself. */
  readonly name: string
  readonly args: ReadonlyArray<string>
  readonly cwd: string
  /** The environment that many have in common. It is handed over when it is another object than the last time. */
  readonly sharedEnv: Readonly<Record<string, string>>
  /** On top of that. */
  readonly env: Readonly<Record<string, string>>
  /** A file; without one reading gives the end at once. */
  readonly stdin: string | undefined
  /** Milliseconds after which it is told as begun, and its output as it comes. */
  readonly tellAfter: number
}

/** A command that has run for `tellAfter`. */
export interface Begun {
  readonly pid: number
  /** Milliseconds since 1970. */
  readonly startedAt: number
  /** Milliseconds since then, by the monotonic clock. */
  readonly age: number
}

/** The system did not start it; `code` is the name of its error, such as `ENOENT`. */
export interface Refused {
  readonly _tag: "Refused"
  readonly code: string
}

export interface Ended {
  readonly _tag: "Ended"
  readonly pid: number
  readonly exitCode: number | undefined
  readonly signal: string | undefined
  /** Bytes; absent when the system did not tell. */
  readonly peakMemory: number | undefined
  /** Milliseconds since 1970. */
  readonly startedAt: number
  /** Milliseconds by the monotonic clock. */
  readonly duration: number
  /** Processes of its group are still there. */
  readonly hasLeftovers: boolean
  /** Something still has its output open. */
  readonly isHeld: boolean
  /** Its directories may not be as they were. */
  readonly isDirty: boolean
}

export type End = Refused | Ended

/** After a clean end the next program may start at once; after any other one somebody has to see to what is left. */
export const isClean = (end: End): end is Ended =>
  end._tag === "Ended" && !end.hasLeftovers && !end.isHeld && !end.isDirty

/** Hears of one program. */
export interface Watcher {
  /** Only called for a program that runs for a while. */
  readonly onBegun: (begun: Begun) => void
  /** What it wrote, in order. `bytes` may be reused after the call. */
  readonly onOutput: (stream: OutputStream, bytes: Uint8Array) => void
  /** Called once, not before `launch` returns. After an end that is not clean, see `release`. */
  readonly onEnd: (end: End) => void
}

export interface Launcher {
  readonly kind: "native" | "node"
  /** A helper process of its own, which no clean-up may take for a leftover. */
  readonly helper: number | undefined
  /** Most programs that may be handed over and have not ended. */
  readonly capacity: number
  /** Starts a program when those before it have ended. */
  readonly launch: (start: Start, watcher: Watcher) => void
  /** Takes back what has not begun, and tells how many those were: the last ones. They are not heard of again. */
  readonly withdraw: (answer: (count: number) => void) => void
  /**
   * After an end that was not clean nothing is started: those behind it are taken back as by `withdraw`, untold. This tells
   * the rest of the ended program's output, then whether something still has it open, and has programs started again.
   */
  readonly release: (answer: (isHeld: boolean) => void) => void
  /** The directories that programs must leave as they are now for their end to be clean. Only while nothing runs. */
  readonly watch: (directories: ReadonlyArray<string>) => void
  /**
   * Has this worker killed, and with it all that it runs, if it hangs beyond this moment of the boot clock; `undefined`
   * lifts that. What starts programs with Node alone hangs with it and can do nothing.
   */
  readonly limit: (kill: number | undefined) => void
  /** The running program, which is also its process group and session. */
  readonly current: () => number | undefined
}

export interface Options {
  readonly scratch: Pick<Scratch, "currentFile" | "file">
  /** Called when programs can no longer be started. What ran is lost from sight. */
  readonly onBroken: (message: string) => void
}

/** Makes a launcher, or tells in one line why this kind does not work here. */
export type Make = (options: Options) => Effect.Effect<Launcher | string, never, Scope.Scope>
