/** A process that is not taken for another one that has its number later. */
import { Schema } from "effect"
import { readFileSync } from "node:fs"

export const ProcessIdentity = Schema.Struct({
  pid: Schema.Int,
  /** Clock ticks from the machine's start to the process's; null where the system does not tell. */
  startTime: Schema.NullOr(Schema.String)
})
export type ProcessIdentity = typeof ProcessIdentity.Type

interface Status {
  readonly startTime: string
  readonly hasEnded: boolean
}

const statusOf = (pid: number): Status | undefined => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    // The name of the program stands in parentheses and may hold anything.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
    return { startTime: fields[19] ?? "", hasEnded: fields[0] === "Z" || fields[0] === "X" }
  } catch {
    return undefined
  }
}

export const of = (pid: number): ProcessIdentity => ({ pid, startTime: statusOf(pid)?.startTime ?? null })

const exists = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // Not permitted means that it is there and somebody else's.
    return error instanceof Error && "code" in error && error.code === "EPERM"
  }
}

export const isAlive = ({ pid, startTime }: ProcessIdentity): boolean => {
  if (!exists(pid)) return false
  const status = statusOf(pid)
  return status === undefined || (!status.hasEnded && (startTime === null || status.startTime === startTime))
}
