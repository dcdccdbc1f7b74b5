/**
 * Many suites at once over a few managers: who is served when, and who does how much.
 */
import { Effect, Option, Stream } from "effect"
import { decide } from "@muster/domain/Coordinator/Decider"
import { evolve } from "@muster/domain/Coordinator/Evolve"
import * as Coordinator from "@muster/domain/Coordinator/State"
import { Epoch, ManagerId } from "@muster/domain/Manager/Id"
import { SuiteId } from "@muster/domain/Suite/Id"
import * as Wait from "../../test/e2e/support/Wait.ts"
import type { Family, Figure } from "../Figure.ts"
import { median } from "../Quantile.ts"
import * as SimulatedSuite from "../SimulatedSuite.ts"
import { workers } from "../Watched.ts"
import type { Watched } from "../Watched.ts"

const giniOfManagers: Figure = {
  name: "fairness-gini",
  unit: "Gini coefficient of the managers' work",
  better: "lower",
  goal: { of: "median", value: 0.2 }
}
const ended: Figure = {
  name: "fairness-ended",
  unit: "of the suites",
  better: "higher",
  portable: true,
  goal: { of: "median", value: 1 }
}
const beyondOrder: Figure = { name: "fairness-wait-beyond-order", unit: "ms", better: "lower" }
const plan: Figure = { name: "fairness-planning", unit: "ms", better: "lower" }

/** Suites have 1 to this many tasks. */
const maxTasks = 40
/** Tasks take up to this many milliseconds. */
const maxRunTime = 200
/** Priorities are 0 to this, less one. */
const priorities = 5

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

/** Suites of all sizes and priorities, with tasks that wait for managers. */
const fill = ({ client }: Watched, suites: number) => {
  const draw = random(1)
  const drawn = Array.from({ length: suites }, (_, place) => ({
    place,
    priority: Math.floor(draw() * priorities),
    runTimes: Array.from({ length: 1 + Math.floor(draw() * maxTasks) }, () => Math.ceil(draw() * maxRunTime))
  }))
  return Effect.forEach(
    drawn,
    Effect.fnUntraced(function* ({ place, priority, runTimes }) {
      const { id } = yield* client.createSuite({ name: `fairness ${place}`, priority })
      yield* client.submit(id, runTimes.map(SimulatedSuite.task))
      return { id, place, priority, runTimes }
    })
  )
}

const sum = (values: ReadonlyArray<number>): number => values.reduce((total, value) => total + value, 0)

/** What takes longer hangs: half a minute is usual. */
const patience = "3 minutes"

/** Runs what waits, on so many managers that come now. */
const serve = Effect.fnUntraced(function* (watched: Watched, suites: number, count: number) {
  const waiting = yield* fill(watched, suites)
  const began = performance.now()
  const managers = yield* Effect.forEach(
    Array.from({ length: count }, (_, place) => place),
    watched.connect,
    { concurrency: "unbounded" }
  )
  const total = sum(waiting.map(({ runTimes }) => runTimes.length))
  const done = Effect.sync(() => sum(managers.map((manager) => manager.done.tasks)))
  const open = Stream.runCount(Stream.filter(watched.client.listSuites(), ({ tasks }) => tasks.pending > 0))
  const limited = Effect.timeoutOption(patience)
  yield* limited(Wait.until("all tasks are done", done, (tasks) => tasks >= total, Number.POSITIVE_INFINITY))
  const elapsed = performance.now() - began
  // The last results are on their way.
  const all = yield* limited(Wait.until("all suites ended", open, (left) => left === 0, 10_000)).pipe(
    Effect.catchDefect(() => Effect.succeed(Option.none()))
  )
  const left = Option.isSome(all) ? 0 : yield* open

  const firstGiven = new Map<SuiteId, number>()
  for (const { at, suiteId } of managers.flatMap(({ given }) => given)) {
    firstGiven.set(suiteId, Math.min(at, firstGiven.get(suiteId) ?? at))
  }
  const served = waiting.flatMap(({ id, place, priority }) => {
    const at = firstGiven.get(id)
    return at === undefined ? [] : [{ place, priority, at }]
  })
  const waits = overtaken(served)
  const work = sum(waiting.flatMap(({ runTimes }) => runTimes))
  return {
    ended: (suites - left) / suites,
    longest: Math.max(...waits),
    overtaken: waits.filter((wait) => wait > 0).length,
    assignments: sum(managers.map(({ given }) => given.length)),
    giniTasks: gini(managers.map((manager) => manager.done.tasks)),
    giniBusy: gini(managers.map((manager) => manager.done.busy)),
    tasks: total,
    seconds: elapsed / 1_000,
    /** Part of the workers' time that went into tasks. */
    utilisation: work / (elapsed * count * workers)
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
 * Milliseconds of one plan: while nothing can be given, when one manager has become free, and when all of them have.
 * Medians.
 */
const planning = (suites: number, managers: number) => {
  const time = (busy: number): number => {
    const state = pool(suites, managers, busy)
    const times = Array.from({ length: 25 }, () => {
      const began = performance.now()
      decide(state, { _tag: "Plan", now: 1_700_000_100_000 })
      return performance.now() - began
    })
    return median(times)
  }
  return { nothingFree: time(managers), oneFree: time(managers - 1), allFree: time(0) }
}

export const fairness: Family = {
  figures: [giniOfManagers, ended, beyondOrder, plan],
  once: true,
  prepare: Effect.fnUntraced(function* (bench) {
    const suites = bench.size({ full: 500, quick: 40, short: 100 })
    const managers = bench.size({ full: 10, quick: 4, short: 5 })
    const planned = bench.size({ full: 1_000, quick: 100, short: 1_000 })
    const watched = yield* bench.watched(1)
    return {
      settings: {
        ...watched.settings,
        suites,
        managers,
        workers,
        tasksPerSuite: `1 to ${maxTasks}`,
        taskMillis: `1 to ${maxRunTime}`,
        priorities,
        planned: `${planned} managers and ${planned * 10} suites`
      },
      round: Effect.gen(function* () {
        const { assignments, giniBusy, giniTasks, longest, seconds, tasks, utilisation, ...found } = yield* serve(
          watched,
          suites,
          managers
        )
        const times = planning(planned * 10, planned)
        return {
          [giniOfManagers.name]: { value: Math.max(giniTasks, giniBusy), detail: { giniTasks, giniBusy } },
          [ended.name]: { value: found.ended, detail: { tasks, seconds, utilisation, assignments } },
          [beyondOrder.name]: { value: longest, detail: { suitesOvertaken: found.overtaken } },
          [plan.name]: { value: Math.max(...Object.values(times)), detail: times }
        }
      })
    }
  })
}
