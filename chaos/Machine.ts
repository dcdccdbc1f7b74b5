/**
 * What the kernel tells about this machine's processes and its time.
 */
import { readFileSync, readdirSync } from "node:fs"
import { isAlive, withEnvironment } from "../test/e2e/support/Process.ts"

/** Seconds since the machine was started: the clock of the tasks' notes, which nobody moves. */
export const uptime = (): number => Number(readFileSync("/proc/uptime", "utf8").split(" ")[0])

/** The environment of a process; nothing when it is gone or not ours to read. */
const environment = (pid: number): ReadonlyMap<string, string> | undefined => {
  try {
    const text = readFileSync(`/proc/${pid}/environ`, "utf8")
    return new Map(
      text.split("\0").flatMap((assignment) => {
        const place = assignment.indexOf("=")
        return place < 0 ? [] : [[assignment.slice(0, place), assignment.slice(place + 1)] as const]
      })
    )
  } catch {
    return undefined
  }
}

export const parentOf = (pid: number): number | undefined => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1])
  } catch {
    return undefined
  }
}

const commandOf = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim()
  } catch {
    return ""
  }
}

export const childrenOf = (parent: number): ReadonlyArray<number> =>
  readdirSync("/proc").flatMap((entry) => {
    const pid = Number(entry)
    return Number.isInteger(pid) && parentOf(pid) === parent ? [pid] : []
  })

/** The worker processes of a manager by their slots. */
export const workersOf = (manager: number): ReadonlyMap<number, number> =>
  new Map(
    childrenOf(manager).flatMap((pid) => {
      const slot = environment(pid)?.get("MUSTER_WORKER_SLOT")
      return slot === undefined ? [] : [[Number(slot), pid] as const]
    })
  )

export interface Found {
  readonly pid: number
  readonly command: string
  readonly environment: ReadonlyMap<string, string>
}

/** Living processes whose environment holds this text, such as `NAME=value`. */
export const marked = (mark: string): ReadonlyArray<Found> =>
  withEnvironment(mark).flatMap((pid) => {
    const found = environment(pid)
    return found === undefined || !isAlive(pid) ? [] : [{ pid, command: commandOf(pid), environment: found }]
  })
