/**
 * What must be true of every log of events, whatever happened to the processes that wrote it. Nothing but plain functions
 * of recorded events, in the order in which they were committed: the simulation asks after each commit, a fault test with
 * real processes asks the log that it has read.
 *
 * Tasks and sessions are followed by rules of their own, not by the system's `evolve`, so that a mistake there shows; what
 * the system's own fold says of a suite is compared with them.
 */
import type { CoordinatorEvent } from "@muster/domain/Coordinator/Events"
import type { ManagerEvent } from "@muster/domain/Manager/Events"
import type { Recorded } from "@muster/domain/Recorded"
import { decider } from "@muster/domain/Suite/Decider"
import type { SuiteEvent } from "@muster/domain/Suite/Events"
import type { SuiteId } from "@muster/domain/Suite/Id"
import { SuiteId as toSuiteId } from "@muster/domain/Suite/Id"
import * as State from "@muster/domain/Suite/State"
import type { SuiteState } from "@muster/domain/Suite/State"
import type { TaskCounts } from "@muster/domain/Suite/Spec"
import * as LogEvent from "@muster/server/LogEvent"

/** Something that must never be. */
export interface Violation {
  /** Which rule. */
  readonly rule: string
  readonly what: string
  /** Of the event, where it is one. */
  readonly position?: number
}

interface Holder {
  readonly manager: string
  readonly epoch: number
}

/** A task as these rules see it. */
interface Task {
  phase: "queued" | "assigned" | "running" | "succeeded" | "failed" | "cancelled"
  /** Attempts that ended, lost ones included. */
  attempts: number
  holder: Holder | undefined
  notBefore: number
  /** Managers whose attempt was recorded as lost, by number of the attempt: a result may still take its place. */
  readonly lost: Map<number, string>
  /** Attempts with an outcome other than lost. */
  readonly outcomes: Set<number>
  /** Leases that lost managers gave up unbegun, as `manager attempt`. */
  readonly lostLeases: Set<string>
}

/** A suite as these rules see it, with the system's own fold beside it. */
export interface SuiteLog {
  readonly id: SuiteId
  readonly tasks: Array<Task>
  readonly fences: Map<string, number>
  state: SuiteState
}

/** A manager's sessions. */
interface ManagerLog {
  epoch: number
  instance: string | undefined
  isOpen: boolean
  isReady: boolean
  suiteId: string | null
  readonly over: Set<string>
}

interface Assignment {
  readonly epoch: number
  readonly suiteId: string
}

export const isSettled = ({ phase }: Pick<Task, "phase">): boolean =>
  phase === "succeeded" || phase === "failed" || phase === "cancelled"

export interface Options {
  /** No coordinator's clock was set: only then does the time of day at which a retry may begin say how long it waited. */
  readonly steadyClocks: boolean
}

export class LogInvariants {
  private readonly options: Options
  readonly violations: Array<Violation> = []
  readonly suites = new Map<SuiteId, SuiteLog>()
  private readonly managers = new Map<string, ManagerLog>()
  /** As the pool has it. */
  private readonly assignments = new Map<string, Assignment>()
  private readonly versions = new Map<string, number>()
  private readonly commands = new Map<string, string>()
  private lastPosition = 0
  private position = 0

  constructor(options: Options) {
    this.options = options
  }

  /** The next event of the log. */
  add(recorded: Recorded): void {
    this.position = recorded.position
    this.checkStream(recorded)
    const { stream } = recorded
    if (stream.startsWith("suite-")) this.addSuite(stream.slice("suite-".length), LogEvent.decode<SuiteEvent>(recorded))
    else if (stream.startsWith("manager-")) this.addManager(stream, LogEvent.decode<ManagerEvent>(recorded))
    else if (stream.startsWith("coordinator-")) this.addPool(LogEvent.decode<CoordinatorEvent>(recorded))
  }

  /** What must be true when nothing is under way any more: all faults are over and everything had its time. */
  checkEnd(): void {
    for (const { id, state, tasks } of this.suites.values()) {
      for (const [index, task] of tasks.entries()) {
        if (!isSettled(task)) {
          const holder = task.holder === undefined ? "" : ` by ${task.holder.manager} in session ${task.holder.epoch}`
          this.report("every task ends", `task ${id}.${index} is ${task.phase}${holder}`)
        }
      }
      if (state._tag === "Existing" && tasks.length > 0 && state.completedAt === undefined) {
        this.report("every suite ends", `suite ${id} is ${state.state} with nothing left to do`)
      }
    }
  }

  private report(rule: string, what: string): void {
    this.violations.push({ rule, what, position: this.position })
  }

  private checkStream({ metadata, position, stream, version }: Recorded): void {
    const expected = (this.versions.get(stream) ?? 0) + 1
    if (version !== expected) this.report("versions have no gap", `${stream} goes from ${expected - 1} to ${version}`)
    this.versions.set(stream, version)
    if (position <= this.lastPosition) this.report("positions rise", `${position} comes after ${this.lastPosition}`)
    this.lastPosition = position
    const { commandId } = metadata
    if (commandId === undefined) return
    const key = `${stream} ${commandId}`
    const last = this.commands.get(key)
    // All events of one command stand together.
    if (last !== undefined && last !== `${version - 1}`) {
      this.report("a command is carried out once", `${commandId} in ${stream} at ${last} and again at ${version}`)
    }
    this.commands.set(key, `${version}`)
  }

  private addSuite(name: string, event: SuiteEvent): void {
    const id = toSuiteId.make(name)
    const known = this.suites.get(id)
    const suite = known ?? { id, tasks: [], fences: new Map<string, number>(), state: decider.initial() }
    this.suites.set(id, suite)
    if (known === undefined && event._tag !== "SuiteCreated")
      this.report("a suite is created first", `${id}: ${event._tag}`)
    this.follow(suite, event)
    suite.state = decider.evolve(suite.state, event)
    this.compare(suite, event)
  }

  private follow(suite: SuiteLog, event: SuiteEvent): void {
    const { id, tasks } = suite
    const at = (index: number): Task | undefined => {
      const task = tasks[index]
      if (task === undefined) this.report("events speak of tasks that exist", `${id}.${index}: ${event._tag}`)
      return task
    }
    const each = (ranges: ReadonlyArray<readonly [number, number]>, act: (task: Task, index: number) => void) => {
      for (const [first, last] of ranges) {
        for (let index = first; index <= last; index++) {
          const task = at(index)
          if (task !== undefined) act(task, index)
        }
      }
    }
    switch (event._tag) {
      case "TasksSubmitted":
        if (event.firstIndex !== tasks.length)
          this.report("tasks are numbered in order", `${id} from ${event.firstIndex}`)
        for (let count = 0; count < event.tasks.length; count++) tasks.push(fresh())
        return
      case "TasksLeased":
        if ((suite.fences.get(event.manager) ?? -1) >= event.epoch) {
          this.report("a session that is over gets nothing", `${id}: ${event.manager} in session ${event.epoch}`)
        }
        for (const [first, last, attempt] of event.leases) {
          each([[first, last]], (task, index) => {
            if (task.phase !== "queued") {
              this.report("leases never overlap", `${id}.${index} is leased while ${task.phase} ${nameOf(task.holder)}`)
            }
            if (attempt !== task.attempts + 1) {
              this.report("attempts are numbered in order", `${id}.${index}: ${attempt} after ${task.attempts}`)
            }
            if (this.options.steadyClocks && task.notBefore > event.at)
              this.report("retries wait", `${id}.${index} by ${task.notBefore - event.at} ms`)
            task.phase = "assigned"
            task.holder = { manager: event.manager, epoch: event.epoch }
          })
        }
        return
      case "TasksStarted":
        for (const [index, attempt] of event.tasks) {
          const task = at(index)
          if (task === undefined) continue
          if (task.phase !== "assigned" || !isHeldBy(task, event) || attempt !== task.attempts + 1) {
            this.report("only who has a task begins it", `${id}.${index} attempt ${attempt} by ${nameOf(event)}`)
          }
          task.phase = "running"
        }
        return
      case "AttemptsEnded":
        for (const ended of event.attempts) {
          const task = at(ended.index)
          if (task !== undefined) this.followEnd(`${id}.${ended.index}`, task, event, ended)
        }
        return
      case "LeasesReturned":
        if (event.reason === "manager_lost") {
          suite.fences.set(event.manager, Math.max(suite.fences.get(event.manager) ?? -1, event.epoch))
        }
        each(event.ranges, (task, index) => {
          if (task.phase !== "assigned" || !isHeldBy(task, event)) {
            this.report("only what is leased goes back", `${id}.${index} is ${task.phase} ${nameOf(task.holder)}`)
          }
          if (event.reason === "manager_lost") task.lostLeases.add(`${event.manager} ${task.attempts + 1}`)
          task.phase = "queued"
          task.holder = undefined
        })
        return
      case "TasksCancelled":
        each(event.ranges, (task, index) => {
          if (task.phase !== "queued") this.report("only queued tasks are cancelled", `${id}.${index} is ${task.phase}`)
          task.phase = "cancelled"
          task.notBefore = 0
        })
        return
      case "TasksRequeued":
        each(event.ranges, (task, index) => {
          if (task.phase !== "failed" && task.phase !== "cancelled") {
            this.report("only what failed runs again", `${id}.${index} is ${task.phase}`)
          }
          task.phase = "queued"
          task.notBefore = 0
        })
        return
      case "TaskCancellationRequested":
        return each(event.ranges, (task, index) => {
          if (task.holder === undefined) this.report("only what is held shall end", `${id}.${index} is ${task.phase}`)
        })
      case "SuiteCompleted":
      case "SuiteStopped":
        for (const [index, task] of tasks.entries()) {
          if (!isSettled(task)) this.report("a suite that is over has nothing open", `${id}.${index} is ${task.phase}`)
        }
        return
      case "SuiteCreated":
      case "LateResultsRecorded":
      case "SuitePaused":
      case "SuiteResumed":
      case "SuiteClosed":
      case "SuiteReopened":
      case "SuiteCancelled":
        return
    }
  }

  private followEnd(
    name: string,
    task: Task,
    event: Extract<SuiteEvent, { readonly _tag: "AttemptsEnded" }>,
    ended: (typeof event)["attempts"][number]
  ): void {
    const { attempt, next, outcome } = ended
    const isOfHolder =
      task.holder?.manager === event.manager && task.holder.epoch <= event.epoch && attempt === task.attempts + 1
    const isAfterLoss = task.phase === "queued" && task.lost.get(attempt) === event.manager && outcome !== "lost"
    const isAfterReturn =
      task.phase === "queued" && attempt === task.attempts + 1 && task.lostLeases.has(`${event.manager} ${attempt}`)
    if (!isOfHolder && !isAfterLoss && !isAfterReturn) {
      const how = `${name} attempt ${attempt} (${outcome}) by ${nameOf(event)}, but it is ${task.phase} ${nameOf(task.holder)}`
      this.report("only who has a task ends it", how)
    }
    if (outcome === "lost") {
      if (task.lost.has(attempt) || task.outcomes.has(attempt)) {
        this.report("an attempt has one outcome", `${name} attempt ${attempt} is lost after it had ended`)
      }
      task.lost.set(attempt, event.manager)
    } else {
      if (task.outcomes.has(attempt))
        this.report("an attempt has one outcome", `${name} attempt ${attempt}: ${outcome}`)
      task.outcomes.add(attempt)
    }
    task.attempts = Math.max(task.attempts, attempt)
    task.holder = undefined
    task.phase = next === "retry" ? "queued" : next
    task.notBefore = next === "retry" ? (ended.retryAt ?? 0) : 0
  }

  /** The suite's own counters against the tasks as they are followed here. */
  private compare({ id, state, tasks }: SuiteLog, event: SuiteEvent): void {
    if (state._tag === "Missing") return
    const own = State.taskCounts(state)
    const count = (...phases: ReadonlyArray<Task["phase"]>) =>
      tasks.reduce((sum, { phase }) => (phases.includes(phase) ? sum + 1 : sum), 0)
    const followed: TaskCounts = {
      total: tasks.length,
      pending: count("queued", "assigned", "running"),
      queued: count("queued"),
      assigned: count("assigned"),
      running: count("running"),
      succeeded: count("succeeded"),
      failed: count("failed"),
      cancelled: count("cancelled")
    }
    const differs = (Object.keys(followed) as Array<keyof TaskCounts>).filter((key) => own[key] !== followed[key])
    if (differs.length > 0) {
      const what = differs.map((key) => `${key}: ${own[key]}, but ${followed[key]} by the events`).join("; ")
      this.report("counters equal the fold of the events", `${id} after ${event._tag}: ${what}`)
    }
  }

  private addManager(stream: string, event: ManagerEvent): void {
    const name = stream.slice("manager-".length)
    const manager = this.managers.get(name) ?? {
      epoch: 0,
      instance: undefined,
      isOpen: false,
      isReady: false,
      suiteId: null,
      over: new Set<string>()
    }
    this.managers.set(name, manager)
    const ofSession = (epoch: number) => {
      if (!manager.isOpen || epoch !== manager.epoch) {
        const now = manager.isOpen ? `session ${manager.epoch} is open` : `session ${manager.epoch} is over`
        this.report("sessions follow one another", `${name}: ${event._tag} of session ${epoch}, but ${now}`)
      }
    }
    switch (event._tag) {
      case "ManagerConnected":
        if (manager.isOpen) this.report("sessions follow one another", `${name}: two sessions at once`)
        if (event.epoch !== manager.epoch + 1) {
          this.report("epochs rise by one", `${name} goes from ${manager.epoch} to ${event.epoch}`)
        }
        if (manager.over.has(event.instance))
          this.report("a session that is over stays so", `${name}: ${event.instance}`)
        Object.assign(manager, {
          epoch: event.epoch,
          instance: event.instance,
          isOpen: true,
          isReady: false,
          suiteId: null
        })
        return
      case "ManagerLost":
      case "ManagerLeft":
        ofSession(event.epoch)
        if (manager.instance !== undefined) manager.over.add(manager.instance)
        manager.isOpen = false
        return
      case "ManagerReady":
        ofSession(event.epoch)
        manager.isReady = true
        return
      case "ManagerAssigned":
        ofSession(event.epoch)
        if (!manager.isReady) this.report("work comes after ready", `${name} in session ${event.epoch}`)
        // The same one again: it was to give it back, and goes on.
        if (manager.suiteId !== null && manager.suiteId !== event.suiteId)
          this.report("a manager has one suite", `${name}: ${manager.suiteId}, ${event.suiteId}`)
        manager.suiteId = event.suiteId
        return
      case "ManagerReleased":
        ofSession(event.epoch)
        if (manager.suiteId !== event.suiteId)
          this.report("only what one has is given back", `${name}: ${event.suiteId}`)
        manager.suiteId = null
        return
      case "ManagerActivityChanged":
      case "ManagerSuspected":
      case "ManagerReconnected":
      case "ManagerReleaseRequested":
      case "ManagerShutdownRequested":
        return ofSession(event.epoch)
      case "ManagerLied":
        this.report("managers of ours do not lie", `${name}: ${event.example}`)
        return
      case "ManagerRegistered":
      case "ManagerDrainRequested":
      case "ManagerDrainEnded":
        return
    }
  }

  private addPool(event: CoordinatorEvent): void {
    if (event._tag === "SuiteAssigned") {
      const before = this.assignments.get(event.managerId)
      const isAnew = before?.suiteId === event.suiteId && before.epoch === event.epoch
      if (before !== undefined && !isAnew) {
        this.report("the pool gives a manager one suite", `${event.managerId}: ${before.suiteId}, ${event.suiteId}`)
      }
      this.assignments.set(event.managerId, { epoch: event.epoch, suiteId: event.suiteId })
    } else if (event._tag === "AssignmentEnded") {
      const before = this.assignments.get(event.managerId)
      if (before?.suiteId === event.suiteId && before.epoch === event.epoch) this.assignments.delete(event.managerId)
    }
  }
}

const fresh = (): Task => ({
  phase: "queued",
  attempts: 0,
  holder: undefined,
  notBefore: 0,
  lost: new Map(),
  outcomes: new Set(),
  lostLeases: new Set()
})

const nameOf = (holder: Holder | undefined) => (holder === undefined ? "" : `(${holder.manager} in ${holder.epoch})`)

const isHeldBy = ({ holder }: Task, { epoch, manager }: Holder): boolean =>
  holder?.manager === manager && holder.epoch === epoch

/** All that is wrong with a whole log. `isOver`: nothing was under way any more when it was read. */
export const check = (
  log: Iterable<Recorded>,
  { isOver, ...options }: Options & { readonly isOver: boolean }
): ReadonlyArray<Violation> => {
  const invariants = new LogInvariants(options)
  for (const recorded of log) invariants.add(recorded)
  if (isOver) invariants.checkEnd()
  return invariants.violations
}
