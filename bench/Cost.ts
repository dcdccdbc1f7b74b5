/**
 * What a stretch of work costs: processor time of every part of the system with all processes that a part started, ended
 * ones included, and bytes of Postgres's write-ahead log. The kernel counts processor time in steps of 10 ms, so a stretch
 * should take some seconds of it.
 */
import { readFileSync, readdirSync } from "node:fs"
import { Effect } from "effect"
import type { Database } from "./Database.ts"
import { median as middle } from "./Quantile.ts"

/** Seconds and bytes, each for 1,000 tasks. */
export interface Cost {
  readonly cpuSeconds: Readonly<Record<Part, number>>
  readonly walBytes: number
}

/**
 * `launchers`: what workers started to start commands and to clean up. `commands`: the tasks' own processes with the time
 * that the kernel needs to make and reap them. `bench`: the client, which is this process.
 */
const parts = ["coordinator", "manager", "workers", "launchers", "commands", "postgres", "bench"] as const
export type Part = (typeof parts)[number]

export interface Roots {
  readonly coordinator: number
  readonly manager: number
  readonly postgres: number
}

/** Seconds of one process by itself, and of its children that have ended. */
export interface Usage {
  readonly parent: number
  readonly own: number
  readonly ended: number
  readonly isWorker: boolean
}

type Seconds = Record<Part, number>

const ticksPerSecond = 100

/** A manager's children are told apart by the program that they run. */
const workerProgram = "worker/src/main.ts"

/** Fields 4 and 14 to 17 of `/proc/<pid>/stat`; the second one is a name in brackets that may hold anything. */
export const parseStat = (stat: string): Omit<Usage, "isWorker"> => {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  const seconds = (from: number) => (Number(fields[from]) + Number(fields[from + 1])) / ticksPerSecond
  return { parent: Number(fields[1]), own: seconds(11), ended: seconds(13) }
}

const readUsage = (pid: number): Usage | undefined => {
  try {
    const usage = parseStat(readFileSync(`/proc/${pid}/stat`, "utf8"))
    return { ...usage, isWorker: readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(workerProgram) }
  } catch {
    // It ended meanwhile.
    return undefined
  }
}

const processes = (): Map<number, Usage> =>
  new Map(
    readdirSync("/proc").flatMap((entry): Array<[number, Usage]> => {
      const pid = Number(entry)
      const usage = Number.isInteger(pid) ? readUsage(pid) : undefined
      return usage === undefined ? [] : [[pid, usage]]
    })
  )

/** Seconds by part, of processes as they stand now. */
export const byPart = (all: ReadonlyMap<number, Usage>, roots: Roots, bench: number): Seconds => {
  const seconds: Seconds = {
    coordinator: 0,
    manager: 0,
    workers: 0,
    launchers: 0,
    commands: 0,
    postgres: 0,
    bench: all.get(bench)?.own ?? 0
  }
  const children = new Map<number, Array<number>>()
  for (const [pid, { parent }] of all) children.set(parent, [...(children.get(parent) ?? []), pid])
  const visit = (pid: number, add: (usage: Usage) => void): void => {
    const usage = all.get(pid)
    if (usage === undefined) return
    add(usage)
    for (const child of children.get(pid) ?? []) visit(child, add)
  }
  const whole = (part: Part) => (usage: Usage) => {
    seconds[part] += usage.own + usage.ended
  }
  visit(roots.coordinator, whole("coordinator"))
  visit(roots.postgres, whole("postgres"))
  seconds.manager = all.get(roots.manager)?.own ?? 0
  seconds.workers = all.get(roots.manager)?.ended ?? 0
  for (const child of children.get(roots.manager) ?? []) {
    visit(child, ({ ended, isWorker, own }) => {
      seconds[isWorker ? "workers" : "launchers"] += own
      seconds.commands += ended
    })
  }
  return seconds
}

const perThousand = (value: number, tasks: number) => (value * 1_000) / tasks

/** Runs this with its cost; `tasks` is how many it handles. */
export const of =
  (database: Database, roots: Roots, tasks: number) =>
  <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<readonly [A, Cost], E, R> =>
    Effect.gen(function* () {
      const wal = yield* database.walPosition
      const before = byPart(processes(), roots, process.pid)
      const result = yield* work
      const after = byPart(processes(), roots, process.pid)
      const walBytes = (yield* database.walPosition) - wal
      const used = (part: Part) => Math.max(0, perThousand(after[part] - before[part], tasks))
      return [result, { cpuSeconds: eachPart(used), walBytes: perThousand(walBytes, tasks) }] as const
    })

const eachPart = (value: (part: Part) => number): Seconds => ({
  coordinator: value("coordinator"),
  manager: value("manager"),
  workers: value("workers"),
  launchers: value("launchers"),
  commands: value("commands"),
  postgres: value("postgres"),
  bench: value("bench")
})

/** The median of each part over several rounds. */
export const median = (costs: ReadonlyArray<Cost>): Cost => ({
  cpuSeconds: eachPart((part) => Number(middle(costs.map(({ cpuSeconds }) => cpuSeconds[part])).toFixed(5))),
  walBytes: Math.round(middle(costs.map(({ walBytes }) => walBytes)))
})
