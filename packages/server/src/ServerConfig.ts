/**
 * Settings of a coordinator. Only `main.ts` and the CLI read them from the environment.
 */
import { Config, Duration, Option, Redacted, Schema } from "effect"
import type { Setting } from "@muster/domain/Doctor/Coordinators"
import { fromSchemaError } from "@muster/domain/Api/InputProblem"
import * as Millis from "@muster/domain/Millis"
import * as Database from "./Database.ts"
import * as LimitsConfig from "./Limits/Config.ts"
import { defaults as limitDefaults } from "./Limits/Limits.ts"
import type { Limits } from "./Limits/Limits.ts"
import * as Timings from "./Timings.ts"
import * as Tls from "./Tls.ts"

export interface ServerConfig {
  readonly database: Database.Settings
  /** Address that clients and managers connect to. Any but loopback's needs `tls` (or `allowCleartext`). */
  readonly host: string
  /** 0 picks a free one. */
  readonly port: number
  /** With a certificate, clients and managers are served over TLS only. */
  readonly tls: Tls.Files
  /** Tokens and tasks may cross a network for everybody to read. For networks that are encrypted by other means. */
  readonly allowCleartext: boolean
  /** Address under which other coordinators of the cluster reach this one. Always over TLS (see `ClusterKey.ts`). */
  readonly clusterHost: string
  /** 0 picks a free one. */
  readonly clusterPort: number
  /** The token `admin` is made this at every start, so that a changed setting takes effect. */
  readonly adminToken: Option.Option<Redacted.Redacted>
  /** As `adminToken`, for the token `enrolment`. */
  readonly enrolmentToken: Option.Option<Redacted.Redacted>
  /** Only answers questions: no actor runs, no manager may connect, and what would change something is refused. */
  readonly readOnly: boolean
  readonly timings: Timings.Shape
  readonly limits: Limits
  /** Variables that were set: the other settings are defaults. */
  readonly given: ReadonlySet<string>
}

/** A database's address without its password. */
export const withoutPassword = (url: string): string =>
  url.replace(/(:\/\/[^:/@]*):[^@]*@/, "$1:***@").replaceAll(/([?&]password=)[^&]*/g, "$1***")

const loopback = "127.0.0.1"
export const defaultPort = 7117

const port = (name: string, fallback: number) =>
  Config.schema(
    Schema.FiniteFromString.check(
      Schema.isInt(),
      Schema.isBetween({ minimum: 0, maximum: 65_535 }, { expected: "a port from 0 to 65535" })
    ),
    name
  ).pipe(Config.withDefault(fallback))

const millis = (name: string, fallback: number) =>
  Config.schema(Millis.between(100, 86_400_000), name).pipe(Config.withDefault(fallback))

const file = (name: string) =>
  Config.schema(Schema.NonEmptyString, name).pipe(Config.option, Config.map(Option.getOrUndefined))

const parts = Config.all({
  database: Database.config,
  host: Config.String("MUSTER_HOST").pipe(Config.withDefault(loopback)),
  port: port("MUSTER_PORT", defaultPort),
  tls: Config.all({
    certFile: file(Tls.variables.certFile),
    keyFile: file(Tls.variables.keyFile),
    managerCaFile: file(Tls.variables.managerCaFile)
  }),
  allowCleartext: Config.Boolean("MUSTER_ALLOW_CLEARTEXT").pipe(Config.withDefault(false)),
  clusterHost: Config.String("MUSTER_CLUSTER_HOST").pipe(Config.withDefault(loopback)),
  clusterPort: port("MUSTER_CLUSTER_PORT", 0),
  adminToken: Config.option(Config.Redacted("MUSTER_ADMIN_TOKEN")),
  enrolmentToken: Config.option(Config.Redacted("MUSTER_ENROLMENT_TOKEN")),
  readOnly: Config.Boolean("MUSTER_READ_ONLY").pipe(Config.withDefault(false)),
  timings: Config.all({
    heartbeatInterval: millis("MUSTER_HEARTBEAT_INTERVAL", Timings.defaults.heartbeatInterval),
    silentAfter: millis("MUSTER_MANAGER_SILENT_AFTER", Timings.defaults.silentAfter),
    lostAfter: millis("MUSTER_MANAGER_LOST_AFTER", Timings.defaults.lostAfter),
    disconnectGrace: millis("MUSTER_MANAGER_DISCONNECT_GRACE", Timings.defaults.disconnectGrace),
    takeoverGrace: millis("MUSTER_MANAGER_TAKEOVER_GRACE", Timings.defaults.takeoverGrace),
    linger: millis("MUSTER_SUITE_LINGER", Timings.defaults.linger)
  }),
  limits: LimitsConfig.config
})

const hidden = "***"
const none = "(none)"
const secret = (value: Option.Option<Redacted.Redacted>) => (Option.isSome(value) ? hidden : none)
const ms = (value: number) => `${value}ms`

/** All variables, and how a setting is shown. */
const shown: ReadonlyArray<readonly [variable: string, show: (config: Config.Success<typeof parts>) => string]> = [
  ["MUSTER_DATABASE_URL", ({ database }) => withoutPassword(Redacted.value(database.url))],
  ["MUSTER_DATABASE_SCHEMA", ({ database }) => database.schema],
  ["MUSTER_DATABASE_CONNECTIONS", ({ database }) => String(database.maxConnections)],
  ["MUSTER_DATABASE_WAIT", ({ database }) => ms(Duration.toMillis(database.waitFor))],
  ["MUSTER_DATABASE_STATEMENT_TIMEOUT", ({ database }) => ms(Duration.toMillis(database.statementTimeout))],
  ["MUSTER_HOST", ({ host }) => host],
  ["MUSTER_PORT", (settings) => String(settings.port)],
  [Tls.variables.certFile, ({ tls }) => tls.certFile ?? none],
  [Tls.variables.keyFile, ({ tls }) => tls.keyFile ?? none],
  [Tls.variables.managerCaFile, ({ tls }) => tls.managerCaFile ?? none],
  ["MUSTER_ALLOW_CLEARTEXT", ({ allowCleartext }) => String(allowCleartext)],
  ["MUSTER_READ_ONLY", (settings) => String(settings.readOnly)],
  ["MUSTER_CLUSTER_HOST", ({ clusterHost }) => clusterHost],
  ["MUSTER_CLUSTER_PORT", ({ clusterPort }) => String(clusterPort)],
  ["MUSTER_ADMIN_TOKEN", ({ adminToken }) => secret(adminToken)],
  ["MUSTER_ENROLMENT_TOKEN", ({ enrolmentToken }) => secret(enrolmentToken)],
  ["MUSTER_HEARTBEAT_INTERVAL", ({ timings }) => ms(timings.heartbeatInterval)],
  ["MUSTER_MANAGER_SILENT_AFTER", ({ timings }) => ms(timings.silentAfter)],
  ["MUSTER_MANAGER_LOST_AFTER", ({ timings }) => ms(timings.lostAfter)],
  ["MUSTER_MANAGER_DISCONNECT_GRACE", ({ timings }) => ms(timings.disconnectGrace)],
  ["MUSTER_MANAGER_TAKEOVER_GRACE", ({ timings }) => ms(timings.takeoverGrace)],
  ["MUSTER_SUITE_LINGER", ({ timings }) => ms(timings.linger)],
  ...LimitsConfig.shown.map(
    ([variable, show]) => [variable, ({ limits }: { readonly limits: Limits }) => show(limits)] as const
  )
]

export const variables: ReadonlyArray<string> = shown.map(([variable]) => variable)

const given = Config.all(variables.map((variable) => Config.option(Config.String(variable)))).pipe(
  Config.map((values) => new Set(variables.filter((_, place) => Option.isSome(values[place] ?? Option.none()))))
)

export const config: Config.Config<ServerConfig> = Config.all({ parts, given }).pipe(
  Config.map((found) => ({ ...found.parts, given: found.given }))
)

/** The settings as people see them, with where each comes from. */
export const settingsOf = (server: ServerConfig): ReadonlyArray<Setting> =>
  shown.map(([name, show]) => ({
    name,
    value: show(server),
    origin: server.given.has(name) ? "environment" : "default"
  }))

/** What is wrong with a setting, in one line that names its variable. */
export const problem = ({ cause }: Config.ConfigError): string => {
  if (cause._tag !== "SchemaError") return `the settings cannot be read: ${cause.message}`
  // The value is not shown: it may be a secret.
  const { expected, field } = fromSchemaError(cause)
  return expected === "unknown" ? `${field} is not set` : `${field} cannot be used; allowed: ${expected}`
}

/** A configuration for tests and for programs that bring their own: everything but the database has a default. */
export const make = (
  settings: { readonly url: Redacted.Redacted } & Partial<Omit<ServerConfig, "database">>
): ServerConfig => ({
  database: { ...Database.defaults, url: settings.url },
  host: loopback,
  port: 0,
  tls: Tls.none,
  allowCleartext: false,
  clusterHost: loopback,
  clusterPort: 0,
  adminToken: Option.none(),
  enrolmentToken: Option.none(),
  readOnly: false,
  timings: Timings.defaults,
  limits: limitDefaults,
  given: new Set(),
  ...settings
})
