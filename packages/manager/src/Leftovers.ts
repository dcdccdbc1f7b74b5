/**
 * What earlier processes of a manager left running on its machine: found by what every worker and task carries in its
 * environment, and by the files of the worker that its helpers are given.
 */
import { Effect } from "effect"
import { readFileSync, readdirSync } from "node:fs"
import type { Directory } from "./Directory.ts"

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, "latin1")
  } catch {
    return undefined // ended since, or not ours to read
  }
}

/** State, process group and session of a process: what stands behind its name, which may contain anything. */
const fieldsOf = (pid: number): ReadonlyArray<string> => {
  const stat = read(`/proc/${pid}/stat`) ?? ""
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")
}

/** Whether it is gone, or only waits for somebody to read its exit code. */
const isEnded = (pid: number): boolean => /^[ZX]?$/.test(fieldsOf(pid)[0] ?? "")

const processes = (): ReadonlyArray<number> =>
  readdirSync("/proc")
    .map(Number)
    .filter((pid) => pid > 0 && pid !== process.pid)

/** Living processes that a manager of this id and directory started. Its workers must not have begun. */
export const find = (managerId: string, work: string): Array<number> => {
  const ofManager = [`\0MUSTER_MANAGER_ID=${managerId}\0`, `\0MUSTER_WORKER=${managerId}.`]
  const isHelpers = (argument: string) =>
    argument.startsWith(`${work}/worker-`) && /^\d+\/(current|guardian\.sh)$/.test(argument.slice(work.length + 8))
  return processes().filter((pid) => {
    const environ = `\0${read(`/proc/${pid}/environ`) ?? ""}\0`
    const isMarked = ofManager.some((mark) => environ.includes(mark))
    const isOurs = isMarked || read(`/proc/${pid}/cmdline`)?.split("\0").some(isHelpers) === true
    return isOurs && !isEnded(pid)
  })
}

/** Whether something lives in a group that a worker noted as that of its running command. */
const hasNotedGroup = (work: string): boolean => {
  const noted = readdirSync(work)
    .map((worker) => Number.parseInt(read(`${work}/${worker}/current`) ?? "", 10))
    .filter((group) => group > 1)
  if (noted.length === 0) return false
  return processes().some((pid) => {
    const [, , group, session] = fieldsOf(pid)
    return (noted.includes(Number(group)) || noted.includes(Number(session))) && !isEnded(pid)
  })
}

/** What KILL does not end within this time hangs in the kernel. Milliseconds. */
const defaultPatience = 10_000

const round = 20

/** Looks that have to find nothing, one after the other: a process may start another one while it is looked for. */
const cleanRounds = 2

/** Kills what is left. Tells whether it is certain that nothing is. */
export const end = Effect.fn("Leftovers.end")(function* (
  managerId: string,
  { work }: Pick<Directory, "work">,
  patience = defaultPatience
) {
  // Without /proc nothing can be seen, so nothing is certain.
  if (read("/proc/self/stat") === undefined) return false
  let clean = 0
  for (let waited = 0; waited < patience; waited += round) {
    const found = find(managerId, work)
    for (const pid of found) {
      try {
        process.kill(pid, "SIGKILL")
      } catch {
        // Ended in the meantime, or somebody else's by now: then the next look says which.
      }
    }
    clean = found.length === 0 ? clean + 1 : 0
    // A program may have thrown away what marks it. Its group may also be somebody else's by now, so it is left alone.
    if (clean >= cleanRounds && !hasNotedGroup(work)) return true
    yield* Effect.sleep(round)
  }
  return false
})
