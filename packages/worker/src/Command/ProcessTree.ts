/**
 * The processes of a task, wherever they went: found by session, process group and environment, ended with TERM, grace and
 * KILL.
 */
import { readFileSync, readdirSync } from "node:fs"
import { Effect } from "effect"

/** What makes a process one of those that are meant. Any of the marks is enough. */
export interface Marks {
  /** A process that leads the session and group of its kind. */
  readonly leader?: number | undefined
  /** Assignments such as `NAME=value`, all of which its environment holds. Unreadable environments do not match. */
  readonly variables: ReadonlyArray<string>
  /** Never one of these. */
  readonly except?: ReadonlyArray<number>
}

const readProcFile = (pid: number | string, name: string): Buffer | undefined => {
  try {
    return readFileSync(`/proc/${pid}/${name}`)
  } catch {
    return undefined // ended since, or not ours to read
  }
}

/** Whether a process's environment holds an assignment. */
const holds = (environ: Buffer, assignment: Buffer): boolean => {
  for (let place = environ.indexOf(assignment); place >= 0; place = environ.indexOf(assignment, place + 1)) {
    const starts = place === 0 || environ[place - 1] === 0
    const end = environ[place + assignment.length]
    if (starts && (end === 0 || end === undefined)) return true
  }
  return false
}

/** Where `/proc/<pid>/stat` goes on after the program's name, which may contain anything. */
const afterName = (stat: string): ReadonlyArray<string> => stat.slice(stat.lastIndexOf(")") + 2).split(" ")

/** Living processes with these marks. Those that ended and were not waited for do not count: they do nothing any more. */
export const find = (marks: Marks): Array<number> => {
  const variables = marks.variables.map((assignment) => Buffer.from(assignment))
  const except = new Set([process.pid, ...(marks.except ?? [])])
  const found: Array<number> = []
  for (const entry of readdirSync("/proc")) {
    const pid = Number(entry)
    if (!(pid > 0) || except.has(pid)) continue
    const [state, , group, session] = afterName(readProcFile(pid, "stat")?.toString("latin1") ?? "")
    if (state === undefined || state === "" || state === "Z" || state === "X") continue
    if (marks.leader !== undefined && (Number(group) === marks.leader || Number(session) === marks.leader)) {
      found.push(pid)
      continue
    }
    if (variables.length === 0) continue
    const environ = readProcFile(pid, "environ")
    if (environ !== undefined && variables.every((assignment) => holds(environ, assignment))) found.push(pid)
  }
  return found
}

/** Sends a signal to a process, or to a group if negative. One that is gone, or not ours, is no error. */
export const signal = (pid: number, name: NodeJS.Signals): void => {
  try {
    process.kill(pid, name)
  } catch {
    // Gone in the meantime, or it runs as another user by now: then nobody but the system can end it.
  }
}

const signalAll = (marks: Marks, name: NodeJS.Signals): number => {
  // The group at once, so that no process of it forks away between the look and the signal.
  if (marks.leader !== undefined) signal(-marks.leader, name)
  const found = find(marks)
  for (const pid of found) signal(pid, name)
  return found.length
}

/** First wait after a signal; each further one is twice as long, up to `longestWait`. */
const firstWait = 2
const longestWait = 100

/** Waits until nothing with the marks is left, at most `limit` milliseconds. Tells whether that came true. */
export const awaitEnd = Effect.fnUntraced(function* (marks: Marks, limit: number) {
  const deadline = performance.now() + limit
  for (let wait = firstWait; ; wait = Math.min(wait * 2, longestWait)) {
    if (find(marks).length === 0) return true
    const left = deadline - performance.now()
    if (left <= 0) return false
    yield* Effect.sleep(Math.min(wait, left))
  }
})

/** A process that KILL does not end within this time hangs in the kernel; it ends when the kernel lets it go. */
const killLimit = 10_000

/** Between two KILL rounds, each of which finds what was forked during the one before. */
const killRound = 20

/** Ends everything with the marks by KILL. Tells whether it is all gone. */
export const kill = Effect.fnUntraced(function* (marks: Marks) {
  const deadline = performance.now() + killLimit
  while (signalAll(marks, "SIGKILL") > 0) {
    if (performance.now() > deadline) return false
    yield* awaitEnd(marks, killRound)
  }
  return true
})

/** Ends everything with the marks: TERM, `grace` milliseconds, KILL. Tells whether it is all gone. */
export const end = Effect.fnUntraced(function* (marks: Marks, grace: number) {
  if (grace > 0) {
    if (signalAll(marks, "SIGTERM") === 0) return true
    // A stopped process gets its TERM only when it goes on.
    signalAll(marks, "SIGCONT")
    if (yield* awaitEnd(marks, grace)) return true
  }
  return yield* kill(marks)
})
