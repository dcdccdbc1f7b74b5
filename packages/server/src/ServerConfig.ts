/**
 * Settings of a coordinator. Only `main.ts` and the CLI read them from the environment.
 */
import { Config, Option, Schema } from "effect"
import type { Redacted } from "effect"
import { fromSchemaError } from "@muster/domain/Api/InputProblem"
import * as Millis from "@muster/domain/Millis"
import * as Database from "./Database.ts"
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
  readonly timings: Timings.Shape
}

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

export const config: Config.Config<ServerConfig> = Config.all({
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
  timings: Config.all({
    heartbeatInterval: millis("MUSTER_HEARTBEAT_INTERVAL", Timings.defaults.heartbeatInterval),
    silentAfter: millis("MUSTER_MANAGER_SILENT_AFTER", Timings.defaults.silentAfter),
    lostAfter: millis("MUSTER_MANAGER_LOST_AFTER", Timings.defaults.lostAfter),
    disconnectGrace: millis("MUSTER_MANAGER_DISCONNECT_GRACE", Timings.defaults.disconnectGrace),
    takeoverGrace: millis("MUSTER_MANAGER_TAKEOVER_GRACE", Timings.defaults.takeoverGrace),
    linger: millis("MUSTER_SUITE_LINGER", Timings.defaults.linger)
  })
})

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
  timings: Timings.defaults,
  ...settings
})
