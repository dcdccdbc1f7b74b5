/**
 * One try of one command: what is known of it from the moment that it is taken until its result.
 */
import type { OutputStream } from "@muster/domain/Manager/Directive"
import type { AttemptResult, CommandSpec, Outcome } from "@muster/domain/Task"
import { finishedAt, toMicroseconds } from "@muster/domain/Task/Packed"
import type { Attempt, Progress } from "../Executor.ts"
import type { Begun, End, Ended, Start } from "./Launcher.ts"
import { nothing, Output } from "./Output.ts"
import type { Kept } from "./Output.ts"

export class Run {
  readonly attempt: Attempt
  readonly spec: CommandSpec
  readonly progress: Progress
  /** What is started, when that is not simply what the spec names. */
  instead: Pick<Start, "program" | "args"> | undefined
  /** The file that holds its standard input. */
  stdin: string | undefined
  begun: Begun | undefined
  end: End | undefined
  /** Why it is being ended. */
  ending: Extract<Outcome, "timed_out" | "cancelled" | "crashed" | "lease_lost"> | undefined
  /** Time from TERM to KILL, if that is not what its spec says. */
  grace: number | undefined
  /** Something has been done to end it. */
  isBeingEnded = false
  cancelTimeout: (() => void) | undefined
  isSettled = false
  /** For people, beside what its output says. */
  message: string | undefined
  private readonly logFile: (stream: OutputStream) => string
  private stdout: Output | undefined
  private stderr: Output | undefined

  constructor(attempt: Attempt, spec: CommandSpec, progress: Progress, logFile: (stream: OutputStream) => string) {
    this.attempt = attempt
    this.spec = spec
    this.progress = progress
    this.logFile = logFile
  }

  push(stream: OutputStream, bytes: Uint8Array): void {
    this[stream] ??= new Output({ file: this.logFile(stream), ...this.attempt.settings.output })
    this[stream].push(bytes)
  }

  /** When nothing of it is left. */
  result(): AttemptResult {
    const { attempt, begun, end, ending } = this
    const ended = end?._tag === "Ended" ? end : undefined
    const stdout = this.stdout?.end() ?? nothing
    const stderr = this.stderr?.end() ?? nothing
    const startedAt = ended?.startedAt ?? begun?.startedAt
    const message = [this.message, problemOf("stdout", stdout), problemOf("stderr", stderr)].filter(Boolean).join("; ")
    return {
      index: attempt.item.index,
      attempt: attempt.item.attempt,
      outcome: ending ?? (ended?.exitCode === 0 ? "succeeded" : "failed"),
      ...(ended?.exitCode === undefined ? {} : { exitCode: ended.exitCode }),
      ...(ended?.signal === undefined ? {} : { signal: ended.signal }),
      ...(startedAt === undefined ? {} : { startedAt }),
      ...(ended === undefined ? { finishedAt: Date.now() } : timesOf(ended)),
      ...(stdout.text === "" ? {} : { stdout: stdout.text }),
      ...(stderr.text === "" ? {} : { stderr: stderr.text }),
      ...(stdout.isCut ? { stdoutBytes: stdout.bytes } : {}),
      ...(stderr.isCut ? { stderrBytes: stderr.bytes } : {}),
      ...(ended?.peakMemory === undefined ? {} : { peakMemory: ended.peakMemory }),
      ...(message === "" ? {} : { message })
    }
  }
}

const timesOf = ({ duration, startedAt }: Ended): Pick<AttemptResult, "duration" | "finishedAt"> => {
  const rounded = toMicroseconds(duration)
  return { duration: rounded, finishedAt: finishedAt(startedAt, rounded) }
}

const problemOf = (stream: OutputStream, { problem }: Kept): string | undefined =>
  problem === undefined ? undefined : `${stream}: ${problem}`
