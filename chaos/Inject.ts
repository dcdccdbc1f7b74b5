/**
 * Carries out faults.
 */
import { Effect } from "effect"
import { isAlive } from "../test/e2e/support/Process.ts"
import * as Fault from "./Fault.ts"
import type { Fleet } from "./Fleet.ts"
import type * as Link from "./Link.ts"
import * as Machine from "./Machine.ts"
import type { Impairment } from "./Notes.ts"
import type { SmallDisk } from "./SmallDisk.ts"
import type { Timeline } from "./Timeline.ts"

export interface Injector {
  /** Does it, and takes it back when its time is over. Answers whether there was anything to do it to. */
  readonly inject: (fault: Fault.Fault) => Effect.Effect<boolean>
  /** Times in which managers were cut off or frozen, up to now. */
  readonly impairments: () => ReadonlyArray<Impairment>
}

const signal = (pid: number, name: NodeJS.Signals) => {
  try {
    process.kill(pid, name)
  } catch {
    // It has ended meanwhile.
  }
}

export const make = (fleet: Fleet, disk: SmallDisk | undefined, timeline: Timeline): Injector => {
  const closed: Array<Impairment> = []
  const open = new Set<{ readonly manager: number; readonly from: number }>()

  const impair = (manager: number) => {
    const impairment = { manager, from: Machine.uptime() }
    open.add(impairment)
    return () => {
      open.delete(impairment)
      closed.push({ ...impairment, to: Machine.uptime() })
    }
  }

  const { postgres } = fleet.system

  /** The process that is meant, if there is one now. */
  const processOf = (target: Fault.Target): number | undefined => {
    switch (target._tag) {
      case "Coordinator":
        return fleet.coordinators[target.coordinator - 1]?.current()?.pid
      case "Manager":
        return fleet.managers[target.manager - 1]?.current()?.pid
      case "Worker": {
        const manager = fleet.managers[target.manager - 1]?.current()?.pid
        return manager === undefined ? undefined : Machine.workersOf(manager).get(target.slot)
      }
      case "Postgres":
        return postgres.pid()
      case "ManagerLink":
      case "Machine":
      case "DatabaseLink":
        return undefined
    }
  }

  const linksOf = (target: Fault.Target): ReadonlyArray<Link.Link> => {
    switch (target._tag) {
      case "ManagerLink": {
        const link = fleet.managerLinks[target.manager - 1]?.[target.coordinator - 1]
        return link === undefined ? [] : [link]
      }
      case "Machine":
        return fleet.managerLinks[target.manager - 1] ?? []
      case "DatabaseLink": {
        const link = fleet.databaseLinks[target.coordinator - 1]
        return link === undefined ? [] : [link]
      }
      case "Coordinator":
      case "Manager":
      case "Worker":
      case "Postgres":
        return []
    }
  }

  /** Whom a fault keeps from speaking or from hearing. */
  const impaired = ({ kind, target }: Fault.Fault): number | undefined => {
    const keepsApart = kind === "freeze" || kind === "cut" || kind === "reset" || kind === "delay"
    if (!keepsApart) return undefined
    return "manager" in target ? target.manager : undefined
  }

  /** Starts Postgres again after it was ended in some way. */
  const restartPostgres = (end: Effect.Effect<void>) =>
    end.pipe(Effect.andThen(Effect.sleep(restartDelay)), Effect.andThen(postgres.restart))

  /** Does something now, and takes it back later, also when the run ends before. */
  const during = (lasts: number, begin: () => void, end: () => void) =>
    Effect.acquireUseRelease(
      Effect.sync(begin),
      () => Effect.sleep(lasts),
      () => Effect.sync(end)
    )

  const perform = (fault: Fault.Fault): Effect.Effect<void> | undefined => {
    const { amount, kind, lasts, target } = fault
    const links = linksOf(target)
    const pid = processOf(target)
    switch (kind) {
      case "kill":
        if (target._tag === "Postgres") return restartPostgres(postgres.kill)
        return pid === undefined ? undefined : Effect.sync(() => signal(pid, "SIGKILL"))
      case "restart":
        if (target._tag === "Postgres") return restartPostgres(postgres.stop)
        return pid === undefined ? undefined : Effect.sync(() => signal(pid, "SIGTERM"))
      case "freeze": {
        if (pid === undefined) return undefined
        // Each of Postgres's connections is a process of its own.
        const pids = target._tag === "Postgres" ? [pid, ...Machine.childrenOf(pid)] : [pid]
        const parent = Machine.parentOf(pid)
        return during(
          lasts,
          () => pids.forEach((each) => signal(each, "SIGSTOP")),
          // The number of one that was killed meanwhile may have been given to somebody else.
          () => {
            if (Machine.parentOf(pid) === parent) for (const each of pids.filter(isAlive)) signal(each, "SIGCONT")
          }
        )
      }
      case "cut":
        return during(
          lasts,
          () => links.forEach((link) => link.cut()),
          () => links.forEach((link) => link.mend())
        )
      case "reset":
        return during(
          lasts,
          () => links.forEach((link) => link.reset()),
          () => links.forEach((link) => link.mend())
        )
      case "delay":
        return during(
          lasts,
          () => links.forEach((link) => link.delay(amount)),
          () => links.forEach((link) => link.mend())
        )
      case "full-disk":
        return disk === undefined ? undefined : during(lasts, disk.fill, disk.empty)
      case "clock-jump": {
        const { clocks } = fleet
        const name = target._tag === "Coordinator" ? "coordinator" : "manager"
        return clocks === undefined
          ? undefined
          : during(
              lasts,
              () => clocks.move(name, amount),
              () => clocks.move(name, 0)
            )
      }
    }
  }

  return {
    impairments: () => {
      const to = Machine.uptime()
      return [...closed, ...[...open].map((impairment) => ({ ...impairment, to }))]
    },
    inject: (fault) =>
      Effect.suspend(() => {
        const doing = perform(fault)
        if (doing === undefined) {
          timeline.say(`skipped  ${Fault.describe(fault)}: there is none now`)
          return Effect.succeed(false)
        }
        timeline.say(`FAULT    ${Fault.describe(fault)}`)
        const manager = impaired(fault)
        const over = manager === undefined ? () => undefined : impair(manager)
        return doing.pipe(
          Effect.ensuring(
            Effect.sync(() => {
              over()
              if (fault.lasts > 0) timeline.say(`         over: ${Fault.describe(fault)}`)
            })
          ),
          Effect.as(true)
        )
      })
  }
}

/** What passes between the end of Postgres and its next start. Milliseconds. */
const restartDelay = 500
