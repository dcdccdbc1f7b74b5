/**
 * A piece of the log as a file: JSON lines, gzipped. `docs/bundle.md` describes it for others.
 *
 *     {"bundle":"muster","format":1,"version":"0.1.0", …}       header
 *     {"position":12,"stream":"suite-…","version":1, …}         an event as it stands in the log, for each event
 *     {"end":true,"events":1234,"sha256":"…"}                   end, with a checksum of all lines before it
 *
 * Within a stream versions have no gaps and begin with 1, so whoever folds the events gets the states that were.
 */
import { Option, Schema } from "effect"
import { Timestamp } from "./Millis.ts"
import { Recorded } from "./Recorded.ts"
import { SuiteId } from "./Suite/Id.ts"

/** Rises when an older Muster could not read what a newer one writes. */
export const format = 1

export const Header = Schema.Struct({
  bundle: Schema.Literal("muster"),
  format: Schema.Int,
  /** Of the Muster that wrote it. */
  version: Schema.String,
  /** Where it comes from: address of a coordinator, or what made it. */
  source: Schema.String,
  /** When it was written. */
  at: Timestamp,
  /** What it is about; null: a whole log. */
  suite: Schema.NullOr(SuiteId),
  events: Schema.Int,
  /** Each stream and the number of its events. */
  streams: Schema.Array(Schema.Tuple([Schema.String, Schema.Int]))
})
export type Header = typeof Header.Type

const End = Schema.Struct({ end: Schema.Literal(true), events: Schema.Int, sha256: Schema.String })
export type End = typeof End.Type

const decodeHeader = Schema.decodeUnknownOption(Schema.fromJsonString(Header))
const decodeEnd = Schema.decodeUnknownOption(Schema.fromJsonString(End))
const decodeEvent = Schema.decodeUnknownOption(Schema.fromJsonString(Recorded))

/** Any header says at least this much, whatever its format. */
const AnyHeader = Schema.Struct({ bundle: Schema.Literal("muster"), format: Schema.Int, version: Schema.String })
const decodeAnyHeader = Schema.decodeUnknownOption(Schema.fromJsonString(AnyHeader))

export const headerLine = (header: Header): string => JSON.stringify(header)
export const endLine = (events: number, sha256: string): string => JSON.stringify({ end: true, events, sha256 })

/** An event's line: always the same fields in the same order. */
export const eventLine = (event: Recorded): string => {
  const { data, metadata, position, recordedAt, stream, type, version } = event
  return JSON.stringify({ position, stream, version, type, recordedAt, metadata, data })
}

/** What is wrong with a header, in words that follow the name of the file. */
export type HeaderProblem = { readonly _tag: "Problem"; readonly reason: string }

export const parseHeader = (line: string): Header | HeaderProblem => {
  const any = Option.getOrUndefined(decodeAnyHeader(line))
  if (any === undefined) return { _tag: "Problem", reason: "is not a bundle of Muster" }
  if (any.format > format) {
    return {
      _tag: "Problem",
      reason: `was written by Muster ${any.version} in format ${any.format}, which is newer than this one reads (${format})`
    }
  }
  return Option.getOrElse(decodeHeader(line), (): HeaderProblem => ({
    _tag: "Problem",
    reason: "is damaged: its header is not what Muster writes"
  }))
}

export const isProblem = (header: Header | HeaderProblem): header is HeaderProblem => "_tag" in header

export const parseEvent = (line: string): Recorded | undefined => Option.getOrUndefined(decodeEvent(line))

/** The last line, if it is that. Only events have a position. */
export const parseEnd = (line: string): End | undefined =>
  line.startsWith('{"end":') ? Option.getOrUndefined(decodeEnd(line)) : undefined

/** In place of what is not told. */
export const hidden = "***"

/** Values of environment variables are where users keep passwords: their names stay, their values do not leave. */
const hideEnv = (env: unknown): unknown =>
  typeof env === "object" && env !== null ? Object.fromEntries(Object.keys(env).map((name) => [name, hidden])) : hidden

/**
 * An event without secrets: what stands under `env` is hidden, in a suite's defaults and in each task. Everything else that
 * an event holds is needed to understand it; tokens are in none.
 */
export const withoutSecrets = (event: Recorded): Recorded => {
  const { data, type } = event
  // Only these two carry what users write for their tasks.
  if (type !== "SuiteCreated" && type !== "TasksSubmitted") return event
  return { ...event, data: hideIn(data) }
}

const hideIn = (value: Recorded["data"]): Recorded["data"] => {
  if (Array.isArray(value)) return value.map(hideIn)
  if (typeof value !== "object" || value === null) return value
  // Handlers' inputs may have any field, and one called `env` is hidden too: rather too much than too little.
  return Object.fromEntries(
    Object.entries(value).map(([name, held]) => [
      name,
      name === "env" ? (hideEnv(held) as Recorded["data"]) : hideIn(held)
    ])
  )
}
