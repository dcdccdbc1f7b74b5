/** What other commands may know of a running `muster dev`: a file in its data directory. */
import { Effect, Option, Schema } from "effect"
import { readFileSync, renameSync, writeFileSync } from "node:fs"
import * as Path from "node:path"
import * as ProcessIdentity from "./ProcessIdentity.ts"

export const Role = Schema.Literals(["postgres", "coordinator", "manager", "worker"])
export type Role = typeof Role.Type

export const DevProcess = Schema.Struct({ role: Role, pid: Schema.Int })
export type DevProcess = typeof DevProcess.Type

/** Where the log in this directory comes from. */
export const Imported = Schema.Struct({
  /** Null: a whole log. */
  suite: Schema.NullOr(Schema.String),
  events: Schema.Int,
  source: Schema.String,
  /** Of the Muster that wrote it, and when; milliseconds since 1970. */
  version: Schema.String,
  at: Schema.Int
})
export type Imported = typeof Imported.Type

export const DevState = Schema.Struct({
  url: Schema.String,
  dataDir: Schema.String,
  supervisor: ProcessIdentity.ProcessIdentity,
  /** Everything has been started and answers. */
  ready: Schema.Boolean,
  processes: Schema.Array(DevProcess),
  /** What was imported here, which may only be read. */
  imported: Schema.optionalKey(Imported)
})
export type DevState = typeof DevState.Type

/** What `dev`, `dev status` and `dev --detach` print as JSON. */
export interface Info {
  readonly url: string
  readonly dataDir: string
  readonly pid: number
  readonly processes: ReadonlyArray<DevProcess>
  /** What was imported here, which may only be read. */
  readonly imported?: Imported
}

const path = (dataDir: string) => Path.join(dataDir, "dev", "state.json")

const decode = Schema.decodeUnknownOption(Schema.fromJsonString(DevState))

/** Replaces the file in one step. Small and rare, so it may block. */
export const write = (state: DevState): Effect.Effect<void> =>
  Effect.sync(() => {
    const file = path(state.dataDir)
    writeFileSync(`${file}.new`, `${JSON.stringify(state)}\n`, { mode: 0o600 })
    renameSync(`${file}.new`, file)
  })

/** The state of the `muster dev` that runs on this directory, if one does. */
export const read = (dataDir: string): Effect.Effect<Option.Option<DevState>> =>
  Effect.sync(() => {
    try {
      return Option.filter(decode(readFileSync(path(dataDir), "utf8")), ({ supervisor }) =>
        ProcessIdentity.isAlive(supervisor)
      )
    } catch {
      return Option.none()
    }
  })
