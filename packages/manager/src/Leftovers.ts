/**
 * What earlier processes of a manager left running on its machine: found by what every worker and task carries in its
 * environment, and by the worker's directories in the command lines of its helpers.
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

const isEnded = (pid: number): boolean => {
  const stat = read(`/proc/${pid}/stat`)
  return stat === undefined || /^[ZX]/.test(stat.slice(stat.lastIndexOf(")") + 2))
}

/** Living processes that a manager of this id and directory started. Its workers must not have begun. */
export const find = (managerId: string, work: string): Array<number> => {
  const ofManager = [`\0MUSTER_MANAGER_ID=${managerId}\0`, `\0MUSTER_WORKER=${managerId}.`]
  const ofDirectory = `${work}/worker-`
  return readdirSync("/proc").flatMap((entry) => {
    const pid = Number(entry)
    if (!(pid > 0) || pid === process.pid) return []
    const environ = `\0${read(`/proc/${pid}/environ`) ?? ""}\0`
    const isOurs =
      ofManager.some((mark) => environ.includes(mark)) || (read(`/proc/${pid}/cmdline`)?.includes(ofDirectory) ?? false)
    return isOurs && !isEnded(pid) ? [pid] : []
  })
}

/** Process groups that workers noted as those of their running commands, and that are there. */
const notedGroups = (work: string): boolean => {
  let workers: ReadonlyArray<string>
  try {
    workers = readdirSync(work)
  } catch {
    return true
  }
  return workers.some((worker) => {
    const group = Number.parseInt(read(`${work}/${worker}/current`) ?? "", 10)
    if (!(group > 1)) return false
    try {
      return process.kill(-group, 0)
    } catch (error) {
      return !(error instanceof Error && "code" in error && error.code === "ESRCH")
    }
  })
}

/** What KILL does not end within this time hangs in the kernel. Milliseconds. */
const patience = 10_000

const round = 20

/** Looks that have to find nothing, one after the other: a process may start another one while it is looked for. */
const cleanRounds = 2

/** Kills what is left. Tells whether it is certain that nothing is. */
export const end = Effect.fn("Leftovers.end")(function* (managerId: string, { work }: Directory) {
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
    if (clean >= cleanRounds && !notedGroups(work)) return true
    yield* Effect.sleep(round)
  }
  return false
})
