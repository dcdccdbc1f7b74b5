/**
 * A simulated worker process. It calls its manager's real answers (`WorkerServer.answers`) as a worker does over its socket,
 * and instead of running something lets seeded time pass and ends with a seeded outcome.
 */
import { Effect, Exit, Stream } from "effect"
import type { Fiber } from "effect"
import * as Headers from "effect/http/Headers"
import { ServerClient } from "effect/rpc/Rpc"
import { RequestId } from "effect/rpc/RpcMessage"
import { WorkerRpcs } from "@muster/domain/Rpc/WorkerRpcs"
import type { WorkerDirective } from "@muster/domain/Rpc/WorkerRpcs"
import type { WorkItem, WorkResult } from "@muster/domain/Rpc/WorkLists"
import type { AttemptResult, Outcome } from "@muster/domain/Task/Attempt"
import type * as WorkerProcess from "@muster/manager/WorkerProcess"
import { WorkerPool } from "@muster/manager/WorkerPool"
import type { Execution, Executions } from "./Executions.ts"
import type { Host } from "./Host.ts"
import type { Seeded } from "./Seeded.ts"

/** What a manager answers to its workers. */
export const answers = Effect.gen(function* () {
  const pool = yield* WorkerPool
  return {
    attach: yield* WorkerRpcs.accessHandler("Attach"),
    next: yield* WorkerRpcs.accessHandler("Next"),
    started: yield* WorkerRpcs.accessHandler("Started"),
    beat: yield* WorkerRpcs.accessHandler("Beat"),
    ended: yield* WorkerRpcs.accessHandler("Ended"),
    giveBack: yield* WorkerRpcs.accessHandler("GiveBack"),
    disconnected: pool.calls.disconnected
  }
})
export type Answers = Effect.Success<typeof answers>

/** How the work of a worker goes. */
export interface Nature {
  /** Milliseconds that a task takes. */
  readonly duration: (random: Seeded) => number
  /** How a task ends by itself; `crashed`: its worker dies under it. */
  readonly outcome: (random: Seeded) => Exclude<Outcome, "lost" | "cancelled" | "not_started">
}

export interface Options {
  /** The manager's process. */
  readonly host: Host
  readonly answers: () => Answers | undefined
  readonly slot: number
  readonly process: WorkerProcess.Options
  readonly executions: Executions
  readonly nature: Nature
}

/** Age at which an attempt is told as started. Milliseconds. */
const startedAge = 50

/** Between two signs of life: rarer than those of a real one, and often enough. Milliseconds. */
const beatInterval = 4_000

/** Most tasks that it takes at once. */
const maxItems = 16

let clients = 0

export class Worker implements WorkerProcess.WorkerProcess {
  readonly pid: number
  private readonly options: Options
  private readonly random: Seeded
  private readonly client = new ServerClient(++clients)
  private requests = 0
  private isAlive = true
  private isStopping = false
  private isAsking = false
  private queue: Array<WorkItem> = []
  private running: { readonly item: WorkItem; readonly execution: Execution; isEnding: boolean } | undefined
  private results: Array<WorkResult> = []
  /** When the last message arrives at the manager, and the last one here. */
  private arrival = 0
  private arrivalHere = 0
  private pending: Fiber.Fiber<unknown, unknown> | undefined
  private listening: Fiber.Fiber<unknown, unknown> | undefined
  private readonly forget: () => void

  constructor(options: Options) {
    const { host } = options
    this.options = options
    this.random = host.world.random.fork()
    this.pid = 1_000 + this.random.below(1_000_000)
    // The kernel kills it with its manager.
    this.forget = host.whenDead(() => this.end({ exitCode: undefined, signal: "SIGKILL" }))
    this.later(this.random.between(20, 400), () => this.attach())
  }

  readonly kill = (signal: NodeJS.Signals): void => {
    this.later(this.random.between(0.5, 10), () => this.end({ exitCode: undefined, signal }))
  }

  private tell(line: string): void {
    const { host, slot } = this.options
    host.world.tell?.(`${host.name} worker ${slot} (${this.pid}) ${line}`)
  }

  private later(delay: number, act: () => void): () => void {
    return this.options.host.world.after(delay, () => {
      if (this.isAlive) act()
    })
  }

  private get now(): number {
    return this.options.host.world.now
  }

  /** What was sent arrives, also when the worker has died meanwhile. */
  private toManager(act: (answers: Answers) => void): void {
    const { answers: of, host } = this.options
    this.arrival = Math.max(this.arrival, this.now + this.random.between(0.02, 0.3))
    host.later(this.arrival - this.now, () => {
      const current = of()
      if (current !== undefined) act(current)
    })
  }

  private fromManager(act: () => void): void {
    this.arrivalHere = Math.max(this.arrivalHere, this.now + this.random.between(0.02, 0.3))
    this.later(this.arrivalHere - this.now, act)
  }

  private get call() {
    return { client: this.client, requestId: RequestId(this.requests++), headers: Headers.empty }
  }

  private attach(): void {
    const { host, slot } = this.options
    this.toManager(({ attach }) => {
      const directives = attach({ slot, pid: this.pid, handlers: [] }, this.call)
      // Such a handler answers with a stream.
      this.listening = host.fork(
        Stream.runForEach(directives as Stream.Stream<WorkerDirective>, (directive) =>
          Effect.callback<void>((resume) => {
            this.fromManager(() => {
              this.obey(directive)
              this.toManager(() => resume(Effect.void))
            })
          })
        ),
        // The end of the stream tells it to go.
        () => this.fromManager(() => this.end({ exitCode: 1, signal: undefined }))
      )
    })
    this.beat()
    this.ask()
  }

  private beat(): void {
    const { host, slot } = this.options
    this.toManager(({ beat }) => host.fork(beat({ slot }, this.call)))
    this.later(beatInterval, () => this.beat())
  }

  private obey(directive: WorkerDirective): void {
    this.tell(`is told ${JSON.stringify(directive)}`)
    switch (directive._tag) {
      case "UseSuite":
      // No suite of the simulation asks for a lease yet.
      case "Renewed":
      // Nor does any task leave processes behind.
      case "LeaveSuite":
        return
      case "Cancel":
        return this.cancel(directive)
      case "Stop":
        this.isStopping = true
        this.leaveWhenDone()
        // The answer to the last call may not come.
        this.later(1_000, () => {
          this.isAsking = false
          this.leaveWhenDone()
        })
    }
  }

  private ask(): void {
    if (this.isAsking || this.isStopping || this.running !== undefined || this.queue.length > 0) return
    const { host, slot } = this.options
    this.isAsking = true
    const ended = this.takeResults()
    this.toManager(({ next }) => {
      // Such a handler answers with an effect.
      const answer = next({ slot, max: maxItems, ended }, this.call) as Effect.Effect<ReadonlyArray<WorkItem>>
      this.pending = host.fork(answer, (exit) => {
        if (Exit.isSuccess(exit)) this.fromManager(() => this.got(exit.value))
      })
    })
  }

  private got(items: ReadonlyArray<WorkItem>): void {
    this.tell(`gets ${items.map(({ attempt, index }) => `${index}#${attempt}`).join(" ")}`)
    this.isAsking = false
    this.queue.push(...items)
    if (items.length === 0) this.later(10, () => this.ask())
    this.goOn()
  }

  private takeResults(): Array<WorkResult> {
    const taken = this.results
    this.results = []
    return taken
  }

  private handIn(): void {
    const ended = this.takeResults()
    if (ended.length === 0) return
    const { host, slot } = this.options
    this.toManager(({ ended: handIn }) => host.fork(handIn({ slot, ended }, this.call)))
  }

  private goOn(): void {
    if (this.running !== undefined) return
    const item = this.queue.shift()
    if (item === undefined) {
      if (this.isStopping) return this.leaveWhenDone()
      return this.ask()
    }
    this.run(item)
  }

  private run(item: WorkItem): void {
    const { executions, host, nature, slot } = this.options
    const { attempt, index, suiteId } = item
    const execution: Execution = {
      suiteId,
      index,
      attempt,
      machine: host.name,
      from: this.now,
      to: undefined,
      outcome: undefined
    }
    const startedAt = host.wallClock()
    const running = { item, execution, isEnding: false }
    this.running = running
    executions.begin(execution)
    const timeout = item.spec.timeout ?? Number.POSITIVE_INFINITY
    const duration = nature.duration(this.random)
    const outcome = nature.outcome(this.random)
    this.tell(`begins ${suiteId}.${index}#${attempt}: ${outcome} in ${Math.round(duration)} ms`)
    const isMine = () => this.running === running
    this.later(startedAge, () => {
      if (!isMine()) return
      this.toManager(({ started }) =>
        host.fork(started({ slot, items: [{ suiteId, index, attempt, startedAt }] }, this.call))
      )
      if (this.queue.length > 0 && this.random.chance(0.7)) this.giveBack()
    })
    if (duration > timeout) {
      this.later(timeout + this.random.between(1, 300), () => {
        if (isMine() && !running.isEnding) this.finish("timed_out", startedAt)
      })
      return
    }
    this.later(duration, () => {
      if (!isMine() || running.isEnding) return
      if (outcome === "crashed") this.end({ exitCode: undefined, signal: "SIGSEGV" })
      else this.finish(outcome, startedAt)
    })
  }

  /** What waits behind a task that takes long is to be run by others. */
  private giveBack(): void {
    const { host, slot } = this.options
    const items = this.queue.map(({ attempt, index, suiteId }) => ({ suiteId, index, attempt, mayHaveBegun: false }))
    this.queue = []
    this.toManager(({ giveBack }) => host.fork(giveBack({ slot, items }, this.call)))
  }

  private finish(outcome: Outcome, startedAt: number): void {
    const { running } = this
    if (running === undefined) return
    const { execution, item } = running
    const { attempt, index, suiteId } = item
    this.running = undefined
    this.tell(`has ended ${suiteId}.${index}#${attempt}: ${outcome}`)
    this.options.executions.end(execution, this.now, outcome)
    const result: AttemptResult = {
      index,
      attempt,
      outcome,
      startedAt,
      finishedAt: this.options.host.wallClock(),
      duration: this.now - execution.from,
      ...(outcome === "succeeded" ? { exitCode: 0 } : outcome === "failed" ? { exitCode: 3 } : {})
    }
    this.results.push({ suiteId, result })
    // With more to do it hands in what it has; else the next call does.
    if (this.queue.length > 0 || this.isStopping) this.handIn()
    this.goOn()
  }

  private cancel({ attempt, index, suiteId }: Extract<WorkerDirective, { readonly _tag: "Cancel" }>): void {
    const isIt = (item: WorkItem) => item.suiteId === suiteId && item.index === index && item.attempt === attempt
    const { running } = this
    if (running !== undefined && isIt(running.item)) {
      if (running.isEnding) return
      running.isEnding = true
      const startedAt = this.options.host.wallClock()
      this.later(this.random.chance(0.7) ? this.random.between(1, 50) : this.random.between(50, 5_000), () => {
        if (this.running === running) this.finish("cancelled", startedAt)
      })
    } else if (this.queue.some(isIt)) {
      this.queue = this.queue.filter((item) => !isIt(item))
      const finishedAt = this.options.host.wallClock()
      this.results.push({ suiteId, result: { index, attempt, outcome: "cancelled", finishedAt } })
      this.handIn()
    }
  }

  private leaveWhenDone(): void {
    if (!this.isStopping || this.isAsking || this.running !== undefined || this.queue.length > 0) return
    this.handIn()
    this.later(1, () => this.end({ exitCode: 0, signal: undefined }))
  }

  private end(exit: Pick<WorkerProcess.Exit, "exitCode" | "signal">): void {
    if (!this.isAlive) return
    this.isAlive = false
    this.tell(`is gone (${exit.signal ?? exit.exitCode})`)
    this.forget()
    const { executions, host, process } = this.options
    if (this.running !== undefined) executions.end(this.running.execution, this.now)
    this.running = undefined
    const how = { ...exit, failure: undefined }
    // The end of its connection comes after what it sent, the end of its process beside it.
    this.toManager(({ disconnected }) => {
      this.pending?.interruptUnsafe()
      this.listening?.interruptUnsafe()
      disconnected(this.client.id)
    })
    const exited = this.random.between(0.1, 5)
    host.later(exited, () => process.onExit(how))
    host.later(exited + this.random.between(0.1, 20), () => process.onGone(how))
  }
}
