/**
 * Many suites at once over a few managers: who is served when, and who does how much.
 */
import { Effect } from "effect"
import { decide } from "@muster/domain/Coordinator/Decider"
import { evolve } from "@muster/domain/Coordinator/Evolve"
import * as Coordinator from "@muster/domain/Coordinator/State"
import { Epoch, ManagerId } from "@muster/domain/Manager/Id"
import { SuiteId } from "@muster/domain/Suite/Id"
import * as Wait from "../../test/e2e/support/Wait.ts"
import { median } from "../Quantile.ts"
import * as SimulatedManager from "../SimulatedManager.ts"
import * as SimulatedSuite from "../SimulatedSuite.ts"
import * as Spent from "../Spent.ts"
import * as Watched from "../Watched.ts"

export interface Settings {
  readonly suites: number
  readonly managers: number
  readonly workers: number
  /** Suites have 1 to this many tasks. */
  readonly maxTasks: number
  /** Tasks take up to this many milliseconds. */
  readonly maxRunTime: number
  /** Priorities are 0 to this, less one. */
  readonly priorities: number
}

export const defaults: Settings = {
  suites: 500,
  managers: 10,
  workers: 4,
  maxTasks: 40,
  maxRunTime: 200,
  priorities: 5
}

/** 0: all the same. Towards 1: one has it all. */
export const gini = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const sum = sorted.reduce((total, value) => total + value, 0)
  const weighted = sorted.reduce((total, value, index) => total + (index + 1) * value, 0)
  return sum === 0 ? 0 : (2 * weighted) / (sorted.length * sum) - (sorted.length + 1) / sorted.length
}

/** The same numbers in every run. */
const random = (seed: number) => {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

interface Served {
  readonly priority: number
  /** Place in the order of creation. */
  readonly place: number
  /** When a manager was first given it. Milliseconds since 1970. */
  readonly at: number
}

/**
 * How long each suite waited while a worse one was served before it: milliseconds from when the first worse one was given
 * to a manager until it was itself. What order alone explains is not in it.
 */
export const overtaken = (served: ReadonlyArray<Served>): ReadonlyArray<number> => {
  const best = served.toSorted((a, b) => b.priority - a.priority || a.place - b.place)
  const waits: Array<number> = []
  let firstWorse = Number.POSITIVE_INFINITY
  for (const { at } of best.toReversed()) {
    waits.push(Math.max(0, at - firstWorse))
    firstWorse = Math.min(firstWorse, at)
  }
  return waits
}

export const measure = Effect.fnUntraced(function* (settings: Settings) {
  const { managers: count, maxRunTime, maxTasks, priorities, suites, workers } = settings
  const { sql, system } = yield* Watched.make
  const coordinator = yield* system.coordinator({ env: Watched.inLife })
  const client = yield* system.client(coordinator.url)
  const draw = random(1)
  const waiting = yield* Effect.forEach(
    Array.from({ length: suites }, (_, place) => ({
      place,
      priority: Math.floor(draw() * priorities),
      runTimes: Array.from({ length: 1 + Math.floor(draw() * maxTasks) }, () => Math.ceil(draw() * maxRunTime))
    })),
    ({ place, priority, runTimes }) =>
      Effect.gen(function* () {
        const { id } = yield* client.createSuite({ name: `fairness ${place}`, priority })
        yield* client.submit(id, runTimes.map(SimulatedSuite.task))
        return { id, place, priority, runTimes }
      })
  )
  const total = waiting.reduce((sum, { runTimes }) => sum + runTimes.length, 0)
  const work = waiting.reduce((sum, { runTimes }) => sum + runTimes.reduce((part, time) => part + time, 0), 0)

  const began = performance.now()
  const [managers, spent] = yield* Spent.during(
    { sql, postgres: system.postgres.pid(), processes: [coordinator.pid, process.pid] },
    Effect.gen(function* () {
      const connected = yield* Effect.forEach(
        Array.from({ length: count }, (_, index) => index),
        (index) =>
          SimulatedManager.connect({
            url: coordinator.url,
            token: system.enrolmentToken,
            name: `simulated-${index}`,
            workers
          }),
        { concurrency: "unbounded" }
      )
      const done = Effect.sync(() => connected.reduce((sum, manager) => sum + manager.done.tasks, 0))
      yield* Wait.until("all tasks are done", done, (tasks) => tasks >= total, 300_000)
      return connected
    })
  )
  const elapsed = performance.now() - began
  // The last results are on their way.
  yield* Wait.until(
    "all suites are complete",
    sql.unsafe<{ open: number }>(
      "select count(*)::int as open from muster.suites where queued + assigned + running > 0"
    ),
    ([row]) => row?.open === 0
  )
  const firstGiven = new Map<SuiteId, number>()
  for (const { at, suiteId } of managers.flatMap(({ given }) => given)) {
    firstGiven.set(suiteId, Math.min(at, firstGiven.get(suiteId) ?? at))
  }
  const waits = overtaken(
    waiting.map(({ id, place, priority }) => ({ place, priority, at: firstGiven.get(id) ?? Number.NaN }))
  )
  return {
    settings,
    tasks: total,
    seconds: elapsed / 1_000,
    /** Part of the workers' time that went into tasks. */
    utilisation: work / (elapsed * count * workers),
    /** Suites that a worse one was served before, and for how long at most (milliseconds). */
    overtaken: waits.filter((wait) => wait > 0).length,
    longestOvertaken: Math.max(...waits),
    assignments: managers.reduce((sum, { given }) => sum + given.length, 0),
    giniTasks: gini(managers.map(({ done }) => done.tasks)),
    giniBusy: gini(managers.map(({ done }) => done.busy)),
    coordinatorCpu: spent.cpu[0],
    postgresCpu: spent.postgresCpu,
    spent
  }
})

/** A pool as it is when `busy` of the managers have a suite and the others are free. */
const pool = (suites: number, managers: number, busy: number): Coordinator.State => {
  const state = Coordinator.initial()
  const now = 1_700_000_000_000
  const suiteId = (place: number) => SuiteId.make(`s${String(place).padStart(15, "0")}`)
  for (let place = 0; place < suites; place++) {
    const priority = place % 5
    evolve(state, {
      _tag: "SuiteQueued",
      suiteId: suiteId(place),
      tags: [],
      priority,
      createdAt: now + place,
      queued: 40,
      pending: 40,
      at: now
    })
  }
  for (let place = 0; place < managers; place++) {
    const managerId = ManagerId.make(`m${String(place).padStart(15, "0")}`)
    const epoch = Epoch.make(1)
    evolve(state, { _tag: "ManagerAvailable", managerId, epoch, tags: [], workers: 4, at: now })
    if (place < busy) {
      const mine = suiteId(place % suites)
      evolve(state, { _tag: "SuiteAssigned", managerId, epoch, suiteId: mine, slots: 4, refused: [], at: now })
    }
  }
  return state
}

/**
 * Milliseconds of one plan: while nothing can be given, when one manager has become free, and when all of them have. The
 * median of `rounds`.
 */
export const planning = (suites: number, managers: number, rounds = 50) => {
  const time = (busy: number): number => {
    const state = pool(suites, managers, busy)
    const times = Array.from({ length: rounds }, () => {
      const began = performance.now()
      decide(state, { _tag: "Plan", now: 1_700_000_100_000 })
      return performance.now() - began
    })
    return median(times)
  }
  return { suites, managers, nothingFree: time(managers), oneFree: time(managers - 1), allFree: time(0) }
}
