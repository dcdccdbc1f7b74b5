/**
 * What tasks wrote down themselves: when each attempt began and ended, and whether it found another one of the same task
 * alive. They hold a lock for their whole life that the kernel takes back when they die, so a task that was killed counts
 * as dead from that moment on, and neither our log nor anybody's clock is asked.
 */

/** One line of the notes. */
export interface Note {
  readonly what: "start" | "end" | "overlap"
  readonly taskId: string
  readonly attempt: number
  readonly pid: number
  /** Number of the manager that runs it. */
  readonly manager: number
  /** Seconds since the machine was started. */
  readonly at: number
}

const format = /^(start|end|overlap) (\S+) (\d+) (\d+) (\d+) (\d+\.\d+)$/

/** A line, or nothing if it is not one. */
export const parse = (line: string): Note | undefined => {
  const [, what, taskId, attempt, pid, manager, at] = format.exec(line) ?? []
  if (what !== "start" && what !== "end" && what !== "overlap") return undefined
  return {
    what,
    taskId: taskId ?? "",
    attempt: Number(attempt),
    pid: Number(pid),
    manager: Number(manager),
    at: Number(at)
  }
}

/** A time in which a manager could not talk to the coordinators, or its processes could not run. Seconds as in `Note`. */
export interface Impairment {
  readonly manager: number
  readonly from: number
  readonly to: number
}

export interface Rules {
  /** Suites that asked for tasks to be ended before they are handed on. */
  readonly stops: (suiteId: string) => boolean
  readonly impairments: ReadonlyArray<Impairment>
}

const suiteOf = (taskId: string) => taskId.slice(0, taskId.indexOf("."))

/** Later than this an impairment has no effect any more: whoever was thought to be lost has heard of it. Seconds. */
const aftermath = 30

/**
 * Two attempts of one task that were alive at the same moment, where that must not be: in a suite that asked for `stop`
 * whatever happened, in any other one unless the manager of the earlier attempt was cut off or frozen meanwhile.
 */
export const violations = (lines: ReadonlyArray<string>, { impairments, stops }: Rules): ReadonlyArray<string> => {
  const found: Array<string> = []
  const byTask = new Map<string, Array<Note>>()
  for (const line of lines) {
    const note = parse(line)
    if (note === undefined) {
      found.push(`notes: a line that no task writes: ${JSON.stringify(line)}`)
      continue
    }
    const notes = byTask.get(note.taskId)
    if (notes === undefined) byTask.set(note.taskId, [note])
    else notes.push(note)
  }
  const isExcused = (taskId: string, earlier: Note, at: number) =>
    !stops(suiteOf(taskId)) &&
    impairments.some(
      ({ from, manager, to }) => manager === earlier.manager && from <= at && to + aftermath >= earlier.at
    )
  for (const [taskId, notes] of byTask) {
    for (const [place, note] of notes.entries()) {
      if (note.what === "end") continue
      // Those before it that have not ended. One that was killed has no end either: that only the lock can tell.
      const unended = notes
        .slice(0, place)
        .filter(
          (other) =>
            other.what === "start" &&
            other.pid !== note.pid &&
            !notes.slice(0, place).some((end) => end.what === "end" && end.pid === other.pid)
        )
      // A child that was left behind may hold the lock of an attempt that has ended.
      const leftBehind = notes.slice(0, place).filter((other) => other.what === "start" && other.pid !== note.pid)
      const alive =
        note.what === "overlap"
          ? unended.length > 0
            ? unended
            : leftBehind.slice(-1)
          : // It said later itself that it was still there.
            unended.filter((other) =>
              notes.some((end) => end.what === "end" && end.pid === other.pid && end.at > note.at)
            )
      if (alive.some((earlier) => isExcused(taskId, earlier, note.at))) continue
      if (note.what === "overlap" || alive.length > 0) {
        const others = alive.map(
          ({ at, attempt, manager, pid }) =>
            `attempt ${attempt} (process ${pid}, manager ${manager}, since ${at.toFixed(2)})`
        )
        found.push(
          `notes: two attempts at once: at ${note.at.toFixed(2)} task ${taskId} attempt ${note.attempt} (process ` +
            `${note.pid}, manager ${note.manager}) met ${others.length === 0 ? "a living one" : others.join(" and ")}`
        )
      }
    }
  }
  return found
}
