/**
 * Leased tasks that no worker has yet, and the workers that wait for one. Plain data and callbacks: every task passes
 * through here, tens of thousands of times a second.
 */
import type { Lease } from "@muster/domain/Rpc/ManagerRpcs"
import type { WorkItem } from "@muster/domain/Rpc/WorkLists"
import type { SuiteId } from "@muster/domain/Suite/Id"
import { isCommand } from "@muster/domain/Task"
import type { TaskSpec } from "@muster/domain/Task"

/** A worker as the buffer sees it. */
export interface Taker {
  /**
   * `idle`: it has nothing to do. Only then does it get commands, which take all of it, or a task that has to run alone.
   * `closed`: it must get nothing.
   */
  readonly readiness: () => "idle" | "busy" | "closed"
  /** Most tasks like this one to give to it at once. */
  readonly batch: (spec: TaskSpec) => number
  /** Told what it gets, before it gets it. */
  readonly given: (items: ReadonlyArray<WorkItem>, alone: boolean) => void
}

interface Waiter {
  readonly taker: Taker
  readonly max: number
  readonly resume: (items: ReadonlyArray<WorkItem>) => void
}

const nothing: ReadonlyArray<WorkItem> = []

/** Characters of standard input that commands of one hand-out may have together: it is one message. */
const maxInput = 1024 * 1024

/** Space at the front of the array is given back when it makes up half of it and at least this many entries. */
const compactAfter = 1_024

export class WorkBuffer {
  private items: Array<WorkItem> = []
  private head = 0
  /** Tasks that were in a worker when it died and may be what killed it: they run first, one worker to each. */
  private alone: Array<WorkItem> = []
  private readonly waiters: Array<Waiter> = []
  /** Tasks that workers found here when they asked, and times that one had to wait. */
  hits = 0
  misses = 0
  private readonly onTaken: () => void
  private readonly sharers: () => number

  /**
   * `onTaken` is called whenever more tasks may be wanted: some were taken, or somebody began to wait. `sharers` tells how
   * many workers there are to share in what is here.
   */
  constructor(onTaken: () => void, sharers: () => number = () => 1) {
    this.onTaken = onTaken
    this.sharers = sharers
  }

  get size(): number {
    return this.items.length - this.head + this.alone.length
  }

  /** Workers that wait. */
  get waiting(): number {
    return this.waiters.length
  }

  /** New tasks, behind the others. */
  add(suiteId: SuiteId, leases: ReadonlyArray<Lease>): void {
    for (const { attempt, index, spec } of leases) this.items.push({ suiteId, index, attempt, spec })
    this.serve()
  }

  /** Tasks that a worker had and did not begin: they are the next ones. */
  giveBack(items: ReadonlyArray<WorkItem>): void {
    this.items.splice(this.head, 0, ...items)
    this.serve()
  }

  /** Tasks that a dead worker had and may have begun: they come before the others, and each to a worker of its own. */
  putBack(items: ReadonlyArray<WorkItem>): void {
    this.alone.push(...items)
    this.serve()
  }

  /**
   * Gives up to `max` tasks at once, or later through `resume`, or none when what waits is withdrawn. Answers with a
   * function that withdraws, or nothing when all is done.
   */
  take(taker: Taker, max: number, resume: (items: ReadonlyArray<WorkItem>) => void): (() => void) | undefined {
    const items = this.takeNow(taker, max)
    if (items.length > 0) {
      this.hits += items.length
      this.onTaken()
      resume(items)
      return undefined
    }
    this.misses++
    const waiter: Waiter = { taker, max, resume }
    this.waiters.push(waiter)
    this.onTaken()
    return () => this.withdraw(waiter)
  }

  /** Answers what a worker waits for with nothing. */
  dismiss(taker: Taker): void {
    for (const waiter of this.waiters.filter((waiting) => waiting.taker === taker)) {
      this.withdraw(waiter)
      waiter.resume(nothing)
    }
  }

  /** Forgets what a worker waits for: it is gone. */
  forget(taker: Taker): void {
    for (const waiter of this.waiters.filter((waiting) => waiting.taker === taker)) this.withdraw(waiter)
  }

  /** Takes out those of these attempts that are here. */
  remove(attempts: ReadonlyArray<readonly [index: number, attempt: number]>): Array<WorkItem> {
    const wanted = new Map(attempts)
    const removed: Array<WorkItem> = []
    const keep = (item: WorkItem) => {
      const isWanted = wanted.get(item.index) === item.attempt
      if (isWanted) removed.push(item)
      return !isWanted
    }
    this.alone = this.alone.filter(keep)
    this.items = this.items.slice(this.head).filter(keep)
    this.head = 0
    return removed
  }

  /** Takes out everything. */
  clear(): Array<WorkItem> {
    const all = [...this.alone, ...this.items.slice(this.head)]
    this.alone = []
    this.items = []
    this.head = 0
    return all
  }

  /** Whether this attempt is here. */
  has(index: number, attempt: number): boolean {
    const isIt = (item: WorkItem) => item.index === index && item.attempt === attempt
    return this.alone.some(isIt) || this.items.some((item, place) => place >= this.head && isIt(item))
  }

  private withdraw(waiter: Waiter): void {
    const place = this.waiters.indexOf(waiter)
    if (place >= 0) this.waiters.splice(place, 1)
  }

  /** Gives to those who wait, in the order in which they came. Also to be called when a worker's readiness changed. */
  serve(): void {
    if (this.waiters.length === 0) return
    for (let place = 0; place < this.waiters.length && this.size > 0;) {
      const waiter = this.waiters[place]
      if (waiter === undefined) return
      const items = this.takeNow(waiter.taker, waiter.max)
      if (items.length === 0) {
        place++
        continue
      }
      this.waiters.splice(place, 1)
      waiter.resume(items)
    }
    this.onTaken()
  }

  private takeNow(taker: Taker, max: number): ReadonlyArray<WorkItem> {
    const readiness = taker.readiness()
    if (max < 1 || readiness === "closed") return nothing
    if (this.alone.length > 0 && readiness === "idle") {
      const items = this.alone.splice(0, 1)
      taker.given(items, true)
      return items
    }
    const first = this.items[this.head]
    if (first === undefined) return nothing
    if (isCommand(first.spec) && readiness !== "idle") return nothing
    const most = Math.min(max, taker.batch(first.spec))
    const count = isCommand(first.spec) ? this.runOfCommands(most) : this.runOfHandlers(most)
    const items = this.items.slice(this.head, this.head + count)
    this.head += count
    if (this.head >= compactAfter && this.head * 2 >= this.items.length) {
      this.items.splice(0, this.head)
      this.head = 0
    }
    taker.given(items, false)
    return items
  }

  /** How many of the next tasks to give as commands: up to `max`, and no more than one worker's share of all. */
  private runOfCommands(max: number): number {
    const most = Math.min(max, Math.ceil(this.size / this.sharers()))
    let count = 1
    for (let input = 0; count < most; count++) {
      const spec = this.items[this.head + count]?.spec
      if (spec === undefined || !isCommand(spec)) break
      input += spec.stdin?.length ?? 0
      if (input > maxInput) break
    }
    return count
  }

  /** How many of the next tasks, up to `max`, are handler tasks. */
  private runOfHandlers(max: number): number {
    let count = 0
    for (let place = this.head; count < max; place++, count++) {
      const item = this.items[place]
      if (item === undefined || isCommand(item.spec)) break
    }
    return count
  }
}
