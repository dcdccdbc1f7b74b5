/**
 * Runs commands, one after the other: a program in a session of its own, its output captured, its whole process tree ended
 * when it has to end.
 *
 * The launcher may have several commands ahead, and goes on by itself as long as each ends cleanly. Whatever is to be done
 * between two commands holds up the rest in here:
 *
 * ```
 *   start ──▶ waiting ──▶ handed ──▶ (ends cleanly) ──▶ settled
 *                ▲           │ └──▶ (ends otherwise) ──▶ tidied ──▶ settled
 *                └───────────┘
 *      withdrawn, or behind one that did not end cleanly
 * ```
 */
import { join, resolve as resolvePath } from "node:path"
import { Cause, Effect, Exit, Predicate } from "effect"
import type { Fiber } from "effect"
import * as Lease from "@muster/domain/Lease"
import * as LogFile from "@muster/domain/LogFile"
import type { WorkItem } from "@muster/domain/Rpc/WorkLists"
import { taskId } from "@muster/domain/Suite/Id"
import type { CommandSpec } from "@muster/domain/Task"
import type { Begun, End, Launcher, Make, Start } from "./Command/Launcher.ts"
import { isClean } from "./Command/Launcher.ts"
import * as NativeLauncher from "./Command/NativeLauncher.ts"
import * as NodeLauncher from "./Command/NodeLauncher.ts"
import * as ProcessTree from "./Command/ProcessTree.ts"
import { explain, notFound, Programs } from "./Command/Program.ts"
import { Run } from "./Command/Run.ts"
import { ScratchDirectory } from "./Command/Scratch.ts"
import type { Scratch } from "./Command/Scratch.ts"
import type { Attempt, Progress } from "./Executor.ts"
import { notStarted, unstarted } from "./Executor.ts"
import * as ExitCode from "@muster/domain/WorkerExit"
import { Replacement } from "./Replacement.ts"
import * as Timer from "./Timer.ts"
import { cookie, variables, WorkerConfig } from "./WorkerConfig.ts"

/**
 * A command that runs longer than this many milliseconds is a long one: it is told as begun, its output comes as it is
 * written, and those behind it may go elsewhere.
 */
const longAfter = 20

/** Between two looks for a command that has to end but of which nothing is to be seen yet. */
const lookAgain = 5

/** For the launcher's last answer, in milliseconds. Without one it is dead, and so is what it started. */
const withdrawLimit = 500

/** What runs files that are no programs for the system but have no first line that names an interpreter either. */
const shell = "/bin/sh"

export interface Options {
  /** Ways to start programs, best first. The last one has to work everywhere. */
  readonly launchers: ReadonlyArray<Make>
}

const standard: Options = { launchers: [NativeLauncher.make, NodeLauncher.make] }

/** Made with its launcher running; all of it ends with the scope. */
export const make = Effect.fnUntraced(function* ({ launchers }: Options = standard) {
  const config = yield* WorkerConfig
  const replacement = yield* Replacement
  const scratch = yield* ScratchDirectory
  let executor: CommandExecutor | undefined
  const options = { scratch, onBroken: (message: string) => executor?.lose(message) }
  for (const makeLauncher of launchers) {
    const launcher = yield* makeLauncher(options)
    if (Predicate.isString(launcher)) {
      yield* Effect.logWarning(`commands are started in another, slower way: ${launcher}`)
      continue
    }
    executor = new CommandExecutor({
      launcher,
      scratch,
      env: baseEnvironment(process.env, cookie(config)),
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

type Variables = Readonly<Record<string, string>>

export class CommandExecutor {
  private readonly parts: Parts
  private readonly programs = new Programs()
  /** Those that the launcher does not have, in order. */
  private waiting: Array<Run> = []
  /** Those that it has, in order. The first may have begun. */
  private handed: Array<Run> = []
  /** The one that ended and of which something may be left. Until that is gone nothing is handed over. */
  private tidied: Run | undefined
  /** So many answers of the launcher about what it had not begun are to come. Until then nothing is handed over. */
  private withdrawals = 0
  /** Something is done before the next command may be handed over. */
  private isPreparing = false
  private isGivingBack = false
  private suiteId: string | undefined
  /** The environment of the suite's commands, and what it was made of. */
  private shared: { readonly of: Variables | undefined; readonly env: Variables } | undefined
  private brokenBecause: string | undefined

  constructor(parts: Parts) {
    this.parts = parts
    parts.launcher.watch(parts.scratch.directories)
  }

  /** How programs are started here. */
  get launcher(): Launcher["kind"] {
    return this.parts.launcher.kind
  }

  get capacity(): number {
    return this.parts.launcher.capacity
  }

  /** Takes a command, to run it after those that it has. */
  start(attempt: Attempt, spec: CommandSpec, progress: Progress): void {
    // It was on its way when something broke. Another worker can run it.
    if (this.brokenBecause !== undefined) return progress.giveBack(false)
    const { attempt: number, index, suiteId } = attempt.item
    const logFile = (stream: "stdout" | "stderr") =>
      join(this.parts.logDir, LogFile.path(suiteId, index, number, stream))
    this.waiting.push(new Run(attempt, spec, progress, logFile))
    this.pump()
  }

  cancel(attempt: Attempt): void {
    const waits = this.waiting.findIndex((run) => run.attempt === attempt)
    if (waits >= 0) {
      for (const run of this.waiting.splice(waits, 1)) run.progress.settle(unstarted(attempt.item, "cancelled"))
      return
    }
    const run = this.handed.find((one) => one.attempt === attempt)
    if (run !== undefined) this.endEarly(run, "cancelled")
  }

  expire(attempt: Attempt, grace: number): void {
    const waits = this.waiting.findIndex((run) => run.attempt === attempt)
    if (waits >= 0) {
      for (const run of this.waiting.splice(waits, 1)) run.progress.giveBack(false)
      return
    }
    const run = this.handed.find((one) => one.attempt === attempt)
    if (run === undefined) return
    run.grace = Math.min(grace, attempt.settings.grace)
    run.message = Lease.lostMessage
    this.endEarly(run, "lease_lost")
  }

  limit(kill: number | undefined): void {
    this.parts.launcher.limit(kill)
  }

  /** Gives back what has not begun. */
  giveBack(): void {
    this.isGivingBack = true
    if (this.handed.length > 1) this.withdraw()
    else if (this.withdrawals === 0) this.withdrawn()
  }

  /** Ends what commands of this suite left behind in sessions of their own, unless one of another suite has come. */
  leave(suiteId: string): void {
    if (this.suiteId === suiteId && this.handed.length === 0 && !this.isHeldUp) this.prepare(true, undefined)
  }

  processId(attempt: Attempt): number | undefined {
    return this.handed.find((run) => run.attempt === attempt)?.begun?.pid
  }

  /** Kills what runs and whatever earlier commands of this worker left behind in other sessions. */
  get endAll(): Effect.Effect<void> {
    return Effect.suspend(() => {
      // Nothing more is handed over, and nothing may follow what is killed.
      this.isPreparing = true
      const leader = () => (this.handed.length === 0 ? undefined : this.parts.launcher.current())
      return Effect.callback<void>((resume) => this.parts.launcher.withdraw(() => resume(Effect.void))).pipe(
        Effect.timeoutOption(withdrawLimit),
        Effect.andThen(Effect.suspend(() => ProcessTree.kill({ ...this.anyOfWorker, leader: leader() }))),
        Effect.asVoid
      )
    })
  }

  /** Commands can no longer be run, and how those that the launcher has end will not be told. */
  lose(reason: string): void {
    const [message = reason] = reason.split("\n", 1)
    const isFirst = this.brokenBecause === undefined
    this.brokenBecause ??= message
    this.parts.replacement.request({ exitCode: ExitCode.broken, message })
    if (!isFirst) return
    if (this.tidied !== undefined) this.finish(this.tidied, false)
    // Of several it is not known which have begun. To blame one would be a guess.
    const isAlone = this.handed.length === 1
    const lost = this.handed
    this.handed = []
    this.fork(
      Effect.gen({ self: this }, function* () {
        if (lost.length > 0) {
          yield* ProcessTree.kill({ ...this.anyOfWorker, leader: this.parts.launcher.current() })
        }
        for (const run of lost) {
          if (!isAlone && run.begun === undefined) {
            this.forgetInput(run)
            run.progress.giveBack(true)
            continue
          }
          run.ending ??= "crashed"
          run.message = message
          this.finish(run, false)
        }
        for (const run of this.waiting.splice(0)) run.progress.giveBack(false)
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

  /** Hands over what may be handed over. */
  private pump(): void {
    const { launcher, scratch } = this.parts
    for (let run = this.waiting[0]; run !== undefined; run = this.waiting[0]) {
      if (this.isHeldUp || this.handed.length >= launcher.capacity) return
      const isOtherSuite = this.suiteId !== undefined && this.suiteId !== run.attempt.item.suiteId
      const { settled } = scratch
      if (isOtherSuite || settled !== undefined) {
        if (this.handed.length === 0) this.prepare(isOtherSuite, settled)
        return
      }
      this.suiteId = run.attempt.item.suiteId
      const what = run.instead ?? this.programOf(run)
      // A program that is not there may be what a command before it is about to make.
      if (what === undefined && this.handed.length > 0) return
      this.waiting.shift()
      if (what === undefined) run.progress.settle(notStarted(run.attempt, this.notFound(run)))
      else this.handOver(run, what)
    }
  }

  private get isHeldUp(): boolean {
    const isBroken = this.brokenBecause !== undefined
    return isBroken || this.isPreparing || this.withdrawals > 0 || this.tidied !== undefined || this.isEndingFirst
  }

  private get isEndingFirst(): boolean {
    return this.handed[0]?.ending !== undefined
  }

  private prepare(isOtherSuite: boolean, settled: Promise<void> | undefined): void {
    this.isPreparing = true
    this.fork(
      Effect.gen({ self: this }, function* () {
        // What a suite's commands left behind in sessions of their own must not meet the next suite.
        if (isOtherSuite) yield* ProcessTree.kill(this.anyOfWorker)
        if (settled !== undefined) yield* Effect.promise(() => settled)
        this.suiteId = undefined
        this.isPreparing = false
        this.pump()
      })
    )
  }

  private programOf({ attempt, spec }: Run): Pick<Start, "program" | "args"> | undefined {
    const program = this.programs.find(spec.program, this.path(attempt), this.cwd(attempt))
    return program === undefined ? undefined : { program, args: spec.args ?? [] }
  }

  private notFound({ attempt, spec }: Run): string {
    return notFound(spec.program, this.path(attempt))
  }

  private handOver(run: Run, what: Pick<Start, "program" | "args">): void {
    const { attempt, spec } = run
    const { launcher, scratch } = this.parts
    const { timeout = longAfter } = attempt.settings
    try {
      if (spec.stdin !== undefined) run.stdin ??= scratch.stdin(spec.stdin)
      const start: Start = {
        ...what,
        name: spec.program,
        cwd: this.cwd(attempt),
        sharedEnv: this.sharedEnvironment(attempt),
        env: this.environment(attempt),
        stdin: run.stdin,
        tellAfter: Math.min(longAfter, timeout)
      }
      launcher.launch(start, {
        onBegun: (begun) => this.begun(run, begun),
        onOutput: (stream, bytes) => run.push(stream, bytes),
        onEnd: (end) => this.ended(run, end)
      })
    } catch (error) {
      // A full disk, too many open files: what the machine lacks is no fault of this worker.
      this.forgetInput(run)
      return run.progress.settle(notStarted(attempt, `the command could not be prepared: ${String(error)}`))
    }
    this.handed.push(run)
  }

  private begun(run: Run, begun: Begun): void {
    const { attempt } = run
    run.begun = begun
    attempt.startedAt = begun.startedAt
    const { timeout } = attempt.settings
    if (timeout !== undefined) {
      const left = Math.max(0, timeout - begun.age)
      run.cancelTimeout = Timer.after(left, () => this.endEarly(run, "timed_out"))
    }
    run.progress.begun()
  }

  private ended(run: Run, end: End): void {
    this.handed.shift()
    run.end = end
    run.cancelTimeout?.()
    // It was faster than whoever wanted to end it.
    if (!run.isBeingEnded) run.ending = undefined
    if (!isClean(end)) this.waiting.unshift(...this.handed.splice(0))
    if (run.ending !== undefined) {
      // Goes on when its whole tree is gone.
      this.tidied = run
      return
    }
    if (isClean(end)) this.finish(run, false)
    else this.tidy(run)
    this.pump()
  }

  /** Sees to what an ended command left behind, and hands in its result. */
  private tidy(run: Run): void {
    const { end } = run
    this.tidied = run
    const release = () => {
      if (end === undefined || isClean(end)) return this.finish(run, false)
      this.parts.launcher.release((isHeld) => {
        if (end._tag === "Refused" && this.relaunch(run, end.code)) {
          this.tidied = undefined
          this.waiting.unshift(run)
          return this.pump()
        }
        this.finish(run, isHeld)
      })
    }
    if (end?._tag !== "Ended" || !end.hasLeftovers) return release()
    this.fork(Effect.andThen(ProcessTree.kill({ leader: end.pid, variables: [] }), Effect.sync(release)))
  }

  /** Whether the program may mean something else, which is to be tried. */
  private relaunch(run: Run, code: string): boolean {
    const { attempt, spec } = run
    if (run.ending !== undefined) return false
    const cwd = this.cwd(attempt)
    if (code === "ENOEXEC" && run.instead?.program !== shell) {
      // As every shell and `execvp` do: a script without a first line that says what it is.
      const { args = [], program = spec.program } = run.instead ?? this.programOf(run) ?? {}
      run.instead = { program: shell, args: [resolvePath(cwd, program), ...args] }
      return true
    }
    const before = this.programOf(run)
    if (code !== "ENOENT" || !this.programs.forget(spec.program, this.path(attempt))) return false
    // The same file again: what is not there is the interpreter that it names.
    const now = this.programOf(run)
    return now !== undefined && now.program !== before?.program
  }

  /** Ends a command that has not ended by itself. */
  private endEarly(run: Run, outcome: "timed_out" | "cancelled" | "lease_lost"): void {
    if (run.ending !== undefined || run.end !== undefined) return
    run.ending = outcome
    // Only when nothing can follow it, what the launcher has running is certain to be this one.
    this.withdraw()
  }

  private withdraw(): void {
    this.withdrawals++
    this.parts.launcher.withdraw((count) => {
      this.withdrawals--
      this.waiting.unshift(...this.handed.splice(this.handed.length - count))
      this.withdrawn()
    })
  }

  /** It is known which commands have begun: the first of those that are handed over, and no other. */
  private withdrawn(): void {
    if (this.withdrawals > 0) return
    const [first] = this.handed
    if (first?.ending !== undefined && !first.isBeingEnded) this.endTree(first)
    const isGivingBack = this.isGivingBack
    this.isGivingBack = false
    const leaving = this.waiting.filter((run) => isGivingBack || run.ending !== undefined)
    if (leaving.length > 0) this.waiting = this.waiting.filter((run) => !leaving.includes(run))
    for (const run of leaving) {
      this.forgetInput(run)
      if (run.ending === undefined || run.ending === "lease_lost") run.progress.giveBack(false)
      else run.progress.settle(unstarted(run.attempt.item, "cancelled"))
    }
    this.pump()
  }

  private endTree(run: Run): void {
    run.isBeingEnded = true
    const { item, settings } = run.attempt
    this.fork(
      Effect.gen({ self: this }, function* () {
        // The program may only be about to start, so that nothing of it is to be seen yet: its end has to be told.
        while (run.end === undefined && this.handed[0] === run) {
          yield* ProcessTree.end(
            { ...this.marksOf(item), leader: this.parts.launcher.current() },
            run.grace ?? settings.grace
          )
          if (run.end === undefined) yield* Effect.sleep(lookAgain)
        }
        if (run.end !== undefined) this.tidy(run)
      })
    )
  }

  /** Nothing of the command is left: hands in its result. */
  private finish(run: Run, isHeld: boolean): void {
    if (run.isSettled) return
    run.isSettled = true
    const { attempt, end, spec } = run
    const { launcher, scratch } = this.parts
    if (this.tidied === run) this.tidied = undefined
    this.forgetInput(run)
    try {
      if (isHeld) {
        scratch.replace()
        launcher.watch(scratch.directories)
      } else if (end?._tag === "Ended" && end.isDirty) {
        scratch.recycle()
      }
    } catch (error) {
      this.lose(`directories for commands cannot be made: ${String(error)}`)
    }
    run.progress.settle(
      end?._tag === "Refused" && run.ending === undefined
        ? notStarted(attempt, explain(end.code, spec.program, this.cwd(attempt)))
        : run.result()
    )
    this.pump()
  }

  private forgetInput(run: Run): void {
    if (run.stdin !== undefined) this.parts.scratch.forget(run.stdin)
    run.stdin = undefined
  }

  private cwd({ settings }: Attempt): string {
    return settings.cwd === undefined ? this.parts.scratch.exec : resolvePath(settings.cwd)
  }

  private path({ settings }: Attempt): string | undefined {
    return settings.env.PATH ?? this.parts.env.PATH
  }

  /** The manager's and the suite's: the same object as long as it is the same. */
  private sharedEnvironment({ defaults }: Attempt): Variables {
    if (this.shared === undefined || this.shared.of !== defaults.env) {
      this.shared = { of: defaults.env, env: { ...this.parts.env, ...defaults.env } }
    }
    return this.shared.env
  }

  private environment({ item }: Attempt): Variables {
    const { scratch } = this.parts
    return {
      ...item.spec.env,
      MUSTER_TASK_ID: taskId(item.suiteId, item.index),
      MUSTER_SUITE_ID: item.suiteId,
      MUSTER_ATTEMPT: String(item.attempt),
      MUSTER_RESULT_DIR: scratch.result,
      MUSTER_EXEC_DIR: scratch.exec,
      MUSTER_RESOURCE_DIR: scratch.resource,
      MUSTER_WORKER: this.parts.env.MUSTER_WORKER ?? ""
    }
  }
}
