/**
 * The directory of a manager: its identity, its lock, its journal, the logs of the tasks that ran here. Nobody but its
 * user may look into it.
 */
import { Data, Effect } from "effect"
import * as FileSystem from "node:fs/promises"
import * as Os from "node:os"
import * as Path from "node:path"

export interface Directory {
  readonly root: string
  readonly journal: string
  /** Output of tasks, as `LogFile` of the domain lays it out. */
  readonly logs: string
  /** Working directories of running tasks. */
  readonly work: string
  /** Names this manager for good. */
  readonly identity: string
}

/** Something in the manager's directory could not be read or written. */
export class DirectoryError extends Data.TaggedError("DirectoryError")<{
  readonly path: string
  readonly cause: unknown
}> {
  override get message() {
    return `cannot use ${this.path}: ${this.cause instanceof Error ? this.cause.message : String(this.cause)}`
  }
}

/** Runs a file operation whose failure is the directory's. */
export const attempt = <A>(path: string, operation: () => Promise<A>): Effect.Effect<A, DirectoryError> =>
  Effect.tryPromise({ try: operation, catch: (cause) => new DirectoryError({ path, cause }) })

/** Read, write and enter, for its user alone. */
const privateMode = 0o700

/** Makes the directory and what belongs in it. */
export const prepare = Effect.fn("Directory.prepare")(function* (path: string) {
  return yield* attempt(path, async (): Promise<Directory> => {
    await FileSystem.mkdir(path, { recursive: true, mode: privateMode })
    // It may have been there before, with other rights.
    await FileSystem.chmod(path, privateMode)
    const root = await FileSystem.realpath(path)
    const directory: Directory = {
      root,
      journal: Path.join(root, "journal"),
      logs: Path.join(root, "logs"),
      work: Path.join(root, "work"),
      identity: Path.join(root, "manager-id")
    }
    for (const inner of [directory.journal, directory.logs, directory.work]) {
      await FileSystem.mkdir(inner, { recursive: true, mode: privateMode })
    }
    return directory
  })
})

/** sockaddr_un.sun_path holds 108 bytes with the closing zero on Linux, 104 on macOS. */
const maxSocketPathBytes = process.platform === "darwin" ? 103 : 107

/**
 * Where workers find their manager. In its directory; where that path is longer than the kernel allows, in a fresh private
 * directory of the system's. Whatever lies there is gone afterwards.
 */
export const socketPath = Effect.fnUntraced(function* (directory: Directory) {
  const usual = Path.join(directory.root, "workers.sock")
  if (Buffer.byteLength(usual) <= maxSocketPathBytes) {
    // Only the holder of the machine lock comes here, so this is a dead predecessor's.
    yield* attempt(usual, () => FileSystem.rm(usual, { force: true }))
    return usual
  }
  const short = yield* Effect.acquireRelease(
    attempt(Os.tmpdir(), () => FileSystem.mkdtemp(Path.join(Os.tmpdir(), "muster-"))),
    (path) => Effect.ignore(attempt(path, () => FileSystem.rm(path, { recursive: true, force: true })))
  )
  return Path.join(short, "workers.sock")
})
