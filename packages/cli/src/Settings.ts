/**
 * Settings that every command has. A flag wins over the environment, that over the profile of the data directory, that
 * over the default. Where each came from is kept, so that `muster config view` can tell.
 */
import { Effect, Option } from "effect"
import * as Profile from "@muster/client/Profile"
import * as Failure from "./Failure.ts"
import * as Output from "./Output.ts"

export type Origin = "flag" | "environment" | "profile" | "default"

/** A setting with where it came from: `detail` names the flag, the variable or the file. */
export interface Setting<A = string | undefined> {
  readonly value: A
  readonly origin: Origin
  readonly detail: string
}

export interface Settings {
  readonly url: Setting<string>
  readonly token: Setting
  /** File with the authorities that sign coordinators' certificates. */
  readonly tlsCa: Setting
  readonly dataDir: Setting<string>
  readonly output: Setting<Output.Format>
  readonly databaseUrl: Setting
}

/** Values of flags, where given. */
export interface Flags {
  readonly url?: string | undefined
  readonly token?: string | undefined
  readonly tlsCa?: string | undefined
  readonly dataDir?: string | undefined
  readonly output?: Output.Format | undefined
  readonly databaseUrl?: string | undefined
}

export const defaultUrl = "http://127.0.0.1:7117"

interface Sources {
  readonly flag: readonly [name: string, value: string | undefined]
  readonly variable: readonly [name: string, value: string | undefined]
  readonly profile?: readonly [file: string, value: string | undefined]
  readonly fallback?: string
}

/** The first source that has a value. Empty variables count as not set. */
const pick = ({ fallback, flag, profile, variable }: Sources): Setting => {
  if (flag[1] !== undefined) return { value: flag[1], origin: "flag", detail: flag[0] }
  if (variable[1]) return { value: variable[1], origin: "environment", detail: variable[0] }
  if (profile?.[1] !== undefined) return { value: profile[1], origin: "profile", detail: profile[0] }
  return { value: fallback, origin: "default", detail: "" }
}

const isFormat = (text: string | undefined): text is Output.Format => Output.formats.some((format) => format === text)

/** Puts the sources in order. `instead`: in the place of the profile's file. */
export const resolve = Effect.fn("Settings.resolve")(function* (
  flags: Flags,
  environment: Profile.Environment,
  instead?: Profile.Profile
) {
  const dataDir = pick({
    flag: ["--data-dir", flags.dataDir],
    variable: ["MUSTER_DATA_DIR", environment["MUSTER_DATA_DIR"]]
  })
  const directory = dataDir.value ?? Profile.defaultDataDirectory(environment)
  const output = pick({
    flag: ["--output", flags.output],
    variable: ["MUSTER_OUTPUT", environment["MUSTER_OUTPUT"]],
    fallback: "table"
  })
  if (!isFormat(output.value)) {
    return yield* Failure.usage(
      `${output.detail} is ${JSON.stringify(output.value)}; allowed: ${Output.formats.join(", ")}`
    )
  }
  const profile = instead ?? (yield* Profile.read(directory))
  const file = Profile.path(directory)
  const url = pick({
    flag: ["--url", flags.url],
    variable: ["MUSTER_URL", environment["MUSTER_URL"]],
    profile: [file, profile.url]
  })
  return {
    url: { ...url, value: url.value ?? defaultUrl },
    token: pick({
      flag: ["--token", flags.token],
      variable: ["MUSTER_TOKEN", environment["MUSTER_TOKEN"]],
      profile: [file, profile.token]
    }),
    tlsCa: pick({
      flag: ["--tls-ca", flags.tlsCa],
      variable: ["MUSTER_TLS_CA", environment["MUSTER_TLS_CA"]],
      profile: [file, profile.caFile]
    }),
    dataDir: { ...dataDir, value: directory },
    output: { ...output, value: output.value },
    databaseUrl: pick({
      flag: ["--database-url", flags.databaseUrl],
      variable: ["MUSTER_DATABASE_URL", environment["MUSTER_DATABASE_URL"]],
      profile: [file, profile.databaseUrl]
    })
  } satisfies Settings
})

/** Flags as the command line gives them. */
export const fromOptions = (flags: {
  readonly [Key in keyof Flags]: Option.Option<NonNullable<Flags[Key]>>
}): Flags => ({
  url: flags.url && Option.getOrUndefined(flags.url),
  token: flags.token && Option.getOrUndefined(flags.token),
  tlsCa: flags.tlsCa && Option.getOrUndefined(flags.tlsCa),
  dataDir: flags.dataDir && Option.getOrUndefined(flags.dataDir),
  output: flags.output && Option.getOrUndefined(flags.output),
  databaseUrl: flags.databaseUrl && Option.getOrUndefined(flags.databaseUrl)
})
