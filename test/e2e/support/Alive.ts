/**
 * Tasks that write down that they are alive, again and again, with the time by the machine's boot clock: whether two
 * attempts of a task ran at the same time can then be seen without asking Muster.
 */
import { readFileSync, readdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert } from "@effect/vitest"

/** Between two notes. Seconds. */
const interval = 0.03

const noting = (directory: string, name: string, before: string, condition: string) => ({
  program: "/bin/sh",
  args: [
    "-c",
    `${before}
     while ${condition}; do
       left=$((left - 1))
       read -r now rest < /proc/uptime
       echo "$now $MUSTER_WORKER" >> ${directory}/${name}.$MUSTER_ATTEMPT.$$
       sleep ${interval}
     done`
  ]
})

/**
 * A task that heeds no TERM and runs until it is killed; begun after `letEnd` it runs for a moment. Its notes stand in
 * `<name>.<attempt>.<process id>`.
 */
export const task = (directory: string, name: string) =>
  noting(directory, name, `trap '' TERM; left=-1; [ -e ${directory}/end ] && left=10`, "[ $left -ne 0 ]")

/** A task that runs until `letEnd`. */
export const untilTold = (directory: string, name: string) =>
  noting(directory, name, "left=0", `[ ! -e ${directory}/end ]`)

/** Seconds of the boot clock. */
export const now = (): number => Number(readFileSync("/proc/uptime", "utf8").split(" ")[0])

/** From now on tasks that begin come to an end. */
export const letEnd = (directory: string) => writeFileSync(join(directory, "end"), "")

export interface Life {
  readonly attempt: number
  readonly pid: number
  /** Who ran it. */
  readonly manager: string
  /** First and last note, seconds of the boot clock. */
  readonly from: number
  readonly to: number
}

/** What is known of the processes of a task, in the order in which they began. */
export const lives = (directory: string, name: string): ReadonlyArray<Life> =>
  readdirSync(directory)
    .flatMap((file): ReadonlyArray<Life> => {
      const [task_, attempt, pid] = file.split(".")
      if (task_ !== name) return []
      // The last line may be half written.
      const lines = readFileSync(join(directory, file), "utf8").split("\n").slice(0, -1)
      const [first, last] = [lines.at(0)?.split(" "), lines.at(-1)?.split(" ")]
      if (first === undefined || last === undefined) return []
      const manager = (first[1] ?? "").split(".")[0] ?? ""
      return [{ attempt: Number(attempt), pid: Number(pid), manager, from: Number(first[0]), to: Number(last[0]) }]
    })
    .toSorted((one, other) => one.from - other.from)

/** No two processes of a task were alive at the same time. */
export const assertApart = (all: ReadonlyArray<Life>) => {
  for (const [place, life] of all.entries()) {
    const next = all[place + 1]
    if (next !== undefined) assert.isBelow(life.to, next.from, `${JSON.stringify(life)} and ${JSON.stringify(next)}`)
  }
}
