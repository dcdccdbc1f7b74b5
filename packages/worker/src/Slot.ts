/**
 * What a worker has: tasks that wait, tasks that run, results that nobody has been told yet. Plain data and callbacks, like
 * the executor under it.
 *
 * Tasks start in the order in which they came. A command takes the whole worker, a handler with concurrency 4 a quarter of
 * it; the first task that waits starts when what it takes is free, and those behind it wait for it. As everything that
 * runs ends, nothing waits for ever.
 *
 * Commands still go to the executor several at a time: it runs one after the other, faster than this could. When one of
 * them runs for longer than a moment, those behind it are given back, because they could run elsewhere.
 */
import * as Lease from "@muster/domain/Lease"
import type { Deadline } from "@muster/domain/Lease"
import type { Returned } from "@muster/domain/Rpc/WorkerRpcs"
import type { WorkItem, WorkResult } from "@muster/domain/Rpc/WorkLists"
import type { SuiteId } from "@muster/domain/Suite/Id"
import { isCommand, resolve } from "@muster/domain/Task"
import type { AttemptResult, TaskDefaults } from "@muster/domain/Task"
import * as BootClock from "./BootClock.ts"
import type { Attempt, Shape as Executor } from "./Executor.ts"
import { unstarted } from "./Executor.ts"
import type { StartedItem } from "./TaskSource.ts"

/** Most items to ask for at once. How many of them make sense is for the other side to say. */
export const maxBatch = 256

/** Suites whose defaults are remembered: the present one, and those whose last tasks may still be on their way. */
const maxSuites = 16

/**
 * Cancellations kept for items that have not arrived yet. An attempt that somebody wanted to end never comes again, so an
 * old one harms nobody.
 */
const maxEarly = 1_024

/** Room for rounding: four quarters make one. */
const epsilon = 1e-9

/** Characters of results to hand in at once: well below the largest message, whatever they expand to. */
const maxHandIn = 4 * 1024 * 1024

type Key = string

const keyOf = ({ attempt, index, suiteId }: Pick<WorkItem, "suiteId" | "index" | "attempt">): Key =>
  `${suiteId}.${index}.${attempt}`

interface Running {
  readonly attempt: Attempt
  isTold: boolean
}

export class Slot {
  private readonly executor: Executor
  /** Called when something ended by itself, that is not within a call of `add`, `use` or `cancel`. */
  private readonly onChange: () => void
  private readonly defaults = new Map<SuiteId, TaskDefaults>()
  private waiting: Array<WorkItem> = []
  private head = 0
  private readonly running = new Map<Key, Running>()
  private readonly early = new Set<Key>()
  private load = 0
  /** Commands among what runs. If there are any there is nothing else, and all but the first have not begun. */
  private commands = 0
  private results: Array<WorkResult> = []
  private returned: Array<Returned> = []
  /** Suites of which something runs that only the end of this process will end. */
  private readonly abandoned = new Set<SuiteId>()
  private isPumping = false
  /** Of the suite that runs, if it asks for a lease. */
  private limit: { readonly suiteId: SuiteId; readonly deadline: Deadline } | undefined
  /** What runs of it has been told to end. */
  private isExpired = false
  private readonly now: () => number

  constructor(executor: Executor, onChange: () => void, now: () => number = BootClock.now) {
    this.now = now
    this.executor = executor
    this.onChange = onChange
  }

  /** How many more items may come: none while some wait or everything is taken. */
  get room(): number {
    return this.head < this.waiting.length || this.load > 1 - epsilon ? 0 : maxBatch
  }

  /** Nothing waits and nothing runs. There may be results. */
  get isIdle(): boolean {
    return this.running.size === 0 && this.head === this.waiting.length
  }

  get hasResults(): boolean {
    return this.results.length > 0
  }

  get hasReturned(): boolean {
    return this.returned.length > 0
  }

  /** Some items wait for the defaults of their suite. */
  get isHeldUp(): boolean {
    const next = this.waiting[this.head]
    return next !== undefined && !this.defaults.has(next.suiteId)
  }

  /** What tasks of a suite inherit. */
  use(suiteId: SuiteId, defaults: TaskDefaults, deadline?: Deadline): void {
    this.setLimit(deadline === undefined ? undefined : { suiteId, deadline })
    // Put last: what was used longest ago is forgotten first.
    this.defaults.delete(suiteId)
    this.defaults.set(suiteId, defaults)
    for (const oldest of this.defaults.keys()) {
      if (this.defaults.size <= maxSuites) break
      this.defaults.delete(oldest)
    }
    this.pump()
  }

  /** Nothing of a suite is to come. */
  leave(suiteId: SuiteId): void {
    this.executor.leave(suiteId)
  }

  /** Until when tasks of the suite may run by now. */
  renew(suiteId: SuiteId, deadline: Deadline): void {
    if (this.limit?.suiteId !== suiteId || deadline.kill <= this.limit.deadline.kill) return
    this.setLimit({ suiteId, deadline })
    this.pump()
  }

  /**
   * Does what the lease asks for by now. Answers with the milliseconds until there is more to do, nothing when there is
   * not, or `over`: something runs on that must not.
   */
  keepTime(): number | "over" | undefined {
    if (this.limit === undefined) return undefined
    const { deadline, suiteId } = this.limit
    const now = this.now()
    if (now < deadline.term) return deadline.term - now
    if (!this.isExpired) {
      this.isExpired = true
      this.expire(suiteId, Lease.graceLeft(deadline, now))
    }
    const isBusy = this.runningOf(suiteId).length > 0 || this.abandoned.has(suiteId)
    if (isBusy) return now < deadline.kill ? deadline.kill - now : "over"
    // Nothing begins any more, so nobody has to be watched.
    this.executor.limit(undefined)
    return undefined
  }

  private setLimit(limit: Slot["limit"]): void {
    const isLimited = this.limit !== undefined
    this.limit = limit
    this.isExpired = false
    if (limit !== undefined && this.now() < limit.deadline.kill) this.executor.limit(limit.deadline.kill)
    else if (isLimited) this.executor.limit(undefined)
  }

  private runningOf(suiteId: SuiteId): ReadonlyArray<Running> {
    return [...this.running.values()].filter(({ attempt }) => attempt.item.suiteId === suiteId)
  }

  private expire(suiteId: SuiteId, grace: number): void {
    const left = this.waiting.splice(this.head)
    for (const item of left) {
      if (item.suiteId === suiteId) this.returned.push({ ...nameOf(item), mayHaveBegun: false })
      else this.waiting.push(item)
    }
    for (const { attempt } of this.runningOf(suiteId)) this.executor.expire(attempt, grace)
    this.onChange()
  }

  private mayBegin({ suiteId }: WorkItem): boolean {
    return this.limit?.suiteId !== suiteId || this.now() < this.limit.deadline.begin
  }

  /** Starts what may start; the rest waits. */
  add(items: ReadonlyArray<WorkItem>): void {
    if (this.head === this.waiting.length) {
      this.waiting = [...items]
      this.head = 0
    } else {
      this.waiting.push(...items)
    }
    this.pump()
  }

  cancel(which: Pick<WorkItem, "suiteId" | "index" | "attempt">): void {
    const key = keyOf(which)
    const running = this.running.get(key)
    if (running !== undefined) return this.executor.cancel(running.attempt)
    const found = this.waiting.findIndex((item, place) => place >= this.head && keyOf(item) === key)
    if (found >= 0) {
      for (const item of this.waiting.splice(found, 1)) this.giveUp(item)
      return
    }
    // Not here yet, or ended: then this is one name too many in a small set.
    if (this.early.size >= maxEarly) this.early.clear()
    this.early.add(key)
  }

  /** Results to hand in; they count as handed in. */
  takeResults(): ReadonlyArray<WorkResult> {
    let size = 0
    let count = 0
    while (count < this.results.length && size < maxHandIn) size += sizeOf(this.results[count++]?.result)
    const taken = this.results
    this.results = taken.slice(count)
    return count === taken.length ? taken : taken.slice(0, count)
  }

  /** Items that others shall run; they count as told. */
  takeReturned(): ReadonlyArray<Returned> {
    const taken = this.returned
    this.returned = []
    return taken
  }

  /** Attempts that have run for `age` milliseconds and that nobody was told of; they count as told. */
  takeStarted(now: number, age: number): ReadonlyArray<StartedItem> {
    const items: Array<StartedItem> = []
    for (const running of this.running.values()) {
      const { item, startedAt } = running.attempt
      if (running.isTold || startedAt === undefined || now - startedAt < age) continue
      running.isTold = true
      const pid = isCommand(item.spec) ? this.executor.processId(running.attempt) : undefined
      items.push({
        suiteId: item.suiteId,
        index: item.index,
        attempt: item.attempt,
        startedAt,
        ...(pid === undefined ? {} : { pid })
      })
    }
    return items
  }

  /** Some of what runs has not been told. */
  get hasUntold(): boolean {
    for (const { attempt, isTold } of this.running.values()) if (!isTold && attempt.startedAt !== undefined) return true
    return false
  }

  private pump(): void {
    // What ends within its start comes back here: the loop below goes on by itself.
    if (this.isPumping) return
    this.isPumping = true
    for (let item = this.waiting[this.head]; item !== undefined; item = this.waiting[this.head]) {
      const defaults = this.defaults.get(item.suiteId)
      if (defaults === undefined) break
      const share = this.executor.share(item.spec)
      if (!this.fits(item, share) || !this.mayBegin(item)) break
      this.head++
      this.start(item, defaults, share)
    }
    this.isPumping = false
  }

  private fits({ spec }: WorkItem, share: number): boolean {
    if (this.load === 0 || this.load + share <= 1 + epsilon) return true
    return isCommand(spec) && this.commands > 0 && this.commands < this.executor.capacity
  }

  private giveUp(item: WorkItem): void {
    this.results.push({ suiteId: item.suiteId, result: unstarted(item, "cancelled") })
  }

  private start(item: WorkItem, defaults: TaskDefaults, share: number): void {
    if (this.early.size > 0 && this.early.delete(keyOf(item))) return this.giveUp(item)
    const attempt: Attempt = { item, defaults, settings: resolve(item.spec, defaults), startedAt: undefined }
    const isOfCommand = isCommand(item.spec)
    let isOver = false
    let isRunning = false
    const leave = () => {
      isOver = true
      if (!isRunning) return // within its start
      this.running.delete(keyOf(item))
      if (isOfCommand) this.commands--
      this.load = this.running.size === 0 ? 0 : this.load - share
      this.pump()
      this.onChange()
    }
    this.executor.start(attempt, {
      settle: (result) => {
        this.results.push({ suiteId: item.suiteId, result })
        leave()
      },
      abandon: () => {
        this.abandoned.add(item.suiteId)
        leave()
      },
      begun: () => {
        this.giveBack()
        this.onChange()
      },
      giveBack: (mayHaveBegun) => {
        this.returned.push({ ...nameOf(item), mayHaveBegun })
        leave()
      }
    })
    if (isOver) return
    isRunning = true
    this.load += share
    if (isOfCommand) this.commands++
    this.running.set(keyOf(item), { attempt, isTold: false })
  }

  /** What waits behind a long command goes elsewhere. */
  private giveBack(): void {
    for (const item of this.waiting.splice(this.head)) this.returned.push({ ...nameOf(item), mayHaveBegun: false })
    if (this.running.size > 1) this.executor.giveBack()
  }
}

const nameOf = ({ attempt, index, suiteId }: WorkItem) => ({ suiteId, index, attempt })

/** Roughly how many characters a result takes. */
const sizeOf = (result: AttemptResult | undefined): number =>
  200 +
  (result?.stdout?.length ?? 0) +
  (result?.stderr?.length ?? 0) +
  (result?.output === undefined ? 0 : outputSize(result.output))

/** A handler's output is limited; only what is no plain value is worth looking at. */
const outputSize = (output: unknown): number =>
  typeof output === "string"
    ? output.length
    : typeof output === "object" && output !== null
      ? JSON.stringify(output).length
      : 10
