/**
 * The connection to Postgres: which server, how many connections, what every session is told, and the wait until the
 * server is there.
 */
import { PgClient } from "@effect/sql-pg"
import { Config, Data, Duration, Effect, Layer, Predicate, Redacted, Result, Schedule, Schema } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import * as OpenProblem from "@muster/domain/Rpc/OpenProblem"
import * as DatabaseServers from "./DatabaseServers.ts"
import * as DatabaseTls from "./DatabaseTls.ts"
import * as SqlFailure from "./SqlFailure.ts"

export interface Settings {
  /**
   * `postgres://user:password@host:port/database?sslmode=verify-full`; several Musters can share a database under different
   * schemas. With several hosts (`host1:port1,host2:port2`) the one that takes writes is found, and found again after a
   * failover. Which modes of TLS there are says `DatabaseTls.ts`.
   */
  readonly url: Redacted.Redacted
  /** Where all tables stand. Lower-case letters, digits and `_`. */
  readonly schema: string
  /** As it appears in `pg_stat_activity`. */
  readonly applicationName: string
  /** Connections of this process at most. Each is a server process: more than cores do not make it faster. */
  readonly maxConnections: number
  /** How long to wait at start for a server that is down or starting. */
  readonly waitFor: Duration.Duration
  /** After this time the server gives up on a statement. Bounds how long a request can hang on a lock. */
  readonly statementTimeout: Duration.Duration
}

export const defaults: Omit<Settings, "url"> = {
  schema: "muster",
  applicationName: "muster",
  maxConnections: 10,
  waitFor: Duration.seconds(30),
  statementTimeout: Duration.seconds(30)
}

/** Lets work go on beside long statements. The session with the cluster's locks is one more, outside the pool. */
const fewestConnections = 3
const mostConnections = 1_000

const SchemaName = Schema.String.check(
  Schema.isPattern(/^[a-z_][a-z0-9_]{0,62}$/, { expected: "1 to 63 of a-z, 0-9 and _, not beginning with a digit" })
)
const Connections = Schema.FiniteFromString.check(
  Schema.isInt(),
  Schema.isBetween(
    { minimum: fewestConnections, maximum: mostConnections },
    { expected: `a whole number from ${fewestConnections} to ${mostConnections}` }
  )
)

/** The settings as environment variables. */
export const config: Config.Config<Settings> = Config.all({
  url: Config.Redacted("MUSTER_DATABASE_URL"),
  schema: Config.schema(SchemaName, "MUSTER_DATABASE_SCHEMA").pipe(Config.withDefault(defaults.schema)),
  applicationName: Config.succeed(defaults.applicationName),
  maxConnections: Config.schema(Connections, "MUSTER_DATABASE_CONNECTIONS").pipe(
    Config.withDefault(defaults.maxConnections)
  ),
  waitFor: Config.Duration("MUSTER_DATABASE_WAIT").pipe(Config.withDefault(defaults.waitFor)),
  statementTimeout: Config.Duration("MUSTER_DATABASE_STATEMENT_TIMEOUT").pipe(
    Config.withDefault(defaults.statementTimeout)
  )
})

/** Oldest server that has what the tables and queries use. */
export const oldestServer = 15

const connectTimeout = Duration.seconds(5)
/** Idle time after which a connection is probed, so that a vanished server is noticed. */
const keepAlive = Duration.seconds(10)
/** A transaction in which nothing happens for so long was forgotten by a frozen process: its locks must not last. */
const idleTransactionTimeout = Duration.seconds(60)
/** Pause between attempts to reach a server that is not there yet. */
const retryEvery = Duration.millis(200)
/** Each distinct combination of events and read model writes is one statement. */
const preparedStatements = 250
/** The largest that Postgres sends. The driver's default would break the connection on one large row. */
const maxMessageSize = 2 ** 30

/** `MUSTER_DATABASE_URL` cannot be understood. Its value is not repeated, since it may hold a password. */
export class DatabaseUrlInvalid extends Data.TaggedError("DatabaseUrlInvalid")<{ readonly reason: string }> {
  override get message() {
    return `the database URL ${this.reason}; expected: postgres://user:password@host:port/database`
  }
}

/** The server does not answer, or does not let us in. */
export class DatabaseUnreachable extends Data.TaggedError("DatabaseUnreachable")<{
  readonly host: string
  readonly port: number
  readonly reason: string
}> {
  override get message() {
    return `cannot reach the database at ${this.host}:${this.port}: ${this.reason}`
  }
}

/** The server is older than Postgres 15. */
export class DatabaseTooOld extends Data.TaggedError("DatabaseTooOld")<{
  /** Such as `14.9`. */
  readonly found: string
  readonly required: number
}> {
  override get message() {
    return `the database server is Postgres ${this.found}; at least ${this.required} is needed`
  }
}

export type Failure = DatabaseUrlInvalid | DatabaseTls.DatabaseTlsInvalid | DatabaseUnreachable | DatabaseTooOld

const defaultPort = 5432

/** The server's place for messages, without user and password. */
const address = (
  url: Redacted.Redacted
): Effect.Effect<{ host: string; port: number; parsed: URL }, DatabaseUrlInvalid> =>
  Effect.suspend(() => {
    const parsed = URL.parse(Redacted.value(url))
    if (parsed === null) return new DatabaseUrlInvalid({ reason: "is no URL" })
    if (parsed.protocol !== "postgres:" && parsed.protocol !== "postgresql:") {
      return new DatabaseUrlInvalid({ reason: `begins with ${parsed.protocol}` })
    }
    const host = parsed.searchParams.get("host") ?? (parsed.hostname === "" ? "localhost" : parsed.hostname)
    const port = parsed.searchParams.get("port") ?? parsed.port
    return Effect.succeed({ host, port: port === "" ? defaultPort : Number(port), parsed })
  })

const millis = (duration: Duration.Duration) => String(Duration.toMillis(duration))

/**
 * Our statements are few and reach rows by key: one plan for each prepared statement, over indexes where there are any.
 * Left to itself the planner plans a batch anew five times, and may then keep a plan that was right while the table was
 * small.
 */
const planByKey = {
  plan_cache_mode: "force_generic_plan",
  enable_seqscan: "off"
}

const poolConfig = (
  settings: Settings,
  ssl: PgClient.PgPoolConfig["ssl"],
  servers: ReadonlyArray<DatabaseServers.Server> | undefined
): PgClient.PgPoolConfig => ({
  // The driver knows one server. With several it gets the first one's address for all but the host and the port.
  url: servers?.[0]?.url ?? settings.url,
  ssl,
  ...(servers === undefined ? {} : { stream: DatabaseServers.make(servers, keepAlive).stream }),
  applicationName: settings.applicationName,
  maxConnections: settings.maxConnections,
  connectTimeout,
  keepAlive,
  maxMessageSize,
  preparedStatementCacheSize: preparedStatements,
  startupParameters: {
    search_path: settings.schema,
    timezone: "UTC",
    statement_timeout: millis(settings.statementTimeout),
    idle_in_transaction_session_timeout: millis(idleTransactionTimeout),
    // Accepted means durable, whatever the server's own setting.
    synchronous_commit: "on",
    ...planByKey,
    // Compiling a statement takes longer than running any of ours.
    jit: "off"
  }
})

/** What a person needs to know of a refused connection. The driver's messages name no password. */
const reasonOf = (error: SqlError): string => {
  const { cause } = error.reason
  const tls = OpenProblem.explainTls(cause, "name its file in the URL (sslrootcert=FILE)")
  if (tls !== undefined) return tls
  if (Predicate.isError(cause) && cause.message !== "") return cause.message
  // Several addresses were tried: the error of all of them has a code and no message.
  if (Predicate.hasProperty(cause, "code")) return String(cause.code)
  return error.reason.message ?? error.reason._tag
}

/** The driver's words when a server says that it does not speak TLS. */
const hasNoTls = ({ reason: { cause } }: SqlError): boolean =>
  Predicate.isError(cause) && cause.message === "The server does not support TLS"

/** Errors that waiting does not mend: wrong password, no such database or role, no right to connect, certificates. */
const isHopeless = (error: SqlError): boolean =>
  error.reason._tag === "AuthenticationError" ||
  error.reason._tag === "AuthorizationError" ||
  SqlFailure.sqlState(error) === "3D000" ||
  OpenProblem.explainTls(error.reason.cause) !== undefined ||
  hasNoTls(error)

interface ServerVersion {
  /** Such as 150018 for 15.18. */
  readonly number: number
  readonly name: string
}

const serverVersion = (client: PgClient.PgClient) =>
  client<ServerVersion>`
    select current_setting('server_version_num')::int as number, current_setting('server_version') as name`

/** Refuses servers that lack what the tables and queries use. */
export const requireRecent = (version: ServerVersion): Effect.Effect<void, DatabaseTooOld> =>
  Math.floor(version.number / 10_000) < oldestServer
    ? new DatabaseTooOld({ found: version.name, required: oldestServer })
    : Effect.void

/** What is accepted is durable on the primary. Whether it also outlives the primary is for the server's settings to say. */
const warnOfLoss = (client: PgClient.PgClient) =>
  client<{ names: string }>`select current_setting('synchronous_standby_names') as names`.pipe(
    Effect.flatMap(([row]) =>
      row?.names === ""
        ? Effect.logWarning(
            "the database has standbys and synchronous_standby_names is empty: a failover may lose what was accepted last"
          )
        : Effect.void
    ),
    Effect.ignore
  )

const connect = Effect.fn("Database.connect")(function* (settings: Settings) {
  const several = DatabaseServers.parse(settings.url)
  if (Result.isFailure(several)) return yield* new DatabaseUrlInvalid({ reason: several.failure })
  const servers = several.success
  const { host, parsed, port } = yield* address(servers?.[0]?.url ?? settings.url)
  const ssl = yield* DatabaseTls.fromUrl(parsed)
  const unreachable = (error: SqlError) => new DatabaseUnreachable({ host, port, reason: reasonOf(error) })
  const client = yield* PgClient.make(poolConfig(settings, ssl, servers)).pipe(Effect.mapError(unreachable))
  const [version] = yield* serverVersion(client).pipe(
    Effect.retry({
      while: (error) => !isHopeless(error),
      schedule: Schedule.spaced(retryEvery).pipe(Schedule.upTo({ duration: settings.waitFor }))
    }),
    Effect.mapError(unreachable)
  )
  if (version !== undefined) yield* requireRecent(version)
  if (servers !== undefined && servers.length > 1) yield* warnOfLoss(client)
  return client
})

/** A client for the database that the settings name, once the server is there. */
export const layer = (settings: Settings): Layer.Layer<PgClient.PgClient | SqlClient, Failure> =>
  PgClient.layerFrom(connect(settings))

/** As `layer`, with the settings from the environment. */
export const layerConfig: Layer.Layer<PgClient.PgClient | SqlClient, Failure | Config.ConfigError> = Layer.unwrap(
  Effect.map(config, layer)
)
