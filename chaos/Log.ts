/**
 * What the event log says, followed from its first event, and what may never stand in it. On purpose not the engine's own
 * fold: a mistake in that one would hide itself. It is small because it knows only who holds a task and what its attempts
 * came to.
 */
import type { Recorded } from "@muster/domain/Recorded"
import type { SuiteEvent } from "@muster/domain/Suite/Events"
import type { Outcome } from "@muster/domain/Task/Attempt"

export type Phase = "queued" | "held" | "succeeded" | "failed" | "cancelled"

export interface Holder {
  readonly manager: string
  readonly epoch: number
}

export interface Task {
  phase: Phase
  /** Who has it, while it is held. */
  holder: Holder | undefined
  /** It has been said that it began. */
  isRunning: boolean
  /** Attempts that have ended. */
  ended: number
  /** Outcome of the attempt that ended last, and who had it. */
  last: { readonly outcome: Outcome; readonly manager: string } | undefined
  /** Lost managers from whom a lease for the next attempt was taken back. */
  readonly lostLeases: Set<string>
  isCancelRequested: boolean
  /** Not before this time. */
  retryAt: number | undefined
}

export interface Suite {
  readonly id: string
  readonly name: string
  readonly tasks: Array<Task>
  state: "open" | "closed" | "complete" | "cancelled"
  paused: boolean
  version: number
  /** The last session of each manager that is known to be over. */
  readonly fences: Map<string, number>
}

/** The end of an attempt, as it was committed. */
export interface Committed {
  readonly suiteId: string
  readonly index: number
  readonly attempt: number
  readonly outcome: Outcome
  readonly isSettled: boolean
  /** By the database's clock. */
  readonly at: number
}

export interface Log {
  readonly suites: ReadonlyMap<string, Suite>
  readonly events: () => number
  /** Takes the next event of the log; answers with what is wrong with it. */
  readonly take: (event: Recorded) => ReadonlyArray<string>
  readonly onCommitted: (listener: (committed: Committed) => void) => void
}

const isSettled = (phase: Phase) => phase === "succeeded" || phase === "failed" || phase === "cancelled"

const newTask = (): Task => ({
  phase: "queued",
  holder: undefined,
  isRunning: false,
  ended: 0,
  last: undefined,
  lostLeases: new Set(),
  isCancelRequested: false,
  retryAt: undefined
})

const isHeldBy = ({ holder, phase }: Task, { epoch, manager }: Holder): boolean =>
  phase === "held" && holder?.manager === manager && holder.epoch <= epoch

const describeTask = ({ ended, holder, phase }: Task): string =>
  holder === undefined
    ? `${phase} after ${ended} attempts`
    : `${phase} by ${holder.manager} in session ${holder.epoch}, attempt ${ended + 1}`

const release = (task: Task, phase: Phase): void => {
  task.phase = phase
  task.holder = undefined
  task.isRunning = false
  task.isCancelRequested = false
}

const indexes = (ranges: ReadonlyArray<readonly [number, number]>): ReadonlyArray<number> =>
  ranges.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, place) => first + place))

export const make = (): Log => {
  const suites = new Map<string, Suite>()
  const versions = new Map<string, number>()
  const listeners: Array<(committed: Committed) => void> = []
  let events = 0

  const takeSuiteEvent = (suite: Suite, event: SuiteEvent, recordedAt: number, wrong: (what: string) => void): void => {
    const withTask = (index: number, use: (task: Task, wrongTask: (what: string) => void) => void) => {
      const task = suite.tasks[index]
      if (task === undefined) wrong(`speaks of task ${index}, which was never submitted`)
      else use(task, (what) => wrong(`${what}: task ${suite.id}.${index} is ${describeTask(task)}`))
    }
    switch (event._tag) {
      case "SuiteCreated":
        return wrong("creates a suite that exists")
      case "TasksSubmitted":
        if (event.firstIndex !== suite.tasks.length) {
          wrong(`submits from index ${event.firstIndex} on, where the suite has ${suite.tasks.length} tasks`)
        }
        for (const _ of event.tasks) suite.tasks.push(newTask())
        return
      case "TasksLeased":
        if (event.epoch <= (suite.fences.get(event.manager) ?? -1)) {
          wrong(`leases to session ${event.epoch} of ${event.manager}, which is over`)
        }
        for (const [first, last, attempt] of event.leases) {
          for (const index of indexes([[first, last]])) {
            withTask(index, (task, wrongTask) => {
              if (task.phase !== "queued") wrongTask(`leases overlap: it is given to ${event.manager}`)
              if (attempt !== task.ended + 1) wrongTask(`leased as attempt ${attempt}`)
              task.phase = "held"
              task.holder = { manager: event.manager, epoch: event.epoch }
              task.isRunning = false
              task.retryAt = undefined
            })
          }
        }
        return
      case "TasksStarted":
        for (const [index, attempt] of event.tasks) {
          withTask(index, (task, wrongTask) => {
            if (!isHeldBy(task, event) || attempt !== task.ended + 1) {
              wrongTask(`attempt ${attempt} began at ${event.manager}, which does not hold it`)
            }
            task.isRunning = true
          })
        }
        return
      case "AttemptsEnded":
        for (const { attempt, index, next, outcome, retryAt } of event.attempts) {
          withTask(index, (task, wrongTask) => {
            const isHeld = isHeldBy(task, event) && attempt === task.ended + 1
            // What a lost manager had counts as long as nobody else has the task.
            const replacesLoss =
              task.phase === "queued" &&
              attempt === task.ended &&
              outcome !== "lost" &&
              task.last?.outcome === "lost" &&
              task.last.manager === event.manager
            const comesLate =
              task.phase === "queued" && attempt === task.ended + 1 && task.lostLeases.has(event.manager)
            if (attempt <= task.ended && !replacesLoss) {
              wrongTask(`a second outcome (${outcome}) of attempt ${attempt} is committed`)
            } else if (isSettled(task.phase)) {
              wrongTask(`settled twice: ${outcome} of attempt ${attempt}`)
            } else if (!isHeld && !replacesLoss && !comesLate) {
              wrongTask(`an outcome (${outcome}) of attempt ${attempt} from ${event.manager}, which does not hold it`)
            }
            task.ended = Math.max(task.ended, attempt)
            task.last = { outcome, manager: event.manager }
            task.lostLeases.clear()
            task.retryAt = retryAt
            release(task, next === "retry" ? "queued" : next)
            const committed = {
              suiteId: suite.id,
              index,
              attempt,
              outcome,
              isSettled: next !== "retry",
              at: recordedAt
            }
            for (const listener of listeners) listener(committed)
          })
        }
        return
      case "LeasesReturned":
        for (const index of indexes(event.ranges)) {
          withTask(index, (task, wrongTask) => {
            if (!isHeldBy(task, event)) wrongTask(`${event.manager} gives back what it does not hold`)
            if (task.isRunning) wrongTask("given back as not begun, though it has")
            const isCancelRequested = task.isCancelRequested
            release(task, "queued")
            task.isCancelRequested = isCancelRequested
            if (event.reason === "manager_lost") task.lostLeases.add(event.manager)
          })
        }
        if (event.reason === "manager_lost") {
          suite.fences.set(event.manager, Math.max(event.epoch, suite.fences.get(event.manager) ?? -1))
        }
        return
      case "LateResultsRecorded":
        return
      case "TasksCancelled":
        for (const index of indexes(event.ranges)) {
          withTask(index, (task, wrongTask) => {
            if (task.phase !== "queued") wrongTask("cancelled, though it is not queued")
            release(task, "cancelled")
            const committed = {
              suiteId: suite.id,
              index,
              attempt: 0,
              outcome: "cancelled",
              isSettled: true,
              at: recordedAt
            } as const
            for (const listener of listeners) listener(committed)
          })
        }
        return
      case "TaskCancellationRequested":
        for (const index of indexes(event.ranges)) {
          withTask(index, (task, wrongTask) => {
            if (task.phase !== "held") wrongTask("its end is asked for, though nobody has it")
            task.isCancelRequested = true
          })
        }
        return
      case "TasksRequeued":
        for (const index of indexes(event.ranges)) {
          withTask(index, (task, wrongTask) => {
            if (task.phase !== "failed" && task.phase !== "cancelled")
              wrongTask("queued again, though it is not settled")
            release(task, "queued")
            task.last = undefined
          })
        }
        return
      case "SuitePaused":
        suite.paused = true
        return
      case "SuiteResumed":
        suite.paused = false
        return
      case "SuiteClosed":
        suite.state = "closed"
        return
      case "SuiteCompleted":
        if (suite.tasks.some(({ phase }) => !isSettled(phase))) wrong("is complete with tasks that are not settled")
        suite.state = "complete"
        return
      case "SuiteReopened":
        suite.state = "open"
        return
      case "SuiteCancelled":
        suite.state = "cancelled"
        return
      case "SuiteStopped":
        if (suite.tasks.some(({ phase }) => !isSettled(phase))) wrong("has stopped with tasks that are not settled")
        return
    }
  }

  return {
    suites,
    events: () => events,
    onCommitted: (listener) => void listeners.push(listener),
    take: (recorded) => {
      const found: Array<string> = []
      const { data, position, recordedAt, stream, type, version } = recorded
      const wrong = (what: string) => {
        found.push(`log: ${stream} version ${version} (${type}, position ${position}) ${what}`)
      }
      events += 1
      const before = versions.get(stream) ?? 0
      if (version !== before + 1) wrong(`follows version ${before}`)
      versions.set(stream, version)
      if (!stream.startsWith("suite-")) return found
      const event = { ...(data as object), _tag: type } as SuiteEvent // what the store reads has been decoded by the engine
      const id = stream.slice("suite-".length)
      const suite = suites.get(id)
      if (suite !== undefined) {
        suite.version = version
        takeSuiteEvent(suite, event, recordedAt, wrong)
      } else if (event._tag === "SuiteCreated") {
        const { name = "" } = event.spec
        suites.set(id, { id, name, tasks: [], state: "open", paused: false, version, fences: new Map() })
      } else {
        wrong("comes before its suite was created")
      }
      return found
    }
  }
}

/** Tasks of a suite by what users see. */
export const counts = (suite: Suite): Readonly<Record<string, number>> => {
  const found = { total: suite.tasks.length, queued: 0, assigned: 0, running: 0, succeeded: 0, failed: 0, cancelled: 0 }
  for (const { isRunning, phase } of suite.tasks) {
    if (phase === "held") found[isRunning ? "running" : "assigned"] += 1
    else found[phase] += 1
  }
  return { ...found, pending: found.queued + found.assigned + found.running }
}

/** Tasks that are not settled. */
export const pending = (suite: Suite): ReadonlyArray<readonly [index: number, task: Task]> =>
  [...suite.tasks.entries()].filter(([, { phase }]) => !isSettled(phase))
