/**
 * One manager per directory.
 *
 * A lock is a file `lock.<n>` that names a process. The file with the highest number counts, and it holds as long as its
 * process lives: the same number *and* the same time of start, since numbers are used again. Whoever finds a dead one
 * makes the file with the next number, which only one can do, and then looks again: the highest file is never removed, so
 * two that looked at different moments cannot both end up with the highest.
 */
import { Data, Effect } from "effect"
import * as FileSystem from "node:fs/promises"
import * as Path from "node:path"
import { attempt } from "./Directory.ts"

/** A process that cannot be mistaken for another one. */
export interface Holder {
  readonly pid: number
  /** Clock ticks from the machine's start to the process's, or `null` where the system does not tell. */
  readonly startTime: string | null
  /** Names the machine's run since its start. */
  readonly boot: string | null
}

/** Another live manager has this directory. */
export class DirectoryInUse extends Data.TaggedError("DirectoryInUse")<{
  readonly directory: string
  readonly pid: number
}> {
  override get message() {
    return (
      `the directory ${this.directory} is in use by the manager with process id ${this.pid}; ` +
      `stop that one first, or choose another directory (MUSTER_MANAGER_DIR)`
    )
  }
}

/** Takes the lock of a directory for this process, until the scope is closed or the process ends, however it ends. */
export const acquire = Effect.fn("MachineLock.acquire")(function* (directory: string) {
  yield* Effect.acquireRelease(take(directory), (number) => Effect.ignore(giveUp(directory, number)))
})

const take = Effect.fnUntraced(function* (directory: string) {
  const self = yield* describeProcess(process.pid)
  for (;;) {
    const latest = yield* latestLock(directory)
    if (latest?.holder !== undefined && (yield* isAlive(latest.holder))) {
      return yield* new DirectoryInUse({ directory, pid: latest.holder.pid })
    }
    const mine = (latest?.number ?? 0) + 1
    if (!(yield* create(directory, mine, format(self)))) continue
    if ((yield* latestLock(directory))?.number === mine) {
      yield* removeBelow(directory, mine)
      return mine
    }
    yield* attempt(directory, () => FileSystem.rm(lockPath(directory, mine), { force: true }))
  }
})

/** The file stays, since the highest number must not be given out again, but names nobody any more. */
const giveUp = (directory: string, number: number) =>
  attempt(lockPath(directory, number), () => replace(directory, number, "free\n"))

const lockPath = (directory: string, number: number) => Path.join(directory, `lock.${number}`)

const lockNumbers = (directory: string) =>
  attempt(directory, async () => {
    const names = await FileSystem.readdir(directory)
    return names.flatMap((name) => (/^lock\.\d+$/.test(name) ? [Number(name.slice("lock.".length))] : []))
  })

interface Lock {
  readonly number: number
  /** Absent if it was given up. */
  readonly holder: Holder | undefined
}

const latestLock = Effect.fnUntraced(function* (directory: string) {
  const numbers = yield* lockNumbers(directory)
  if (numbers.length === 0) return undefined
  const number = Math.max(...numbers)
  const path = lockPath(directory, number)
  const text = yield* attempt(path, () =>
    FileSystem.readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
      // Somebody with a higher number removed it meanwhile; the next look will show that one.
      if (error.code === "ENOENT") return ""
      throw error
    })
  )
  return { number, holder: parse(text) } satisfies Lock
})

const parse = (text: string): Holder | undefined => {
  const match = /^(\d+) (\S+) (\S+)\n$/.exec(text)
  if (match === null) return undefined
  const [, pid, startTime = "-", boot = "-"] = match
  return { pid: Number(pid), startTime: startTime === "-" ? null : startTime, boot: boot === "-" ? null : boot }
}

const format = (holder: Holder) => `${holder.pid} ${holder.startTime ?? "-"} ${holder.boot ?? "-"}\n`

const writeDraft = async (directory: string, content: string) => {
  const draft = Path.join(directory, `lock-draft.${crypto.randomUUID()}`)
  await FileSystem.writeFile(draft, content, { mode: 0o600 })
  return draft
}

const replace = async (directory: string, number: number, content: string) => {
  const draft = await writeDraft(directory, content)
  await FileSystem.rename(draft, lockPath(directory, number))
}

/** Makes the file, with its content, if nobody else has. */
const create = (directory: string, number: number, content: string) =>
  attempt(lockPath(directory, number), async () => {
    const draft = await writeDraft(directory, content)
    try {
      // A link comes into being with its content, or not at all.
      await FileSystem.link(draft, lockPath(directory, number))
      return true
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "EEXIST") return false
      throw error
    } finally {
      await FileSystem.rm(draft, { force: true })
    }
  })

const removeBelow = Effect.fnUntraced(function* (directory: string, limit: number) {
  for (const number of yield* lockNumbers(directory)) {
    if (number < limit) yield* attempt(directory, () => FileSystem.rm(lockPath(directory, number), { force: true }))
  }
})

const isSame = (one: Holder, other: Holder) =>
  one.pid === other.pid && one.startTime === other.startTime && one.boot === other.boot

const isAlive = Effect.fnUntraced(function* (holder: Holder) {
  if (!exists(holder.pid)) return false
  const current = yield* describeProcess(holder.pid)
  return !current.hasEnded && isSame(holder, current)
})

const exists = (pid: number) => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // Not permitted means that it is there and somebody else's.
    return error instanceof Error && "code" in error && error.code === "EPERM"
  }
}

/** Where there is no /proc, a process is known by its number alone. */
const describeProcess = (pid: number): Effect.Effect<Holder & { readonly hasEnded: boolean }> =>
  Effect.promise(async () => {
    const read = (path: string) => FileSystem.readFile(path, "utf8").catch(() => undefined)
    const stat = await read(`/proc/${pid}/stat`)
    const boot = await read("/proc/sys/kernel/random/boot_id")
    // The name of the program, in parentheses, may hold anything. Behind it stand the state and, 19 further, the start.
    const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ")
    // A killed process that nobody has waited for keeps its number, but holds nothing.
    const hasEnded = fields?.[0] === "Z" || fields?.[0] === "X"
    return { pid, startTime: fields?.[19] ?? null, boot: boot?.trim() ?? null, hasEnded }
  })
