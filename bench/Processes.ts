/**
 * Processor time and memory of processes, as the kernel tells them in `/proc`.
 */
import { readFileSync, readdirSync } from "node:fs"

/** Seconds of one process by itself, and of its children that have ended. */
export interface Usage {
  readonly parent: number
  readonly own: number
  readonly ended: number
  /** Its program and arguments. */
  readonly command: string
}

export type Table = ReadonlyMap<number, Usage>

/** The same on every Linux that Node runs on. */
const ticksPerSecond = 100

/** Fields 4 and 14 to 17 of `/proc/<pid>/stat`; the second one is a name in brackets that may hold anything. */
export const parseStat = (stat: string): Omit<Usage, "command"> => {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  const seconds = (from: number) => (Number(fields[from]) + Number(fields[from + 1])) / ticksPerSecond
  return { parent: Number(fields[1]), own: seconds(11), ended: seconds(13) }
}

const read = (pid: number): Usage | undefined => {
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ")
    return { ...parseStat(readFileSync(`/proc/${pid}/stat`, "utf8")), command }
  } catch {
    // It ended meanwhile.
    return undefined
  }
}

/** All processes as they stand now. */
export const table = (): Table =>
  new Map(
    readdirSync("/proc").flatMap((entry): Array<[number, Usage]> => {
      const pid = Number(entry)
      const usage = Number.isInteger(pid) ? read(pid) : undefined
      return usage === undefined ? [] : [[pid, usage]]
    })
  )

/** Resident memory of a process in MB. */
export const megabytes = (pid: number): number => {
  const found = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))
  return Number(found?.[1]) / 1_024
}
