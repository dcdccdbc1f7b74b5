/**
 * The settings of a manager. Whoever starts one from a program (as the command line does) gives what it knows; the rest
 * comes from the environment, then from the defaults.
 */
import { Config, Context, Data, Effect, Layer, Option, Redacted, Schema } from "effect"
import { statSync } from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import * as ByteSize from "@muster/domain/ByteSize"
import * as Millis from "@muster/domain/Millis"
import { Name, Tags } from "@muster/domain/Text"
import { version } from "@muster/domain/Version"
import * as TlsFiles from "./TlsFiles.ts"

/** Durations in milliseconds, sizes in bytes. */
export interface Settings {
  /** Addresses of the coordinators (`http`, `https`, `ws` or `wss`). Several belong to one cluster. */
  readonly urls: ReadonlyArray<string>
  /** The enrolment token. */
  readonly token: Redacted.Redacted
  /** PEM file with the authorities whose word is taken for coordinators' certificates; empty for the system's. */
  readonly tlsCa: string
  /** This manager's own certificate and its private key, for coordinators that ask for one; empty for none. PEM files. */
  readonly tlsCert: string
  readonly tlsKey: string
  /** For people; by default the host's. */
  readonly name: string
  readonly tags: ReadonlyArray<string>
  readonly labels: ReadonlyArray<string>
  /** Workers when a suite does not say; by default one for each processor. */
  readonly workers: number
  /** The manager's own directory: one manager each. */
  readonly directory: string
  /** Program and arguments that start a worker. */
  readonly workerCommand: ReadonlyArray<string>
  /** Module with handlers that the workers load; empty for none. */
  readonly handlers: string
  /** Most tasks that are leased and not begun. With more of them, other managers get less. */
  readonly prefetchLimit: number
  /** Work that is held ready. With less of it, workers wait when the coordinator is slow. */
  readonly prefetchHorizon: number
  /** How long a coordinator may hold a call for tasks open while it has none. */
  readonly leaseWait: number
  /** Wait before the first try to reconnect; doubles with each one. */
  readonly reconnectMin: number
  readonly reconnectMax: number
  /** How long running tasks may go on when the manager is told to go. */
  readonly shutdownLimit: number
  /** A worker that was silent for longer is blocked. */
  readonly beatTimeout: number
  /** The logs of a suite are removed when nothing of it ran here for so long. */
  readonly logRetention: number
  /** Most bytes of results on the disk that no coordinator has acknowledged. More are kept in memory only. */
  readonly journalLimit: number
}

export class ManagerConfig extends Context.Service<ManagerConfig, Settings & { readonly version: string }>()(
  "@muster/manager/ManagerConfig"
) {}

/** A setting that cannot be used. */
export class InvalidSetting extends Data.TaggedError("InvalidSetting")<{
  /** The environment variable; what a program gives is called by it too. */
  readonly variable: string
  readonly value: string | undefined
  readonly expected: string
}> {
  override get message() {
    return this.value === undefined
      ? `${this.variable} is not set; it must be ${this.expected}`
      : `${this.variable} is ${JSON.stringify(this.value)}; allowed: ${this.expected}`
  }
}

interface Setting<A> {
  readonly variable: string
  /** What is allowed, for messages. */
  readonly expected: string
  /** The value of a text from the environment, or nothing. */
  readonly parse: (text: string) => A | undefined
  readonly allows: (value: A) => boolean
  /** Absent when the setting must be given. */
  readonly fallback?: () => A
}

const between = (
  variable: string,
  [minimum, maximum]: readonly [number, number],
  fallback: () => number,
  kind: {
    readonly name: string
    readonly parse: (text: string) => number | undefined
    readonly format: (n: number) => string
  }
): Setting<number> => ({
  variable,
  expected: `${kind.name} from ${kind.format(minimum)} to ${kind.format(maximum)}`,
  parse: kind.parse,
  allows: (value) => Number.isInteger(value) && value >= minimum && value <= maximum,
  fallback
})

const wholeNumber = {
  name: "a whole number",
  parse: (text: string) => (/^\d{1,15}$/.test(text) ? Number(text) : undefined),
  format: String
}
const duration = { name: "a duration", parse: Millis.parse, format: Millis.format }
const size = { name: "a size", parse: ByteSize.parse, format: ByteSize.format }

/** Words separated by commas. */
const words = (text: string) =>
  text
    .split(",")
    .map((word) => word.trim())
    .filter((word) => word !== "")

const tags = (variable: string): Setting<ReadonlyArray<string>> => ({
  variable,
  expected: "up to 64 words of at most 128 characters each, separated by commas",
  parse: words,
  allows: Schema.is(Tags),
  fallback: () => []
})

const existing = (what: string, variable: string): Setting<string> => ({
  variable,
  expected: `the path of a ${what} that exists, or nothing`,
  parse: (text) => text,
  allows: (path) => path === "" || statSync(path, { throwIfNoEntry: false })?.isFile() === true,
  fallback: () => ""
})

const second = 1_000
const minute = 60 * second
const day = 24 * 60 * minute

const commandSchema = Schema.fromJsonString(Schema.Array(Schema.String))
const decodeCommand = Schema.decodeUnknownOption(commandSchema)

const settings: { readonly [Key in keyof Settings]: Setting<Settings[Key]> } = {
  urls: {
    variable: "MUSTER_URL",
    expected: "one or more addresses such as http://host:7117 or wss://host, separated by commas",
    parse: words,
    allows: (urls) => urls.length > 0 && urls.every((url) => socketUrl(url) !== undefined)
  },
  token: {
    variable: "MUSTER_TOKEN",
    expected: "the enrolment token",
    parse: Redacted.make,
    allows: (token) => Redacted.value(token) !== ""
  },
  tlsCa: existing("file", "MUSTER_TLS_CA"),
  tlsCert: existing("file", "MUSTER_TLS_CERT"),
  tlsKey: existing("file", "MUSTER_TLS_KEY"),
  name: {
    variable: "MUSTER_MANAGER_NAME",
    expected: "a single line of 1 to 255 characters",
    parse: (text) => text,
    allows: Schema.is(Name),
    fallback: Os.hostname
  },
  tags: tags("MUSTER_MANAGER_TAGS"),
  labels: tags("MUSTER_MANAGER_LABELS"),
  workers: between("MUSTER_MANAGER_WORKERS", [1, 256], () => Math.min(Os.availableParallelism(), 256), wholeNumber),
  directory: {
    variable: "MUSTER_MANAGER_DIR",
    expected: "a path",
    parse: (text) => text,
    allows: (path) => path !== "" && !path.includes("\0"),
    fallback: () => Path.join(Os.homedir(), ".muster", "manager")
  },
  workerCommand: {
    variable: "MUSTER_WORKER_COMMAND",
    expected: `a program with its arguments as JSON, such as ["node", "worker.js"]`,
    parse: (text) => Option.getOrUndefined(decodeCommand(text)),
    allows: ([program = ""]) => program !== ""
  },
  handlers: existing("module", "MUSTER_HANDLERS"),
  prefetchLimit: between("MUSTER_PREFETCH_LIMIT", [1, 100_000], () => 10_000, wholeNumber),
  prefetchHorizon: between("MUSTER_PREFETCH_HORIZON", [1, 10 * second], () => 150, duration),
  leaseWait: between("MUSTER_LEASE_WAIT", [10, 5 * minute], () => 20 * second, duration),
  reconnectMin: between("MUSTER_RECONNECT_MIN", [10, minute], () => second, duration),
  reconnectMax: between("MUSTER_RECONNECT_MAX", [10, 60 * minute], () => minute, duration),
  shutdownLimit: between("MUSTER_SHUTDOWN_LIMIT", [0, day], () => 25 * second, duration),
  beatTimeout: between("MUSTER_BEAT_TIMEOUT", [2 * second, 10 * minute], () => 10 * second, duration),
  logRetention: between("MUSTER_LOG_RETENTION", [minute, 3_650 * day], () => 7 * day, duration),
  journalLimit: between("MUSTER_JOURNAL_LIMIT", [64 * 1024, 1024 ** 4], () => 256 * 1024 ** 2, size)
}

/** Names of all variables. */
export const variables: ReadonlyArray<string> = Object.values(settings).map(({ variable }) => variable)

/** Where managers are served. */
const socketPath = "/ws/managers"

/** The WebSocket address that a coordinator's address stands for. */
export const socketUrl = (text: string): string | undefined => {
  const url = URL.parse(text)
  const protocol = url === null ? undefined : protocols[url.protocol]
  if (url === null || protocol === undefined || url.host === "") return undefined
  const prefix = url.pathname.replace(/\/+$/, "")
  return `${protocol}//${url.host}${prefix.endsWith(socketPath) ? prefix : `${prefix}${socketPath}`}`
}

const protocols: Readonly<Record<string, string>> = { "http:": "ws:", "https:": "wss:", "ws:": "ws:", "wss:": "wss:" }

const resolveSetting = Effect.fnUntraced(function* <A>(setting: Setting<A>, given: A | undefined) {
  const { allows, expected, fallback, parse, variable } = setting
  if (given !== undefined) {
    if (allows(given)) return given
    return yield* new InvalidSetting({ variable, value: String(given), expected })
  }
  // The environment can be read, so the only error is a defect of this program.
  const text = yield* Effect.orDie(Config.option(Config.String(variable)))
  if (Option.isSome(text)) {
    const value = parse(text.value)
    if (value !== undefined && allows(value)) return value
    return yield* new InvalidSetting({ variable, value: text.value, expected })
  }
  if (fallback === undefined) return yield* new InvalidSetting({ variable, value: undefined, expected })
  return fallback()
})

/** Where the manager has its things, for whoever asks without starting it. */
export const directoryOf = (given?: string) =>
  Effect.map(resolveSetting(settings.directory, given), (path) => Path.resolve(path))

/** Completes what a program gives from the environment and the defaults. */
export const load = Effect.fn("ManagerConfig.load")(function* (given: Partial<Settings> = {}) {
  const urls = yield* resolveSetting(settings.urls, given.urls)
  const reconnectMin = yield* resolveSetting(settings.reconnectMin, given.reconnectMin)
  const handlers = yield* resolveSetting(settings.handlers, given.handlers)
  const tls = {
    tlsCa: yield* resolveSetting(settings.tlsCa, given.tlsCa),
    tlsCert: yield* resolveSetting(settings.tlsCert, given.tlsCert),
    tlsKey: yield* resolveSetting(settings.tlsKey, given.tlsKey)
  }
  // Read anew for each connection; what is wrong with them is said at the start.
  yield* TlsFiles.read(tls)
  return ManagerConfig.of({
    urls: urls.flatMap((url) => socketUrl(url) ?? []),
    token: yield* resolveSetting(settings.token, given.token),
    ...tls,
    name: yield* resolveSetting(settings.name, given.name),
    tags: yield* resolveSetting(settings.tags, given.tags),
    labels: yield* resolveSetting(settings.labels, given.labels),
    workers: yield* resolveSetting(settings.workers, given.workers),
    directory: yield* directoryOf(given.directory),
    workerCommand: yield* resolveSetting(settings.workerCommand, given.workerCommand),
    handlers: handlers === "" ? "" : Path.resolve(handlers),
    prefetchLimit: yield* resolveSetting(settings.prefetchLimit, given.prefetchLimit),
    prefetchHorizon: yield* resolveSetting(settings.prefetchHorizon, given.prefetchHorizon),
    leaseWait: yield* resolveSetting(settings.leaseWait, given.leaseWait),
    reconnectMin,
    reconnectMax: Math.max(reconnectMin, yield* resolveSetting(settings.reconnectMax, given.reconnectMax)),
    shutdownLimit: yield* resolveSetting(settings.shutdownLimit, given.shutdownLimit),
    beatTimeout: yield* resolveSetting(settings.beatTimeout, given.beatTimeout),
    logRetention: yield* resolveSetting(settings.logRetention, given.logRetention),
    journalLimit: yield* resolveSetting(settings.journalLimit, given.journalLimit),
    version
  })
})

export const layer = (given?: Partial<Settings>): Layer.Layer<ManagerConfig, InvalidSetting | TlsFiles.TlsUnusable> =>
  Layer.effect(ManagerConfig, load(given))
