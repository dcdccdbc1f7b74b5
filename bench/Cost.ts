/**
 * What a stretch of work, or of rest, costs: processor time of every part of the system with all processes that a part
 * started, ended ones included, and bytes of Postgres's write-ahead log. The kernel counts processor time in steps of 10 ms,
 * so a stretch should take some seconds of it.
 */
import { Effect } from "effect"
import type { Database } from "./Database.ts"
import * as Processes from "./Processes.ts"
import * as Programs from "./Programs.ts"
import { median as middle } from "./Quantile.ts"

/**
 * `launchers`: what workers started to start commands and to clean up. `commands`: the tasks' own processes with the time
 * that the kernel needs to make and reap them. `bench`: the client, which is this process.
 */
const parts = ["coordinator", "manager", "workers", "launchers", "commands", "postgres", "bench"] as const
export type Part = (typeof parts)[number]

type Seconds = Record<Part, number>

export interface Cost {
  readonly cpuSeconds: Readonly<Seconds>
  readonly walBytes: number
}

export interface Spent extends Cost {
  /** How long the stretch was. */
  readonly seconds: number
}

/** The processes that everything else of a Muster descends from. */
export interface Roots {
  readonly coordinators: ReadonlyArray<number>
  readonly managers: ReadonlyArray<number>
  readonly postgres: number
}

/** Seconds by part, of processes as they stand in the table. */
export const byPart = (all: Processes.Table, roots: Roots, bench: number): Seconds => {
  const seconds = eachPart(() => 0)
  seconds.bench = all.get(bench)?.own ?? 0
  const children = new Map<number, Array<number>>()
  for (const [pid, { parent }] of all) children.set(parent, [...(children.get(parent) ?? []), pid])
  const visit = (pid: number, add: (usage: Processes.Usage) => void): void => {
    const usage = all.get(pid)
    if (usage === undefined) return
    add(usage)
    for (const child of children.get(pid) ?? []) visit(child, add)
  }
  const whole = (part: Part) => (usage: Processes.Usage) => {
    seconds[part] += usage.own + usage.ended
  }
  for (const coordinator of roots.coordinators) visit(coordinator, whole("coordinator"))
  visit(roots.postgres, whole("postgres"))
  for (const manager of roots.managers) {
    seconds.manager += all.get(manager)?.own ?? 0
    seconds.workers += all.get(manager)?.ended ?? 0
    for (const child of children.get(manager) ?? []) {
      visit(child, ({ command, ended, own }) => {
        // A manager's children are told apart by the program that they run.
        seconds[command.includes(Programs.worker) ? "workers" : "launchers"] += own
        seconds.commands += ended
      })
    }
  }
  return seconds
}

const eachPart = (value: (part: Part) => number): Seconds => ({
  coordinator: value("coordinator"),
  manager: value("manager"),
  workers: value("workers"),
  launchers: value("launchers"),
  commands: value("commands"),
  postgres: value("postgres"),
  bench: value("bench")
})

/** Runs this with what is spent meanwhile. */
export const during =
  (database: Database, roots: Roots) =>
  <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<readonly [A, Spent], E, R> =>
    Effect.gen(function* () {
      const wal = yield* database.walPosition
      const before = byPart(Processes.table(), roots, process.pid)
      const began = performance.now()
      const result = yield* work
      const seconds = (performance.now() - began) / 1_000
      const after = byPart(Processes.table(), roots, process.pid)
      const walBytes = (yield* database.walPosition) - wal
      const cpuSeconds = eachPart((part) => Math.max(0, after[part] - before[part]))
      return [result, { seconds, cpuSeconds, walBytes }] as const
    })

/** For 1,000 of so many tasks. */
export const perThousand = ({ cpuSeconds, walBytes }: Cost, tasks: number): Cost => ({
  cpuSeconds: eachPart((part) => (cpuSeconds[part] * 1_000) / tasks),
  walBytes: (walBytes * 1_000) / tasks
})

/** The median of each part over several rounds. */
export const median = (costs: ReadonlyArray<Cost>): Cost => ({
  cpuSeconds: eachPart((part) => Number(middle(costs.map(({ cpuSeconds }) => cpuSeconds[part])).toFixed(5))),
  walBytes: Math.round(middle(costs.map(({ walBytes }) => walBytes)))
})
