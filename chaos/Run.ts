/**
 * One run: a system, a load, faults, and checks on the way and at the end.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Effect, Fiber, Semaphore } from "effect"
import type { Scope } from "effect"
import * as Counters from "./Counters.ts"
import * as Database from "./Database.ts"
import * as Fault from "./Fault.ts"
import * as Fleet from "./Fleet.ts"
import * as Inject from "./Inject.ts"
import * as Ledger from "./Ledger.ts"
import * as Leftovers from "./Leftovers.ts"
import * as Load from "./Load.ts"
import * as Log from "./Log.ts"
import * as Machine from "./Machine.ts"
import * as Notes from "./Notes.ts"
import * as Recovery from "./Recovery.ts"
import * as Schedule from "./Schedule.ts"
import type { SmallDisk } from "./SmallDisk.ts"
import * as Strays from "./Strays.ts"
import type { Timeline } from "./Timeline.ts"

export interface Options {
  readonly seed: number
  readonly minutes: number
  readonly home: string
  readonly shape: Schedule.Shape
  readonly disk: SmallDisk | undefined
  readonly timeline: Timeline
}

/** The line of figures at the end. */
export interface Report {
  readonly seed: number
  readonly minutes: number
  readonly faults: Readonly<Record<string, number>>
  readonly suites: number
  readonly tasks: Readonly<Record<string, number>>
  readonly outcomes: Readonly<Record<string, number>>
  readonly events: number
  readonly violations: number
  readonly recovery: Readonly<Record<string, Recovery.Times>>
}

const followEvery = 200
const lookEvery = 1_000
const rebuildEvery = 20_000
/** After the last fault everything that was accepted has to end within this time. Milliseconds. */
const settleLimit = 90_000
/** How often is told what is waited for then. */
const tellEvery = 5_000
/** What a query may take while nobody disturbs it. */
const queryPatience = 30_000
/** Workers that have nothing to do any more end what was left behind within this time. */
const idleLimit = 20_000

const count = <A>(items: Iterable<A>, by: (item: A) => string): Record<string, number> => {
  const found: Record<string, number> = {}
  for (const item of items) {
    const name = by(item)
    found[name] = (found[name] ?? 0) + 1
  }
  return found
}

const managerId = ({ directory }: Fleet.Manager): string | undefined => {
  try {
    return readFileSync(join(directory, "manager-id"), "utf8").trim()
  } catch {
    return undefined
  }
}

/** Repeats something as long as the scope lives. It fails while its database is under fault, which is no matter. */
const repeatedly = <A, E, R>(every: number, look: Effect.Effect<A, E, R>) =>
  Effect.forkScoped(Effect.forever(Effect.andThen(Effect.ignore(look), Effect.sleep(every))))

const explain = (task: Log.Task, suite: Log.Suite): string => {
  if (suite.paused) return "its suite is paused"
  if (task.phase === "held") {
    return `held by ${task.holder?.manager} in session ${task.holder?.epoch}${task.isRunning ? ", running" : ""}`
  }
  if (task.retryAt !== undefined) return `waits until ${new Date(task.retryAt).toISOString()}`
  return `queued after ${task.ended} attempts`
}

export const run = Effect.fnUntraced(function* (options: Options): Effect.fn.Return<Report, unknown, Scope.Scope> {
  const { disk, home, minutes, seed, shape, timeline } = options
  const faults = Schedule.make(seed, minutes, shape)
  for (const fault of faults) timeline.say(`plan     at ${(fault.at / 1_000).toFixed(1)} s: ${Fault.describe(fault)}`)

  const directories = new Map(
    disk === undefined || shape.smallDisk === undefined ? [] : [[shape.smallDisk, disk.directory]]
  )
  const fleet = yield* Fleet.make({ home, shape, seed, timeline, directories })
  const ledger = Ledger.make()
  const log = Log.make()
  const recovery = Recovery.make()
  const injector = Inject.make(fleet, disk, timeline)
  const strays = Strays.make()
  const outcomes: Record<string, number> = {}
  log.onCommitted((committed) => {
    recovery.committed(committed)
    outcomes[committed.outcome] = (outcomes[committed.outcome] ?? 0) + 1
  })

  let isEnding = false
  let isOver = false

  yield* Fleet.ready(fleet)
  return yield* Effect.gen(function* () {
    const follow = Effect.map(Database.follow(log), (found) => found.forEach(timeline.violation))
    // One reader at a time: the cursor is in it.
    const lock = yield* Semaphore.make(1)
    const followed = lock.withPermits(1)(follow)
    const rebuilt = Effect.map(Database.rebuildDifferences, (found) => found.forEach(timeline.violation))
    const notes = Effect.sync(() => {
      const rules = {
        stops: (id: string) => ledger.suites.get(id)?.stops === true,
        impairments: injector.impairments()
      }
      for (const found of Notes.violations(readNotes(fleet.notes), rules)) timeline.violation(found)
    })
    const processes = Effect.sync(() => {
      const impairments = injector.impairments()
      const found = strays.look(
        Machine.uptime(),
        taskProcesses(fleet),
        (process) => {
          const manager = fleet.managers[process.manager - 1]
          return Strays.hasLease(process, manager === undefined ? undefined : managerId(manager), log)
        },
        (number) => Math.max(0, ...impairments.filter(({ manager }) => manager === number).map(({ to }) => to))
      )
      for (const each of found) timeline.violation(each)
    })

    yield* repeatedly(followEvery, followed)
    yield* repeatedly(lookEvery, Effect.andThen(processes, notes))
    yield* repeatedly(rebuildEvery, rebuilt)

    const load = yield* Load.run({
      fleet,
      seed,
      ledger,
      timeline,
      isEnding: () => isEnding,
      isOver: () => isOver
    }).pipe(Effect.forkScoped)

    timeline.say("load and faults begin")
    const began = performance.now()
    const injected: Array<Fault.Fault> = []
    yield* Effect.forEach(
      faults,
      (fault) =>
        Effect.gen(function* () {
          yield* Effect.sleep(Math.max(0, fault.at - (performance.now() - began)))
          const concern = yield* concernOf(fault, fleet, log)
          if (concern.size > 0) recovery.began(Fault.group(fault), Date.now(), concern)
          if (yield* injector.inject(fault)) injected.push(fault)
        }),
      { concurrency: "unbounded", discard: true }
    )
    yield* Effect.sleep(Math.max(0, minutes * 60_000 - (performance.now() - began)))
    timeline.say("faults are over; what was accepted has to end now")
    isEnding = true

    const deadline = performance.now() + settleLimit
    const isSettled = () =>
      [...ledger.suites.keys()].every((id) => {
        const suite = log.suites.get(id)
        return suite !== undefined && Log.pending(suite).length === 0
      })
    const settled = Effect.gen(function* () {
      yield* Fiber.await(load)
      while (!isSettled()) yield* Effect.sleep(followEvery)
    })
    const tellWhatWaits = Effect.sync(() => {
      for (const suite of log.suites.values()) {
        const left = Log.pending(suite)
        const [first] = left
        if (first === undefined) continue
        const [index, task] = first
        timeline.say(
          `         ${suite.id} (${suite.name}) has ${left.length} to go; ${index} is ${explain(task, suite)}`
        )
      }
    })
    yield* Effect.raceAllFirst([
      settled,
      Effect.forever(Effect.andThen(Effect.sleep(tellEvery), tellWhatWaits)),
      Effect.sleep(settleLimit)
    ])
    timeline.say(
      `${isSettled() ? "all has ended" : "NOT all has ended"} after ` +
        `${((performance.now() - deadline + settleLimit) / 1_000).toFixed(1)} s`
    )
    isOver = true

    yield* lastChecks({ fleet, followed, ledger, log, notes, rebuilt, timeline })
    const report: Report = {
      seed,
      minutes,
      faults: count(injected, Fault.group),
      suites: log.suites.size,
      tasks: count(
        [...log.suites.values()].flatMap((suite) => suite.tasks),
        ({ phase }) => phase
      ),
      outcomes,
      events: log.events(),
      violations: timeline.violations().length,
      recovery: recovery.summary()
    }
    return report
  }).pipe(Effect.provide(Database.layer(fleet.system.postgres.url)))
})

const readNotes = (directory: string): ReadonlyArray<string> => {
  try {
    return readFileSync(join(directory, "notes"), "utf8").split("\n").slice(0, -1)
  } catch {
    return []
  }
}

const taskProcesses = (fleet: Fleet.Fleet) =>
  Machine.marked(fleet.mark).flatMap((found) => Strays.fromFound(found) ?? [])

/** Tasks that somebody has a lease for now. */
const heldTasks = (log: Log.Log, isMeant: (suiteId: string, holder: Log.Holder) => boolean): ReadonlySet<string> =>
  new Set(
    [...log.suites.values()].flatMap(({ id, tasks }) =>
      [...tasks.entries()].flatMap(([index, { holder }]) =>
        holder !== undefined && isMeant(id, holder) ? [`${id}.${index}`] : []
      )
    )
  )

/** Tasks that run in a worker, as far as they are processes. */
const tasksOfWorker = (fleet: Fleet.Fleet, manager: number, slot: number): ReadonlySet<string> => {
  const managerPid = fleet.managers[manager - 1]?.current()?.pid
  const worker = managerPid === undefined ? undefined : Machine.workersOf(managerPid).get(slot)
  return new Set(
    Machine.marked(fleet.mark).flatMap(({ environment }) => {
      const taskId = environment.get("MUSTER_TASK_ID")
      const isIts = environment.get("MUSTER_WORKER")?.endsWith(`.${slot}.${worker}`) === true
      return taskId !== undefined && isIts ? [taskId] : []
    })
  )
}

/** Shards that live on a coordinator; nothing when the database does not say so in time. */
const shardsOf = (fleet: Fleet.Fleet, coordinator: number) =>
  Database.shardsByPort.pipe(
    Effect.timeout("1 second"),
    Effect.map((shards) => {
      const ports = fleet.databaseLinks[coordinator - 1]?.farPorts() ?? new Set<number>()
      return new Set([...shards].flatMap(([port, held]) => (ports.has(port) ? [...held] : [])))
    }),
    Effect.orElseSucceed(() => new Set<number>())
  )

/** The work that a fault's victim is concerned with; see `Recovery`. */
const concernOf = ({ target }: Fault.Fault, fleet: Fleet.Fleet, log: Log.Log) =>
  Effect.gen(function* () {
    switch (target._tag) {
      case "Postgres":
        return heldTasks(log, () => true)
      case "Coordinator":
      case "DatabaseLink": {
        const shards = yield* shardsOf(fleet, target.coordinator)
        return heldTasks(log, (suiteId) => shards.has(Database.shardOf(suiteId)))
      }
      case "Worker":
        return tasksOfWorker(fleet, target.manager, target.slot)
      case "Manager":
      case "Machine":
      case "ManagerLink": {
        const manager = fleet.managers[target.manager - 1]
        const id = manager === undefined ? undefined : managerId(manager)
        return heldTasks(log, (_, holder) => holder.manager === id)
      }
    }
  })

const lastChecks = Effect.fnUntraced(function* <E1, R1, E2, R2>({
  fleet,
  followed,
  ledger,
  log,
  notes,
  rebuilt,
  timeline
}: {
  readonly fleet: Fleet.Fleet
  readonly followed: Effect.Effect<void, E1, R1>
  readonly ledger: Ledger.Ledger
  readonly log: Log.Log
  readonly notes: Effect.Effect<void>
  readonly rebuilt: Effect.Effect<void, E2, R2>
  readonly timeline: Timeline
}) {
  /** A check that cannot be made is no good news. */
  const must = <A, E, R>(what: string, check: Effect.Effect<A, E, R>) =>
    check.pipe(
      Effect.timeout(queryPatience),
      Effect.catch((error) =>
        Effect.sync(() => timeline.violation(`checks: ${what} could not be done: ${String(error)}`))
      )
    )

  yield* must("reading the log", followed)
  for (const found of Ledger.violations(ledger, log)) timeline.violation(found)
  for (const suite of log.suites.values()) {
    for (const [index, task] of Log.pending(suite)) {
      timeline.violation(`stuck: task ${suite.id}.${index} (${suite.name}) has not ended: ${explain(task, suite)}`)
    }
  }
  const client = yield* fleet.system.client(fleet.coordinators.map(({ url }) => url))
  yield* must(
    "comparing counters",
    Effect.forEach([...log.suites.values()], (suite) =>
      Effect.map(Counters.compare(client, suite), (found) => found.forEach(timeline.violation))
    )
  )
  yield* must("the rebuild", rebuilt)
  yield* notes

  const idle = performance.now() + idleLimit
  while (taskProcesses(fleet).length > 0 && performance.now() < idle) yield* Effect.sleep(lookEvery)
  for (const { attempt, command, manager, pid, taskId } of taskProcesses(fleet)) {
    timeline.violation(
      `processes: ${pid} (${command}) of task ${taskId} attempt ${attempt} at manager ${manager} is alive after the end of all work`
    )
  }
  yield* Fleet.stop(fleet)
  for (const { command, pid } of Machine.marked(fleet.mark)) {
    timeline.violation(`processes: ${pid} (${command}) is alive after all was stopped`)
  }
  for (const { directory, name } of fleet.managers) {
    for (const path of Leftovers.ofManager(directory)) timeline.violation(`files: ${name} left ${path} behind`)
  }
  for (const path of Leftovers.ofTemporary(join(fleet.home, "tmp"))) timeline.violation(`files: ${path} is left behind`)
})
