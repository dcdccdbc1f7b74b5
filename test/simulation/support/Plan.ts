/**
 * What happens in a run, drawn from its seed: who is there, what users ask, which faults come when. Times are milliseconds
 * from the beginning.
 */
import type { SuiteSpec } from "@muster/domain/Suite/Spec"
import type { TaskSpec } from "@muster/domain/Task/Spec"
import type { StoreFaults } from "./Database.ts"
import * as Seeded from "./Seeded.ts"

/** What becomes of a manager's journal when its process dies. */
export type JournalFate = "kept" | "torn" | "lost"

export type Fault =
  | { readonly _tag: "KillCoordinator"; readonly name: string }
  | { readonly _tag: "StopCoordinator"; readonly name: string }
  | { readonly _tag: "KillManager"; readonly name: string; readonly journal: JournalFate }
  | { readonly _tag: "StopManager"; readonly name: string }
  | { readonly _tag: "Freeze"; readonly name: string }
  | { readonly _tag: "Cut"; readonly one: string; readonly other: string }
  | { readonly _tag: "Slow"; readonly one: string; readonly other: string; readonly slowness: number }
  | { readonly _tag: "Reset"; readonly one: string; readonly other: string }
  | { readonly _tag: "DatabaseDown"; readonly dropsSessions: boolean }
  | { readonly _tag: "StoreFaults"; readonly faults: StoreFaults }
  | { readonly _tag: "DiskFull"; readonly name: string }
  | { readonly _tag: "ClockJump"; readonly name: string; readonly by: number }

export interface Timed<A> {
  readonly at: number
  /** How long it lasts; what is killed or stopped is started again after it. */
  readonly lasts: number
  readonly what: A
}

export type Request =
  | { readonly _tag: "Submit"; readonly suite: number; readonly tasks: ReadonlyArray<TaskSpec> }
  | { readonly _tag: "Pause"; readonly suite: number; readonly lasts: number }
  | { readonly _tag: "Close" | "RetryFailed"; readonly suite: number }
  | { readonly _tag: "CancelTasks"; readonly suite: number; readonly tasks: ReadonlyArray<number> }
  | { readonly _tag: "CancelSuite"; readonly suite: number; readonly mode: "graceful" | "force" }

export interface Plan {
  readonly seed: number
  readonly coordinators: ReadonlyArray<string>
  readonly managers: ReadonlyArray<{ readonly name: string; readonly workers: number; readonly skew: number }>
  readonly suites: ReadonlyArray<{ readonly at: number; readonly spec: SuiteSpec }>
  readonly requests: ReadonlyArray<{ readonly at: number; readonly what: Request }>
  readonly faults: ReadonlyArray<Timed<Fault>>
  /** How long tasks take: mostly short ones, or mostly long ones. */
  readonly longTasks: number
}

const names = (prefix: string, count: number) => Array.from({ length: count }, (_, number) => `${prefix}${number + 1}`)

/** A whole number with a middle that is more likely than its ends. */
const around = (random: Seeded.Seeded, low: number, high: number) =>
  Math.round(low + ((random.next() + random.next()) / 2) * (high - low))

/** Mostly short, sometimes long. */
const lasting = (random: Seeded.Seeded, short: number, long: number) =>
  random.chance(0.7) ? random.between(100, short) : random.between(short, long)

/**
 * How far a coordinator's clock may be set. Retries wait for a time of day, so after a jump back they wait longer, which must
 * not be longer than a run. Milliseconds.
 */
const coordinatorJump = { back: 25_000, forward: 3_600_000 }

const fault = (random: Seeded.Seeded, coordinators: ReadonlyArray<string>, managers: ReadonlyArray<string>) => {
  const coordinator = random.oneOf(coordinators) ?? ""
  const manager = random.oneOf(managers) ?? ""
  const others = coordinators.filter((name) => name !== coordinator)
  const [one, other] =
    random.chance(0.75) || others.length === 0 ? [manager, coordinator] : [coordinator, random.oneOf(others) ?? ""]
  const kinds: ReadonlyArray<() => { readonly lasts: number; readonly what: Fault }> = [
    () => ({ lasts: lasting(random, 3_000, 30_000), what: { _tag: "KillCoordinator", name: coordinator } }),
    () => ({ lasts: lasting(random, 8_000, 60_000), what: { _tag: "Freeze", name: coordinator } }),
    () => ({ lasts: lasting(random, 2_000, 10_000), what: { _tag: "StopCoordinator", name: coordinator } }),
    () => ({
      lasts: lasting(random, 3_000, 40_000),
      what: { _tag: "KillManager", name: manager, journal: random.pick(["kept", "kept", "torn", "lost"]) }
    }),
    () => ({ lasts: lasting(random, 3_000, 20_000), what: { _tag: "StopManager", name: manager } }),
    () => ({ lasts: lasting(random, 12_000, 150_000), what: { _tag: "Freeze", name: manager } }),
    () => ({ lasts: lasting(random, 15_000, 140_000), what: { _tag: "Cut", one, other } }),
    () => ({ lasts: lasting(random, 15_000, 140_000), what: { _tag: "Cut", one, other } }),
    () => ({
      lasts: lasting(random, 10_000, 60_000),
      what: { _tag: "Slow", one, other, slowness: random.pick([20, 100, 500, 3_000]) }
    }),
    () => ({ lasts: 0, what: { _tag: "Reset", one, other } }),
    () => ({
      lasts: lasting(random, 2_000, 25_000),
      what: { _tag: "DatabaseDown", dropsSessions: random.chance(0.7) }
    }),
    () => ({
      lasts: lasting(random, 5_000, 40_000),
      what: {
        _tag: "StoreFaults",
        faults: { refuse: random.between(0, 0.3), lose: random.between(0, 0.3), slow: random.between(0, 0.15) }
      }
    }),
    () => ({ lasts: lasting(random, 5_000, 40_000), what: { _tag: "DiskFull", name: manager } }),
    () => ({
      lasts: 0,
      what: { _tag: "ClockJump", name: manager, by: random.between(-1, 1) * random.pick([5_000, 3_600_000]) }
    }),
    () => ({
      lasts: 0,
      what: {
        _tag: "ClockJump",
        name: coordinator,
        by: random.between(-coordinatorJump.back, random.pick([coordinatorJump.back, coordinatorJump.forward]))
      }
    })
  ]
  return random.oneOf(kinds)?.() ?? { lasts: 0, what: { _tag: "Reset", one, other } as const }
}

const task = (random: Seeded.Seeded): TaskSpec => ({
  program: "/bin/simulated",
  ...(random.chance(0.3) ? { priority: random.below(3) } : {}),
  ...(random.chance(0.3) ? { timeout: Math.round(random.between(500, 20_000)) } : {}),
  ...(random.chance(0.4)
    ? { retry: { limit: random.below(4), backoff: random.pick([0, 100, 1_000, 5_000]), maxBackoff: 10_000 } }
    : {})
})

export interface Size {
  readonly coordinators?: number
  readonly managers?: number
  readonly suites?: number
  readonly tasks?: number
  readonly faults?: number
}

export const make = (seed: number, size: Size = {}): Plan => {
  const random = Seeded.make(seed ^ 0x5eed)
  const coordinators = names("c", size.coordinators ?? around(random, 1, 3))
  const managers = names("m", size.managers ?? around(random, 1, 5)).map((name) => ({
    name,
    workers: 1 + random.below(3),
    skew: random.chance(0.3) ? random.between(-600_000, 600_000) : random.between(-20, 20)
  }))
  const suiteCount = size.suites ?? around(random, 1, 3)
  const suites = Array.from({ length: suiteCount }, () => ({
    at: random.between(0, 6_000),
    spec: {
      ...(random.chance(0.3) ? { priority: random.below(3) } : {}),
      ...(random.chance(0.2) ? { workers: 1 + random.below(4) } : {}),
      ...(random.chance(0.1) ? { maxFails: 1 + random.below(4) } : {}),
      ...(random.chance(0.3) ? { defaults: { retry: { limit: 1 + random.below(3) } } } : {})
    }
  }))
  const taskCount = size.tasks ?? around(random, 5, 60)
  const requests: Array<{ readonly at: number; readonly what: Request }> = []
  for (let left = taskCount; left > 0;) {
    const count = Math.min(left, 1 + random.below(random.chance(0.5) ? 4 : 30))
    left -= count
    const suite = random.below(suiteCount)
    const at = (suites[suite]?.at ?? 0) + random.between(10, random.chance(0.7) ? 3_000 : 40_000)
    requests.push({ at, what: { _tag: "Submit", suite, tasks: Array.from({ length: count }, () => task(random)) } })
  }
  const others = random.chance(0.5) ? 0 : 1 + random.below(5)
  for (let count = 0; count < others; count++) {
    const suite = random.below(suiteCount)
    const at = (suites[suite]?.at ?? 0) + random.between(2_000, 45_000)
    const kind = random.below(10)
    if (kind < 3) {
      requests.push({ at, what: { _tag: "Pause", suite, lasts: random.between(100, 10_000) } })
    } else if (kind < 4) requests.push({ at, what: { _tag: "Close", suite } })
    else if (kind < 6) requests.push({ at: at + 10_000, what: { _tag: "RetryFailed", suite } })
    else if (kind < 9) {
      const tasks = Array.from({ length: 1 + random.below(3) }, () => random.below(5))
      requests.push({ at, what: { _tag: "CancelTasks", suite, tasks } })
    } else requests.push({ at, what: { _tag: "CancelSuite", suite, mode: random.pick(["graceful", "force"]) } })
  }
  const faultCount = size.faults ?? around(random, 0, 9)
  const managerNames = managers.map(({ name }) => name)
  const faults = Array.from({ length: faultCount }, () => ({
    at: random.between(500, 45_000),
    ...fault(random, coordinators, managerNames)
  }))
  return {
    seed,
    coordinators,
    managers,
    suites,
    requests: requests.toSorted((one, other) => one.at - other.at),
    faults: faults.toSorted((one, other) => one.at - other.at),
    longTasks: random.pick([0.02, 0.1, 0.3])
  }
}

export const describeFault = ({ lasts, what }: Timed<Fault>): string => {
  const { _tag, ...rest } = what
  return `${_tag} ${JSON.stringify(rest)}${lasts > 0 ? ` for ${(lasts / 1_000).toFixed(1)} s` : ""}`
}
