/** The directory that `muster dev` keeps everything in, and which version of Muster may use it. */
import { Effect, Schema } from "effect"
import * as FileSystem from "node:fs/promises"
import * as Path from "node:path"
import { randomBytes } from "node:crypto"
import { Imported } from "./DevState.ts"
import * as Failure from "../Failure.ts"
import { version } from "@muster/domain/Version"

export interface DataDirectory {
  readonly root: string
  readonly logs: string
  readonly postgres: string
  readonly manager: string
  /** Of the supervisor. */
  readonly lock: string
}

/** Rises when an older Muster could not use what a newer one has left. */
const layout = 2

/** Of a directory that holds nothing which Muster 0.1.0 does not know. */
const plainLayout = 1

const Marker = Schema.fromJsonString(Schema.Struct({ layout: Schema.Int, version: Schema.String }))
const decodeMarker = Schema.decodeUnknownEffect(Marker)

const Tokens = Schema.fromJsonString(Schema.Struct({ admin: Schema.String, enrolment: Schema.String }))
const decodeTokens = Schema.decodeUnknownEffect(Tokens)

const onlyOwner = 0o600

const attempt = <A>(path: string, work: () => Promise<A>) =>
  Effect.tryPromise({
    try: work,
    catch: (cause) =>
      Failure.failed(
        `cannot use ${path}: ${cause instanceof Error ? cause.message : String(cause)}`,
        "--data-dir or MUSTER_DATA_DIR name another directory"
      )
  })

/** The text of a file, or nothing when it is not there. */
const readIfThere = (path: string) =>
  attempt(path, () =>
    FileSystem.readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined
      throw error
    })
  )

const checkVersion = Effect.fnUntraced(function* (root: string) {
  const path = Path.join(root, "muster.json")
  const text = yield* readIfThere(path)
  if (text === undefined) {
    const marker = `${JSON.stringify({ layout: plainLayout, version })}\n`
    return yield* attempt(path, () => FileSystem.writeFile(path, marker))
  }
  const marker = yield* Effect.mapError(decodeMarker(text), () =>
    Failure.failed(`${path} is not what Muster writes there`, "--data-dir names another directory")
  )
  if (marker.layout > layout) {
    return yield* Failure.failed(
      `${root} was last used by Muster ${marker.version}, which is newer than this one (${version})`,
      "use that version, or another directory (--data-dir)"
    )
  }
})

/** Makes the directory and what belongs in it, unless a newer Muster has used it. */
export const prepare = Effect.fn("DataDirectory.prepare")(function* (path: string) {
  const directory = Path.resolve(path)
  yield* attempt(directory, () =>
    // As root, Postgres runs as another user and has to come through here. What is secret is closed by itself.
    FileSystem.mkdir(directory, { recursive: true, mode: process.getuid?.() === 0 ? 0o755 : 0o700 })
  )
  const root = yield* attempt(directory, () => FileSystem.realpath(directory))
  yield* checkVersion(root)
  const found: DataDirectory = {
    root,
    logs: Path.join(root, "logs"),
    postgres: Path.join(root, "postgres"),
    manager: Path.join(root, "manager"),
    lock: Path.join(root, "dev")
  }
  for (const inner of [found.logs, found.lock]) {
    yield* attempt(inner, () => FileSystem.mkdir(inner, { recursive: true, mode: 0o700 }))
  }
  return found
})

const importedPath = (root: string) => Path.join(root, "imported.json")

const ImportedJson = Schema.fromJsonString(Schema.Struct({ done: Schema.Boolean, imported: Imported }))
const decodeImported = Schema.decodeUnknownEffect(ImportedJson)

/** Says that this directory holds, or is about to hold, a log that may only be read. An older Muster would start its work. */
export const markImported = Effect.fn("DataDirectory.markImported")(function* (
  { root }: DataDirectory,
  imported: Imported,
  done: boolean
) {
  const path = importedPath(root)
  const marker = Path.join(root, "muster.json")
  yield* attempt(marker, () => FileSystem.writeFile(marker, `${JSON.stringify({ layout, version })}\n`))
  yield* attempt(path, () => FileSystem.writeFile(path, `${JSON.stringify({ done, imported })}\n`))
})

/** What was imported here, if something was. */
export const imported = Effect.fn("DataDirectory.imported")(function* ({ root }: DataDirectory) {
  const path = importedPath(root)
  const text = yield* readIfThere(path)
  if (text === undefined) return undefined
  const found = yield* Effect.mapError(decodeImported(text), () =>
    Failure.failed(`${path} is not what Muster writes there`, "--data-dir names another directory")
  )
  if (found.done) return found.imported
  return yield* Failure.failed(
    `an import into ${root} was not finished`,
    `remove the directory and import again: rm -r ${root}`
  )
})

/** Whether anything is in a directory, or it in a place where it could be made. */
export const isUsed = (path: string) =>
  Effect.map(
    attempt(path, () =>
      FileSystem.readdir(path).catch((error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT") return []
        throw error
      })
    ),
    (entries) => entries.length > 0
  )

export const inUse = (path: string): Failure.CommandFailed =>
  Failure.usage(
    `${path} is in use; allowed: a directory that is not there yet, or an empty one`,
    "--data-dir names one: what is imported is kept apart from everything else"
  )

/** Takes away what an import has made that failed. */
export const remove = ({ root }: DataDirectory) =>
  attempt(root, () => FileSystem.rm(root, { recursive: true, force: true }))

/** The tokens of this installation, made on first use. */
export const tokens = Effect.fn("DataDirectory.tokens")(function* ({ root }: DataDirectory) {
  const path = Path.join(root, "tokens.json")
  const text = yield* readIfThere(path)
  if (text !== undefined) {
    return yield* Effect.mapError(decodeTokens(text), () =>
      Failure.failed(`${path} is not what Muster writes there`, "remove it: new tokens are made at the next start")
    )
  }
  const make = (role: string) => `mst_${role}_${randomBytes(32).toString("base64url")}`
  const made = { admin: make("admin"), enrolment: make("enrolment") }
  yield* attempt(path, () => FileSystem.writeFile(path, `${JSON.stringify(made)}\n`, { mode: onlyOwner }))
  return made
})
