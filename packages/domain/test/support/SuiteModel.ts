/**
 * A suite as one would write it without a thought to speed: plain objects, one per task, looked through from the first to
 * the last each time. It shares nothing with the real one but the types, so that what both get wrong was meant.
 */
import type { SuiteCommand } from "@muster/domain/Suite/Commands"
import type { SuiteEvent } from "@muster/domain/Suite/Events"
import type { SuiteSpec } from "@muster/domain/Suite/Spec"
import type { AttemptResult, EndedAttempt, TaskState } from "@muster/domain/Task/Attempt"
import type { RetryPolicy } from "@muster/domain/Task/Spec"

interface Session {
  readonly manager: string
  readonly epoch: number
}

interface Task {
  readonly index: number
  readonly priority: number
  readonly retry: RetryPolicy
  state: TaskState
  attempts: number
  failures: number
  crashes: number
  holder: Session | undefined
  readyAt: number
  unwanted: boolean
  /** What was taken from lost managers and was not heard of since. */
  taken: Array<{ readonly manager: string; readonly attempt: number; readonly counted: boolean }>
}

type Answer = ReadonlyArray<SuiteEvent> | string
type Report = Extract<SuiteCommand, { _tag: "ReportTasks" }>

const isOpen = (task: Task) => task.state === "queued" || task.state === "assigned" || task.state === "running"
const isHeld = (task: Task) => task.state === "assigned" || task.state === "running"

/** Neighbours as ranges of first and last. */
const ranges = (tasks: ReadonlyArray<Task>): Array<[number, number]> => {
  const found: Array<[number, number]> = []
  for (const { index } of tasks.toSorted((x, y) => x.index - y.index)) {
    const open = found.at(-1)
    if (open?.[1] === index - 1) open[1] = index
    else found.push([index, index])
  }
  return found
}

export class SuiteModel {
  readonly tasks: Array<Task> = []
  state: "missing" | "open" | "closed" | "complete" | "cancelled" = "missing"
  paused = false
  stopped = false
  private spec: SuiteSpec = {}
  private submittedAt = 0
  /** The latest session of each manager that was taken back from. */
  private over: Record<string, number> = {}
  private events: Array<SuiteEvent> = []

  /** The events of a command, or the name of the error. */
  tell(command: SuiteCommand): Answer {
    this.events = []
    const error = this.state === "missing" ? this.create(command) : this.obey(command)
    if (error !== undefined) return error
    while (this.follow(command.now));
    return this.events
  }

  private create(command: SuiteCommand): string | undefined {
    if (command._tag !== "CreateSuite") return "SuiteNotFound"
    this.state = "open"
    this.spec = command.spec
    this.submittedAt = command.now
    this.events.push({ _tag: "SuiteCreated", id: command.id, spec: command.spec, at: command.now })
  }

  private obey(command: SuiteCommand): string | undefined {
    const at = command.now
    const needsLife = ["SubmitTasks", "RetryTasks", "PauseSuite", "ResumeSuite", "CloseSuite"].includes(command._tag)
    if (needsLife && this.state === "cancelled") return "SuiteIsCancelled"
    switch (command._tag) {
      case "CreateSuite":
        return "SuiteAlreadyExists"
      case "SubmitTasks": {
        if (command.tasks.length === 0) return
        const retry = this.spec.defaults?.retry ?? { limit: 0 }
        this.events.push({ _tag: "TasksSubmitted", firstIndex: this.tasks.length, tasks: command.tasks, at })
        for (const spec of command.tasks) {
          this.tasks.push({
            index: this.tasks.length,
            priority: spec.priority ?? 0,
            retry: spec.retry ?? retry,
            state: "queued",
            attempts: 0,
            failures: 0,
            crashes: 0,
            holder: undefined,
            readyAt: 0,
            unwanted: false,
            taken: []
          })
        }
        this.submittedAt = at
        return this.reopen("submit", at)
      }
      case "LeaseTasks":
        return this.lease(command)
      case "ReportTasks":
        return this.report(command)
      case "ReclaimLeases":
        return this.reclaim(command)
      case "CancelTasks": {
        const tasks = new Set(command.indexes.map((index) => this.tasks[index]))
        const found = [...tasks].filter((task) => task !== undefined)
        if (found.length < tasks.size) return "TaskNotFound"
        if (!found.some(isOpen) && found.some((task) => task.state !== "cancelled")) return "TaskStateConflict"
        return this.cancel(
          found.filter((task) => isOpen(task)),
          command.reason,
          at
        )
      }
      case "RetryTasks": {
        const chosen = command.tasks === "failed" ? this.tasks.filter((task) => task.state === "failed") : command.tasks
        for (const one of chosen) {
          const task = typeof one === "number" ? this.tasks[one] : one
          if (task === undefined) return "TaskNotFound"
          if (task.state !== "failed" && task.state !== "cancelled") return "TaskStateConflict"
        }
        const tasks = this.tasks.filter((task) => chosen.some((one) => one === task || one === task.index))
        if (tasks.length === 0) return
        for (const task of tasks) Object.assign(task, { state: "queued", failures: 0, crashes: 0, readyAt: 0 })
        this.events.push({ _tag: "TasksRequeued", ranges: ranges(tasks), at })
        return this.reopen("retry", at)
      }
      case "PauseSuite":
      case "ResumeSuite": {
        const paused = command._tag === "PauseSuite"
        if (this.paused !== paused) this.events.push({ _tag: paused ? "SuitePaused" : "SuiteResumed", at })
        this.paused = paused
        return
      }
      case "CloseSuite":
        return this.close("user", at)
      case "Sweep":
        return this.tasks.some(isOpen) && at - this.submittedAt >= 180_000 ? this.close("idle", at) : undefined
      case "CancelSuite": {
        this.cancel(
          this.tasks.filter((task) => task.state === "queued" || (command.mode === "force" && isHeld(task))),
          command.reason,
          at
        )
        if (this.state !== "cancelled") {
          this.events.push({ _tag: "SuiteCancelled", reason: command.reason, mode: command.mode, at })
        }
        this.state = "cancelled"
      }
    }
  }

  private close(reason: "user" | "idle", at: number): undefined {
    if (this.state !== "open") return
    this.state = "closed"
    this.events.push({ _tag: "SuiteClosed", reason, at })
  }

  private reopen(reason: "submit" | "retry" | "manager_lost", at: number): undefined {
    if (this.state !== "closed" && this.state !== "complete") return
    this.state = "open"
    this.events.push({ _tag: "SuiteReopened", reason, at })
  }

  private cancel(tasks: ReadonlyArray<Task>, reason: string, at: number): undefined {
    const queued = tasks.filter((task) => task.state === "queued")
    const held = tasks.filter((task) => isHeld(task) && !task.unwanted)
    for (const task of queued) Object.assign(task, { state: "cancelled", unwanted: false })
    for (const task of held) task.unwanted = true
    if (queued.length > 0) this.events.push({ _tag: "TasksCancelled", ranges: ranges(queued), reason, at })
    if (held.length > 0) this.events.push({ _tag: "TaskCancellationRequested", ranges: ranges(held), reason, at })
  }

  private lease(command: Extract<SuiteCommand, { _tag: "LeaseTasks" }>): undefined {
    const { epoch, manager, now } = command
    const isOld = this.tasks.some(
      (task) => isHeld(task) && task.holder?.manager === manager && task.holder.epoch > epoch
    )
    if (this.state === "cancelled" || epoch <= (this.over[manager] ?? -1)) return
    if (command.max <= 0) {
      this.events.push({ _tag: "LeasesReturned", manager, epoch, ranges: [], reason: "returned", at: now })
      return
    }
    if (this.paused || isOld) return
    const tasks = this.tasks
      .filter((task) => task.state === "queued" && task.readyAt <= now)
      .toSorted((x, y) => y.priority - x.priority || x.index - y.index)
      .slice(0, command.max)
    const leases: Array<[number, number, number]> = []
    for (const task of tasks) {
      const attempt = task.attempts + 1
      const open = leases.at(-1)
      if (open?.[1] === task.index - 1 && open[2] === attempt) open[1] = task.index
      else leases.push([task.index, task.index, attempt])
      task.state = "assigned"
      task.holder = { manager, epoch }
      task.taken = task.taken.filter((one) => one.counted || one.manager !== manager || one.attempt !== attempt)
    }
    if (leases.length > 0) this.events.push({ _tag: "TasksLeased", manager, epoch, leases, at: now })
  }

  private report(command: Report): undefined {
    const { epoch, manager, now: at } = command
    const attempts: Array<EndedAttempt> = []
    const late: Array<AttemptResult> = []
    // Everything is judged by how it was before the report.
    const before = structuredClone(this.tasks)
    for (const result of command.ended) {
      const { attempt, index } = result
      const earlier = attempts.find((one) => one.index === index)
      const standing = this.standing(before[index], command, result)
      if (standing === "accepted" && earlier === undefined) attempts.push(this.judge(before[index], command, result))
      else if (standing === "late" || (standing === "accepted" && earlier?.attempt !== attempt)) {
        if (!late.some((one) => one.index === index && one.attempt === attempt)) late.push(result)
      }
    }
    const isMine = (index: number, attempt: number) => {
      const task = before[index]
      return (
        task?.state === "assigned" &&
        task.holder?.manager === manager &&
        task.holder.epoch === epoch &&
        task.attempts + 1 === attempt &&
        !attempts.some((one) => one.index === index)
      )
    }
    const started = command.started.filter(
      ([index, attempt], place) =>
        isMine(index, attempt) && command.started.findIndex(([other]) => other === index) === place
    )
    const returned = this.tasks.filter((task) =>
      command.returned.some(
        ([index, attempt]) =>
          index === task.index && isMine(index, attempt) && !started.some(([other]) => other === index)
      )
    )
    for (const [index] of started) Object.assign(this.tasks[index] ?? {}, { state: "running" })
    if (started.length > 0) this.events.push({ _tag: "TasksStarted", manager, epoch, tasks: started, at })
    this.end(command, attempts, at)
    this.giveBack(command, returned, "returned", at)
    for (const one of late) this.heardOf(command.manager, one)
    if (late.length > 0) this.events.push({ _tag: "LateResultsRecorded", manager, epoch, attempts: late, at })
  }

  private standing(task: Task | undefined, { epoch, manager }: Report, { attempt, outcome }: AttemptResult) {
    if (task === undefined) return "invented"
    const isNext = attempt === task.attempts + 1
    if (isNext && isHeld(task) && task.holder?.manager === manager && task.holder.epoch <= epoch) return "accepted"
    const taken = task.taken.find((one) => one.manager === manager && one.attempt === attempt)
    if (taken?.counted === true && outcome === "lost") return "repeated"
    if (taken !== undefined) return task.state === "queued" && (taken.counted || isNext) ? "accepted" : "late"
    return attempt <= task.attempts ? "repeated" : "invented"
  }

  private judge(
    task: Task | undefined,
    { manager, now, random }: Pick<Report, "manager" | "now" | "random">,
    result: AttemptResult
  ): EndedAttempt {
    if (task === undefined) throw new Error("no such task")
    if (result.outcome === "succeeded") return { ...result, next: "succeeded" }
    if (task.unwanted) return { ...result, next: "cancelled" }
    if (result.outcome === "lease_lost") return { ...result, next: "retry" }
    if (["crashed", "lost", "cancelled"].includes(result.outcome)) {
      const isCounted = task.taken.some(
        (one) => one.counted && one.manager === manager && one.attempt === result.attempt
      )
      const others = Math.max(task.crashes - (isCounted ? 1 : 0), 0)
      return { ...result, next: others + 1 >= 3 ? "failed" : "retry" }
    }
    if (task.failures >= task.retry.limit || this.state === "cancelled") return { ...result, next: "failed" }
    const wait = Math.min((task.retry.backoff ?? 1_000) * 2 ** task.failures, 60_000)
    const spread = (random + task.index * 0.618_033_988_749_895) % 1
    const [low, high] = [wait * 0.8, Math.min(wait * 1.2, 60_000)]
    return { ...result, next: "retry", retryAt: now + Math.round(low + (high - low) * spread) }
  }

  private heardOf(manager: string, { attempt, index }: AttemptResult): void {
    const task = this.tasks[index]
    if (task === undefined) return
    task.taken = task.taken.filter((one) => one.manager !== manager || one.attempt !== attempt)
  }

  private end(session: Pick<Report, "manager" | "epoch">, attempts: ReadonlyArray<EndedAttempt>, at: number): void {
    const { epoch, manager } = session
    for (const attempt of attempts) {
      const task = this.tasks[attempt.index]
      if (task === undefined) continue
      const isLost = task.taken.some((one) => one.counted && one.manager === manager && one.attempt === attempt.attempt)
      if (isLost) task.crashes = Math.max(task.crashes - 1, 0)
      this.heardOf(manager, attempt)
      const isCrash = ["crashed", "lost", "cancelled"].includes(attempt.outcome)
      if (attempt.outcome === "lost") task.taken.push({ manager, attempt: attempt.attempt, counted: true })
      const isCounted = attempt.outcome !== "lease_lost"
      if (isCounted && (attempt.next === "retry" || attempt.next === "failed")) task[isCrash ? "crashes" : "failures"]++
      task.state = attempt.next === "retry" ? "queued" : attempt.next
      task.attempts = Math.max(task.attempts, attempt.attempt)
      task.readyAt = attempt.retryAt ?? 0
      task.unwanted = false
    }
    if (attempts.length > 0) this.events.push({ _tag: "AttemptsEnded", manager: session.manager, epoch, attempts, at })
  }

  private giveBack(
    { epoch, manager }: Pick<Report, "manager" | "epoch">,
    tasks: ReadonlyArray<Task>,
    reason: "returned" | "manager_lost",
    at: number
  ): void {
    if (tasks.length === 0) return
    for (const task of tasks) {
      if (reason === "manager_lost") task.taken.push({ manager, attempt: task.attempts + 1, counted: false })
      task.state = "queued"
      task.readyAt = 0
    }
    this.events.push({ _tag: "LeasesReturned", manager, epoch, ranges: ranges(tasks), reason, at })
    this.cancel(
      tasks.filter((task) => task.unwanted),
      "cancelled while leased",
      at
    )
  }

  private reclaim(command: Extract<SuiteCommand, { _tag: "ReclaimLeases" }>): undefined {
    const { manager, now } = command
    const held = this.tasks.filter(
      (task) => isHeld(task) && task.holder?.manager === manager && task.holder.epoch <= command.epoch
    )
    for (const epoch of new Set(held.map((task) => task.holder?.epoch ?? 0).toSorted((x, y) => x - y))) {
      const tasks = held.filter((task) => task.holder?.epoch === epoch)
      const session = { manager, epoch: tasks[0]?.holder?.epoch as Report["epoch"] } // a session's epoch is one
      const running = tasks.filter((task) => task.state === "running")
      const attempts = running.map((task) =>
        this.judge(
          task,
          { manager, now, random: 0 },
          { index: task.index, attempt: task.attempts + 1, outcome: "lost", finishedAt: now }
        )
      )
      const assigned = tasks.filter((task) => task.state === "assigned")
      this.end(session, attempts, now)
      this.giveBack(session, assigned, "manager_lost", now)
    }
    if (command.epoch > (this.over[manager] ?? -1)) {
      const { epoch } = command
      if (
        !this.events.some((event) => event._tag === "LeasesReturned" && event.epoch === epoch) &&
        this.state !== "cancelled"
      ) {
        this.events.push({ _tag: "LeasesReturned", manager, epoch, ranges: [], reason: "manager_lost", at: now })
      }
      for (const event of this.events) {
        if (event._tag === "LeasesReturned") this.over[manager] = Math.max(this.over[manager] ?? -1, event.epoch)
      }
    }
    if (held.length > 0 && this.state === "closed") this.reopen("manager_lost", now)
  }

  private follow(at: number): boolean {
    const before = this.events.length
    const pending = this.tasks.filter(isOpen)
    const failed = this.tasks.filter((task) => task.state === "failed").length
    if (this.state === "cancelled") {
      this.cancel(
        pending.filter((task) => task.state === "queued"),
        "the suite is cancelled",
        at
      )
      if (pending.length === 0 && !this.stopped) this.events.push({ _tag: "SuiteStopped", at })
      this.stopped = pending.length === 0
    } else if (this.spec.maxFails !== undefined && failed >= this.spec.maxFails && pending.length > 0) {
      const reason = `${this.spec.maxFails} tasks failed (max-fails)`
      this.events.push({ _tag: "SuiteCancelled", mode: "graceful", reason, at })
      this.state = "cancelled"
    } else if (this.state !== "complete" && this.tasks.length > 0 && pending.length === 0) {
      this.events.push({ _tag: "SuiteCompleted", at })
      this.state = "complete"
    }
    return this.events.length > before
  }
}
