/**
 * How programs on the machine of `muster dev` find it: a file in the data directory that holds the address and a token.
 * Only its owner can read it.
 */
import { Data, Effect, Schema } from "effect"
import * as FileSystem from "node:fs/promises"
import * as Os from "node:os"
import * as Path from "node:path"

export const Profile = Schema.Struct({
  url: Schema.optionalKey(Schema.String),
  token: Schema.optionalKey(Schema.String),
  /** PEM file with the authorities that sign coordinators' certificates. */
  caFile: Schema.optionalKey(Schema.String),
  /** Of the coordinators' database, for `muster admin`. */
  databaseUrl: Schema.optionalKey(Schema.String)
})
export type Profile = typeof Profile.Type

const fileName = "profile.json"
const onlyOwner = 0o600

export const path = (dataDirectory: string): string => Path.join(dataDirectory, fileName)

/** The profile is there and cannot be used. */
export class ProfileUnusable extends Data.TaggedError("ProfileUnusable")<{
  readonly path: string
  readonly reason: string
}> {
  override get message() {
    return `cannot use ${this.path}: ${this.reason}`
  }
}

/** An environment: `process.env` in life. */
export type Environment = Readonly<Record<string, string | undefined>>

/** Where Muster keeps its data when nothing else is said. */
export const defaultDataDirectory = (environment: Environment, isRoot = process.getuid?.() === 0): string => {
  if (environment["XDG_DATA_HOME"]) return Path.join(environment["XDG_DATA_HOME"], "muster")
  return isRoot ? "/var/lib/muster" : Path.join(environment["HOME"] ?? Os.homedir(), ".local", "share", "muster")
}

/** `MUSTER_DATA_DIR`, else the default. */
export const dataDirectory = (environment: Environment): string =>
  environment["MUSTER_DATA_DIR"] || defaultDataDirectory(environment)

const decode = Schema.decodeUnknownEffect(Schema.fromJsonString(Profile))

/** The profile of a data directory; an empty one if there is none. */
export const read = Effect.fn("Profile.read")(function* (directory: string) {
  const file = path(directory)
  const unusable = (reason: string) => new ProfileUnusable({ path: file, reason })
  const text = yield* Effect.tryPromise({
    try: () => FileSystem.readFile(file, "utf8"),
    catch: (cause) => cause as NodeJS.ErrnoException // what Node rejects with here
  }).pipe(
    Effect.catch((error) =>
      error.code === "ENOENT" || error.code === "ENOTDIR"
        ? Effect.succeed("{}")
        : Effect.fail(unusable(error.code === "EACCES" ? "only its owner may read it" : error.message))
    )
  )
  return yield* Effect.mapError(decode(text), (error) => unusable(error.message.replaceAll("\n", " ")))
})

/** Replaces the profile in one step, so that no reader finds half of one. */
export const write = (directory: string, profile: Profile): Effect.Effect<void, ProfileUnusable> =>
  Effect.tryPromise({
    try: async () => {
      const temporary = `${path(directory)}.${process.pid}`
      await FileSystem.writeFile(temporary, `${JSON.stringify(profile, undefined, 2)}\n`, { mode: onlyOwner })
      await FileSystem.rename(temporary, path(directory))
    },
    catch: (cause) => new ProfileUnusable({ path: path(directory), reason: String(cause) })
  })

/** There is neither an address nor a token to be found. */
export class NotConfigured extends Data.TaggedError("NotConfigured")<{
  readonly missing: "url" | "token"
  readonly profile: string
}> {
  override get message() {
    const variable = this.missing === "url" ? "MUSTER_URL" : "MUSTER_TOKEN"
    return `no ${this.missing} is given: ${variable} is not set and ${this.profile} has none`
  }
}

/** What is given, else `MUSTER_URL`, `MUSTER_TOKEN` and `MUSTER_TLS_CA`, else what the profile says. */
export const resolve = Effect.fn("Profile.resolve")(function* <Url = string, Token = string>(
  environment: Environment,
  given: { readonly url?: Url; readonly token?: Token; readonly caFile?: string } = {}
) {
  const directory = dataDirectory(environment)
  const profile = yield* read(directory)
  const url = given.url ?? (environment["MUSTER_URL"] || profile.url)
  const token = given.token ?? (environment["MUSTER_TOKEN"] || profile.token)
  if (url === undefined) return yield* new NotConfigured({ missing: "url", profile: path(directory) })
  if (token === undefined) return yield* new NotConfigured({ missing: "token", profile: path(directory) })
  const caFile = given.caFile ?? (environment["MUSTER_TLS_CA"] || profile.caFile)
  return { url, token, ...(caFile === undefined ? {} : { caFile }) }
})
