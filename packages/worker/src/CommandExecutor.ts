/**
 * Runs commands, one at a time: a program in a session of its own, its output captured, its whole process tree ended when
 * it has to end.
 */
import { join, resolve as resolvePath } from "node:path"
import { Cause, Effect, Exit } from "effect"
import type { Fiber } from "effect"
import * as LogFile from "@muster/domain/LogFile"
import type { OutputStream } from "@muster/domain/Manager/Directive"
import type { WorkItem } from "@muster/domain/Rpc/WorkerRpcs"
import { taskId } from "@muster/domain/Suite/Id"
import type { AttemptResult, CommandSpec, Outcome } from "@muster/domain/Task"
import type { End, Launcher, Make, Start } from "./Command/Launcher.ts"
import * as NodeLauncher from "./Command/NodeLauncher.ts"
import type { Kept } from "./Command/Output.ts"
import * as ProcessTree from "./Command/ProcessTree.ts"
import { explain, notFound, Programs } from "./Command/Program.ts"
import * as PythonLauncher from "./Command/PythonLauncher.ts"
import { ScratchDirectory } from "./Command/Scratch.ts"
import type { Scratch } from "./Command/Scratch.ts"
import type { Attempt } from "./Executor.ts"
import { notStarted, unstarted } from "./Executor.ts"
import * as ExitCode from "./ExitCode.ts"
import { Replacement } from "./Replacement.ts"
import * as Timer from "./Timer.ts"
import { cookie, variables, WorkerConfig } from "./WorkerConfig.ts"

/** A command that runs longer than this many milliseconds has its output read while it runs, not at its end. */
const followAfter = 5

/** Between two looks for a command that has to end but of which nothing is to be seen yet. */
const lookAgain = 5

/** What runs files that are no programs for the system but have no first line that names an interpreter either. */
const shell = "/bin/sh"

export interface Options {
  /** Ways to start programs, best first. The last one has to work everywhere. */
  readonly launchers: ReadonlyArray<Make>
}

const standard: Options = { launchers: [PythonLauncher.make, NodeLauncher.make] }

/** Made with its launcher running; all of it ends with the scope. */
export const make = Effect.fnUntraced(function* ({ launchers }: Options = standard) {
  const config = yield* WorkerConfig
  const replacement = yield* Replacement
  const scratch = yield* ScratchDirectory
  const env = baseEnvironment(process.env, cookie(config))
  let executor: CommandExecutor | undefined
  const options = {
    env,
    scratch,
    onBroken: (message: string) => executor?.lose(message)
  }
  for (const makeLauncher of launchers) {
    const launcher = yield* makeLauncher(options)
    if (launcher === undefined) continue
    executor = new CommandExecutor({
      launcher,
      scratch,
      env,
      logDir: config.logDir,
      replacement,
      run: Effect.runForkWith(yield* Effect.context<never>())
    })
    return executor
  }
  return yield* Effect.die(new Error("no way to start programs works here"))
})

/** The manager's environment as tasks see it. */
const baseEnvironment = (inherited: NodeJS.ProcessEnv, mark: string): Record<string, string> => {
  const env: Record<string, string> = {}
  const hidden = new Set<string>(Object.values(variables))
  for (const [name, value] of Object.entries(inherited)) if (value !== undefined && !hidden.has(name)) env[name] = value
  env.MUSTER_WORKER = mark
  return env
}

interface Parts {
  readonly launcher: Launcher
  readonly scratch: Scratch
  readonly env: Readonly<Record<string, string>>
  readonly logDir: string
  readonly replacement: Replacement["Service"]
  readonly run: <A>(effect: Effect.Effect<A>) => Fiber.Fiber<A>
}

/** The command that is there, from its start to its result. */
interface Running {
  readonly attempt: Attempt
  readonly spec: CommandSpec
  readonly settle: (result: AttemptResult) => void
  /** Monotonic clock. */
  readonly since: number
  /** Why it is being ended. */
  ending: Extract<Outcome, "timed_out" | "cancelled" | "crashed"> | undefined
  /** How the program itself ended, and when. */
  end: { readonly how: End; readonly finishedAt: number; readonly duration: number } | undefined
  readonly cancelTimers: Array<() => void>
  message: string | undefined
}

export class CommandExecutor {
  private readonly parts: Parts
  private readonly programs = new Programs()
  private running: Running | undefined
  private suiteId: string | undefined
  private brokenBecause: string | undefined

  constructor(parts: Parts) {
    this.parts = parts
  }

  /** How programs are started here. */
  get launcher(): Launcher["kind"] {
    return this.parts.launcher.kind
  }

  start(attempt: Attempt, spec: CommandSpec, settle: (result: AttemptResult) => void): void {
    if (this.running !== undefined) throw new Error("a command was started while another one runs")
    const { brokenBecause: message } = this
    if (message !== undefined) return settle({ ...unstarted(attempt.item, "crashed"), message })
    const running: Running = {
      attempt,
      spec,
      settle,
      since: performance.now(),
      ending: undefined,
      end: undefined,
      cancelTimers: [],
      message: undefined
    }
    this.running = running
    const isOtherSuite = this.suiteId !== undefined && this.suiteId !== attempt.item.suiteId
    this.suiteId = attempt.item.suiteId
    const { settled } = this.parts.scratch
    if (!isOtherSuite && settled === undefined) return this.begin(running)
    this.fork(
      Effect.gen({ self: this }, function* () {
        // What a suite's commands left behind in sessions of their own must not meet the next suite.
        if (isOtherSuite) yield* ProcessTree.kill(this.anyOfWorker)
        if (settled !== undefined) yield* Effect.promise(() => settled)
        this.begin(running)
      })
    )
  }

  cancel(attempt: Attempt): void {
    if (this.running?.attempt === attempt) this.endEarly(this.running, "cancelled")
  }

  processId(attempt: Attempt): number | undefined {
    return this.running?.attempt === attempt ? this.parts.launcher.current() : undefined
  }

  /** Kills what runs and whatever earlier commands of this worker left behind in other sessions. */
  get endAll(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const leader = this.running === undefined ? undefined : this.parts.launcher.current()
      return Effect.asVoid(ProcessTree.kill({ ...this.anyOfWorker, leader }))
    })
  }

  /** Commands can no longer be run, and how the one that runs ends will not be told. */
  lose(reason: string): void {
    const [message = reason] = reason.split("\n", 1)
    this.brokenBecause ??= message
    this.parts.replacement.request({ exitCode: ExitCode.broken, message })
    const { running } = this
    if (running === undefined) return
    if (running.end !== undefined) return this.finish(running)
    running.ending ??= "crashed"
    running.message = message
    this.fork(
      Effect.gen({ self: this }, function* () {
        yield* ProcessTree.kill({ ...this.marksOf(running.attempt.item), leader: this.parts.launcher.current() })
        this.finish(running)
      })
    )
  }

  private get anyOfWorker(): ProcessTree.Marks {
    const { env, launcher } = this.parts
    return {
      variables: [`MUSTER_WORKER=${env.MUSTER_WORKER}`],
      except: launcher.helper === undefined ? [] : [launcher.helper]
    }
  }

  /** Processes that an attempt started, whatever session or group they moved to. */
  private marksOf({ attempt, index, suiteId }: WorkItem): ProcessTree.Marks {
    const { except, variables: ofWorker } = this.anyOfWorker
    const ofAttempt = [`MUSTER_TASK_ID=${taskId(suiteId, index)}`, `MUSTER_ATTEMPT=${attempt}`]
    return { variables: [...ofWorker, ...ofAttempt], ...(except === undefined ? {} : { except }) }
  }

  private fork(effect: Effect.Effect<unknown>): void {
    this.parts.run(effect).addObserver((exit) => {
      if (Exit.isFailure(exit)) this.lose(Cause.pretty(exit.cause))
    })
  }

  private begin(running: Running): void {
    const { attempt, spec } = running
    const { scratch } = this.parts
    // Cancelled while it waited for what was before it.
    if (running.ending !== undefined) return this.settleUnstarted(running, unstarted(attempt.item, running.ending))
    const path = this.path(attempt)
    const program = this.programs.find(spec.program, path, this.cwd(attempt))
    if (program === undefined) {
      return this.settleUnstarted(running, notStarted(attempt, notFound(spec.program, path)))
    }
    const { output, timeout } = attempt.settings
    scratch.stdout.begin({ file: this.logFile(attempt.item, "stdout"), ...output })
    scratch.stderr.begin({ file: this.logFile(attempt.item, "stderr"), ...output })
    try {
      this.launch(running, { program, args: spec.args ?? [] })
    } catch (error) {
      // A full disk, too many open files: what the machine lacks is no fault of this worker.
      return this.settleUnstarted(running, notStarted(attempt, `the command could not be prepared: ${String(error)}`))
    }
    running.cancelTimers.push(
      Timer.after(followAfter, () => {
        scratch.stdout.follow()
        scratch.stderr.follow()
      })
    )
    if (timeout !== undefined) {
      running.cancelTimers.push(Timer.after(timeout, () => this.endEarly(running, "timed_out")))
    }
  }

  private launch(running: Running, what: Pick<Start, "program" | "args">): void {
    const { attempt, spec } = running
    const { launcher, scratch } = this.parts
    const start: Start = {
      ...what,
      name: spec.program,
      cwd: this.cwd(attempt),
      env: this.environment(attempt),
      stdin: spec.stdin === undefined ? undefined : scratch.stdin(spec.stdin),
      stdout: scratch.stdout.path,
      stderr: scratch.stderr.path
    }
    launcher.launch(start, (how) => {
      if (how._tag === "Refused" && this.relaunch(running, start, how.code)) return
      running.end = { how, finishedAt: Date.now(), duration: performance.now() - running.since }
      if (running.ending !== undefined) return // goes on when its whole tree is gone
      if (how._tag === "Refused" || !how.hasLeftovers) return this.finish(running)
      this.fork(
        Effect.andThen(
          ProcessTree.kill({ leader: how.pid, variables: [] }),
          Effect.sync(() => this.finish(running))
        )
      )
    })
  }

  /** Tries what else the program may mean. */
  private relaunch(running: Running, { args, program }: Start, code: string): boolean {
    const { attempt, spec } = running
    if (running.ending !== undefined) return false
    const cwd = this.cwd(attempt)
    if (code === "ENOEXEC" && program !== shell) {
      // As every shell and `execvp` do: a script without a first line that says what it is.
      this.launch(running, { program: shell, args: [resolvePath(cwd, program), ...args] })
      return true
    }
    if (code !== "ENOENT" || !this.programs.forget(spec.program, this.path(attempt))) return false
    const found = this.programs.find(spec.program, this.path(attempt), cwd)
    if (found === undefined) return false
    this.launch(running, { program: found, args })
    return true
  }

  /** Ends a command that has not ended by itself. */
  private endEarly(running: Running, outcome: "timed_out" | "cancelled"): void {
    if (running.ending !== undefined || running.end !== undefined) return
    running.ending = outcome
    const { item, settings } = running.attempt
    this.fork(
      Effect.gen({ self: this }, function* () {
        // The program may only be about to start, so that nothing of it is to be seen yet: its end has to be told.
        while (running.end === undefined && this.running === running) {
          yield* ProcessTree.end({ ...this.marksOf(item), leader: this.parts.launcher.current() }, settings.grace)
          if (running.end === undefined) yield* Effect.sleep(lookAgain)
        }
        this.finish(running)
      })
    )
  }

  /** Nothing of the command is left: hands in its result. */
  private finish(running: Running): void {
    if (this.running !== running) return
    const { attempt, end, spec } = running
    const { scratch } = this.parts
    this.running = undefined
    for (const cancel of running.cancelTimers) cancel()
    const isHeld = [scratch.stdout.drain(), scratch.stderr.drain()].includes("held")
    const stdout = scratch.stdout.end()
    const stderr = scratch.stderr.end()
    try {
      if (isHeld) scratch.replace()
      else scratch.recycle(spec.stdin !== undefined)
    } catch (error) {
      this.lose(`directories for commands cannot be made: ${String(error)}`)
    }
    running.settle(
      end?.how._tag === "Refused" && running.ending === undefined
        ? notStarted(attempt, explain(end.how.code, spec.program, this.cwd(attempt)))
        : toResult(running, stdout, stderr)
    )
  }

  private settleUnstarted(running: Running, result: AttemptResult): void {
    this.running = undefined
    running.settle(result)
  }

  private cwd({ settings }: Attempt): string {
    return settings.cwd === undefined ? this.parts.scratch.exec : resolvePath(settings.cwd)
  }

  private path({ settings }: Attempt): string | undefined {
    return settings.env.PATH ?? this.parts.env.PATH
  }

  private environment({ item, settings }: Attempt): Record<string, string> {
    const { scratch } = this.parts
    return {
      ...settings.env,
      MUSTER_TASK_ID: taskId(item.suiteId, item.index),
      MUSTER_SUITE_ID: item.suiteId,
      MUSTER_ATTEMPT: String(item.attempt),
      MUSTER_RESULT_DIR: scratch.result,
      MUSTER_EXEC_DIR: scratch.exec,
      MUSTER_RESOURCE_DIR: scratch.resource,
      MUSTER_WORKER: this.parts.env.MUSTER_WORKER ?? ""
    }
  }

  private logFile({ attempt, index, suiteId }: WorkItem, stream: OutputStream): string {
    return join(this.parts.logDir, LogFile.path(suiteId, index, attempt, stream))
  }
}

const outcomeOf = ({ end, ending }: Running): Outcome =>
  ending ?? (end?.how._tag === "Ended" && end.how.exitCode === 0 ? "succeeded" : "failed")

const toResult = (running: Running, stdout: Kept, stderr: Kept): AttemptResult => {
  const { attempt, end } = running
  const how = end?.how._tag === "Ended" ? end.how : undefined
  const message = [running.message, problemOf("stdout", stdout), problemOf("stderr", stderr)].filter(Boolean).join("; ")
  return {
    index: attempt.item.index,
    attempt: attempt.item.attempt,
    outcome: outcomeOf(running),
    ...(how?.exitCode === undefined ? {} : { exitCode: how.exitCode }),
    ...(how?.signal === undefined ? {} : { signal: how.signal }),
    startedAt: attempt.startedAt,
    finishedAt: end?.finishedAt ?? Date.now(),
    duration: end?.duration ?? performance.now() - running.since,
    ...(stdout.text === "" ? {} : { stdout: stdout.text }),
    ...(stderr.text === "" ? {} : { stderr: stderr.text }),
    ...(stdout.isCut ? { stdoutBytes: stdout.bytes } : {}),
    ...(stderr.isCut ? { stderrBytes: stderr.bytes } : {}),
    ...(how?.peakMemory === undefined ? {} : { peakMemory: how.peakMemory }),
    ...(message === "" ? {} : { message })
  }
}

const problemOf = (stream: OutputStream, { problem }: Kept): string | undefined =>
  problem === undefined ? undefined : `${stream}: ${problem}`
