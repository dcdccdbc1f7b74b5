/**
 * What a coordinator says of itself to the others: in the `application_name` of the session with its locks, where
 * `pg_stat_activity` shows it to anybody and nothing has to be written. It ends with the session, so it is never out of date.
 */
import { Context } from "effect"
import { version } from "@muster/domain/Version"

export interface Self {
  readonly version: string
  /** Where clients and managers are served. */
  readonly url: string
  /** Milliseconds since 1970. */
  readonly startedAt: number
}

/** This coordinator. */
export const Self = Context.Reference<Self>("@muster/server/SessionName/Self", {
  defaultValue: () => ({ version, url: "", startedAt: Date.now() })
})

export interface Told {
  readonly version: string
  /** Absent when it did not fit. */
  readonly url: string | undefined
  readonly startedAt: number
  /** When the shards that it holds last changed. */
  readonly shardsSince: number
}

/** What Postgres keeps of a name; it cuts the rest without a word. */
const longest = 63

const separator = " "
const seconds = (millis: number) => Math.floor(millis / 1_000).toString(36)
const millis = (text: string) => Number.parseInt(text, 36) * 1_000

/** The address comes last, and is left out as a whole if it does not fit: half of one would be another one. */
export const encode = (self: Self, shardsSince: number): string => {
  const name = ["muster", self.version, seconds(self.startedAt), seconds(shardsSince)].join(separator)
  const whole = `${name}${separator}${self.url}`
  return Buffer.byteLength(whole) <= longest ? whole : name
}

/** Nothing for a name that is not of this form. */
export const decode = (name: string): Told | undefined => {
  const [product, ofVersion = "", startedAt = "", shardsSince = "", url = ""] = name.split(separator)
  const isTime = (text: string) => /^[0-9a-z]{1,8}$/.test(text)
  if (product !== "muster" || ofVersion === "" || !isTime(startedAt) || !isTime(shardsSince)) return undefined
  return {
    version: ofVersion,
    url: url === "" ? undefined : url,
    startedAt: millis(startedAt),
    shardsSince: millis(shardsSince)
  }
}
