/**
 * What a suite has to remember of each task in order to decide: 12 bytes in typed arrays, so that a million tasks take
 * 12 MB and a snapshot of them is a copy of memory. Specs and results are not here; they stand in the events.
 */

/** A task's state as a small number: its place in the literals of `TaskState`, which is also what the rows store. */
export const Phase = { queued: 0, assigned: 1, running: 2, succeeded: 3, failed: 4, cancelled: 5 } as const
export type Phase = (typeof Phase)[keyof typeof Phase]

export const Flag = {
  /** Somebody asked to end it while it was leased or running. */
  cancelRequested: 1,
  /** Queued, but waits for its next attempt until the time in the suite's `delays`. */
  delayed: 2
} as const

/** A column per fact. Rows are added at the end and never removed. */
export class TaskTable {
  size = 0
  phase: Uint8Array<ArrayBuffer>
  flags: Uint8Array<ArrayBuffer>
  /** Attempts that have ended. */
  attempts: Uint16Array<ArrayBuffer>
  /** Failed attempts that count against `retry.limit`, which is at most 100. */
  failures: Uint8Array<ArrayBuffer>
  /** Attempts that were lost or crashed, in a row or not; they count against the crash limit. */
  crashes: Uint8Array<ArrayBuffer>
  /** Who has it: a place in the suite's list of holders. Meaningful while assigned or running. */
  holder: Uint16Array<ArrayBuffer>
  /** Priority and retry policy: a place in the suite's list of profiles. As many as tasks: each may have its own. */
  profile: Uint32Array<ArrayBuffer>

  constructor(capacity = 64) {
    this.phase = new Uint8Array(capacity)
    this.flags = new Uint8Array(capacity)
    this.attempts = new Uint16Array(capacity)
    this.failures = new Uint8Array(capacity)
    this.crashes = new Uint8Array(capacity)
    this.holder = new Uint16Array(capacity)
    this.profile = new Uint32Array(capacity)
  }

  /** A table with so many rows, to be filled. */
  static ofSize(size: number): TaskTable {
    const table = new TaskTable(Math.max(size, 64))
    table.size = size
    return table
  }

  /** Adds a queued task and returns its index. */
  add(profile: number): number {
    const index = this.size
    if (index === this.phase.length) this.grow()
    this.profile[index] = profile
    this.size = index + 1
    return index
  }

  has(index: number): boolean {
    return Number.isInteger(index) && index >= 0 && index < this.size
  }

  phaseOf(index: number): number {
    return this.phase[index] ?? Phase.cancelled
  }

  hasFlag(index: number, flag: number): boolean {
    return ((this.flags[index] ?? 0) & flag) !== 0
  }

  setFlag(index: number, flag: number, on: boolean): void {
    const flags = this.flags[index] ?? 0
    this.flags[index] = on ? flags | flag : flags & ~flag
  }

  attemptsOf(index: number): number {
    return this.attempts[index] ?? 0
  }

  /** Raises a count by one, or lowers it. At the ends of what its column holds it stays there. */
  count(column: "failures" | "crashes", index: number, by: 1 | -1): void {
    const counts = this[column]
    counts[index] = Math.min(Math.max((counts[index] ?? 0) + by, 0), 255)
  }

  private grow(): void {
    const grown = new TaskTable(this.phase.length * 2)
    for (const column of columns) grown[column].set(this[column])
    for (const column of columns) assignColumn(this, grown, column)
  }
}

/** The columns in the order in which snapshots hold them. */
export const columns = ["phase", "flags", "attempts", "failures", "crashes", "holder", "profile"] as const

const assignColumn = <Column extends (typeof columns)[number]>(
  to: Pick<TaskTable, Column>,
  from: Pick<TaskTable, Column>,
  column: Column
): void => {
  to[column] = from[column]
}
