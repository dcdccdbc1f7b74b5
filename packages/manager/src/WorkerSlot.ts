/**
 * A place for a worker, numbered from 0: what the process in it has been given, and what it was told. When the process
 * dies the next one takes its place.
 */
import { Effect, Queue, Stream } from "effect"
import type { Returned, WorkerDirective } from "@muster/domain/Rpc/WorkerRpcs"
import type { WorkItem, WorkResult } from "@muster/domain/Rpc/WorkLists"
import type { Lease } from "@muster/domain/Lease"
import type { SuiteId } from "@muster/domain/Suite/Id"
import { isCommand } from "@muster/domain/Task"
import type { AttemptResult, TaskDefaults, TaskSpec } from "@muster/domain/Task"
import type { Death, HeldItem } from "./HeldItem.ts"
import type { Pace } from "./Pace.ts"
import type { Taker } from "./WorkBuffer.ts"
import type { SuiteLease } from "./SuiteLease.ts"
import type { WorkerProcess } from "./WorkerProcess.ts"

/** The suite whose tasks run, with what they inherit. */
export interface CurrentSuite {
  readonly suiteId: SuiteId
  readonly defaults: TaskDefaults
  /** What the suite asks for, if it does. */
  readonly lease: Lease | undefined
}

/** What is to become of tasks that a worker no longer has. */
export interface Fates {
  /** They have ended. */
  readonly ended: Array<AttemptResult>
  /** Nobody began them. */
  readonly unbegun: Array<WorkItem>
  /** Perhaps somebody began them. */
  readonly doubtful: Array<WorkItem>
}

/** A worker that has called. */
interface Attachment {
  /** Its connection. */
  readonly clientId: number
  /** How many tasks of each handler it runs at once. */
  readonly concurrency: ReadonlyMap<string, number>
  readonly directives: Queue.Queue<WorkerDirective>
  /** The suite that it was told, and is known to have heard. */
  heard: SuiteId | undefined
}

export class WorkerSlot implements Taker {
  readonly number: number
  /** By the index of the task, in the order in which they were handed out. */
  readonly held = new Map<number, HeldItem>()
  /** Whether a worker is to be here. If not, the one that is goes, and none follows. */
  isWanted = true
  process: WorkerProcess | undefined
  /** By `performance.now()`. */
  lastBeat = 0
  /** Why the process ends, should it end now. */
  reason: Death["reason"] = "died"
  /** It was told to end. */
  isStopping = false
  private attachment: Attachment | undefined
  /** For the process that is here. */
  private directives: Queue.Queue<WorkerDirective> | undefined
  private hasLoneItem = false
  /** Since when the worker works on what it has. By `performance.now()`. */
  private busySince = 0
  private readonly pace: Pace
  private readonly suite: () => CurrentSuite | undefined
  private readonly lease: Pick<SuiteLease["Service"], "deadline" | "mayBegin">
  /** Called when it may take something that it could not take before. */
  private readonly onReady: () => void

  constructor(
    number: number,
    pace: Pace,
    suite: () => CurrentSuite | undefined,
    lease: Pick<SuiteLease["Service"], "deadline" | "mayBegin">,
    onReady: () => void
  ) {
    this.lease = lease
    this.number = number
    this.pace = pace
    this.suite = suite
    this.onReady = onReady
  }

  /** The connection of the worker that is here. */
  get clientId(): number | undefined {
    return this.attachment?.clientId
  }

  readonly readiness = (): "idle" | "busy" | "closed" => {
    const suiteId = this.suite()?.suiteId
    if (suiteId === undefined || this.attachment?.heard !== suiteId) return "closed"
    if (this.isStopping || this.hasLoneItem || !this.lease.mayBegin()) return "closed"
    return this.held.size === 0 ? "idle" : "busy"
  }

  readonly batch = (spec: TaskSpec): number =>
    isCommand(spec) ? this.pace.commands : this.pace.batch(this.attachment?.concurrency.get(spec.handler) ?? 1)

  readonly given = (items: ReadonlyArray<WorkItem>, alone: boolean): void => {
    const handedOutAt = Date.now()
    if (this.held.size === 0) this.busySince = performance.now()
    if (alone) this.hasLoneItem = true
    for (const item of items) {
      this.held.set(item.index, { item, handedOutAt, startedAt: undefined, isCancelled: false })
    }
  }

  /** A process begins here. `directives` carries what it will be told, once it has called. */
  begin(process: WorkerProcess, directives: Queue.Queue<WorkerDirective>): void {
    this.process = process
    this.directives = directives
    this.reason = "died"
    this.isStopping = false
    this.lastBeat = performance.now()
  }

  /** The process has called. Answers with what it shall be told from now on; nothing if none was to call. */
  attach(clientId: number, concurrency: ReadonlyMap<string, number>): Stream.Stream<WorkerDirective> | undefined {
    const { directives } = this
    if (directives === undefined || this.attachment !== undefined) return undefined
    const attachment: Attachment = { clientId, concurrency, directives, heard: undefined }
    this.attachment = attachment
    this.lastBeat = performance.now()
    const suite = this.suite()
    if (suite !== undefined) this.use(suite)
    if (this.isStopping) this.tell({ _tag: "Stop" })
    // The stream asks for the next directive only when the worker has acknowledged the one before. Tasks of a suite must
    // not overtake the word that they come.
    let previous: WorkerDirective | undefined
    return Stream.fromEffectRepeat(
      Effect.suspend(() => {
        if (previous?._tag === "UseSuite") {
          attachment.heard = previous.suiteId
          this.onReady()
        }
        return Effect.map(Queue.take(attachment.directives), (directive) => {
          previous = directive
          return directive
        })
      })
    )
  }

  /** The process and its connection are gone. Answers with what it had. */
  detach(): Array<HeldItem> {
    const left = [...this.held.values()]
    this.held.clear()
    this.attachment = undefined
    this.process = undefined
    this.directives = undefined
    this.hasLoneItem = false
    return left
  }

  /** Tells what comes. */
  use({ defaults, suiteId }: CurrentSuite): void {
    const deadline = this.lease.deadline()
    this.tell({ _tag: "UseSuite", suiteId, defaults, ...(deadline === undefined ? {} : { deadline }) })
  }

  tell(directive: WorkerDirective): void {
    if (this.attachment !== undefined) Queue.offerUnsafe(this.attachment.directives, directive)
  }

  /** Has the worker end when what it runs has ended. */
  stop(): void {
    if (this.isStopping) return
    this.isStopping = true
    this.tell({ _tag: "Stop" })
  }

  /** Takes results of tasks that it has; others came before already. */
  accept(results: ReadonlyArray<WorkResult>): Fates {
    const fates: Fates = { ended: [], unbegun: [], doubtful: [] }
    let count = 0
    for (const { result, suiteId } of results) {
      const one = this.release(suiteId, result)
      if (one === undefined) continue
      count++
      // Nobody asked for it but the manager that goes: the task is to run elsewhere.
      const isEvicted = result.outcome === "cancelled" && !one.isCancelled
      if (!isEvicted) fates.ended.push(result)
      else if (result.startedAt === undefined) fates.unbegun.push(one.item)
      else fates.ended.push({ ...result, outcome: "lost", message: "its manager was shut down" })
    }
    if (count > 0) {
      const now = performance.now()
      this.pace.measured(count, now - this.busySince)
      this.busySince = now
    }
    return fates
  }

  /** Takes back tasks that it has and does not run. */
  takeBack(items: ReadonlyArray<Returned>): Fates {
    const fates: Fates = { ended: [], unbegun: [], doubtful: [] }
    for (const { attempt, index, mayHaveBegun, suiteId } of items) {
      const one = this.release(suiteId, { index, attempt })
      if (one === undefined) continue
      // The word of it did not reach the worker in time.
      if (one.isCancelled) fates.ended.push({ index, attempt, outcome: "cancelled", finishedAt: Date.now() })
      else (mayHaveBegun ? fates.doubtful : fates.unbegun).push(one.item)
    }
    return fates
  }

  private release(
    suiteId: SuiteId,
    { attempt, index }: { readonly attempt: number; readonly index: number }
  ): HeldItem | undefined {
    const one = this.held.get(index)
    if (one === undefined || one.item.attempt !== attempt || one.item.suiteId !== suiteId) return undefined
    this.held.delete(index)
    if (this.held.size === 0) this.hasLoneItem = false
    return one
  }
}
