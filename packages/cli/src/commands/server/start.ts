import { ConfigProvider, Effect, Layer, Logger, Option } from "effect"
import type { Config } from "effect"
import { Command, Flag } from "effect/cli"
import type * as Profile from "@muster/client/Profile"
import * as ParentPipe from "../../dev/ParentPipe.ts"
import { Environment } from "../../Environment.ts"
import * as Failure from "../../Failure.ts"
import * as Params from "../../Params.ts"
import * as Screen from "../../Screen.ts"

const params = {
  databaseUrl: Flag.String("database-url").pipe(
    Flag.withMetavar("URL"),
    Flag.withDescription(
      "Postgres 15 or newer (default: MUSTER_DATABASE_URL); coordinators that share it form a cluster"
    ),
    Flag.optional
  ),
  host: Flag.String("host").pipe(
    Flag.withMetavar("ADDRESS"),
    Flag.withDescription("Address to listen on (default: MUSTER_HOST, 127.0.0.1)"),
    Flag.optional
  ),
  tlsCert: Params.file(
    "tls-cert",
    "Certificate to show; without one only loopback is listened on (default: MUSTER_TLS_CERT)"
  ),
  tlsKey: Params.file("tls-key", "Its private key (default: MUSTER_TLS_KEY)"),
  tlsManagerCa: Params.file(
    "tls-manager-ca",
    "Authorities that sign managers' certificates; managers need one then (default: MUSTER_TLS_MANAGER_CA)"
  ),
  allowCleartext: Flag.Boolean("allow-cleartext").pipe(
    Flag.withDescription("Listen where other machines can reach it without TLS (default: MUSTER_ALLOW_CLEARTEXT, no)"),
    Flag.withDefault(false)
  ),
  port: Params.wholeNumber("port", "Port to listen on (default: MUSTER_PORT, 7117)", 0, 65_535).pipe(Flag.optional),
  clusterPort: Params.wholeNumber(
    "cluster-port",
    "Port for the other coordinators (default: MUSTER_CLUSTER_PORT, any free one)",
    0,
    65_535
  ).pipe(Flag.optional)
}

type Values = Command.Command.Config.Infer<typeof params>

/** The environment, with what flags say in its place. */
const environment = (
  { allowCleartext, clusterPort, databaseUrl, host, port, tlsCert, tlsKey, tlsManagerCa }: Values,
  inherited: Profile.Environment
): Record<string, string> => {
  const flags = {
    MUSTER_DATABASE_URL: databaseUrl,
    MUSTER_HOST: host,
    MUSTER_TLS_CERT: tlsCert,
    MUSTER_TLS_KEY: tlsKey,
    MUSTER_TLS_MANAGER_CA: tlsManagerCa,
    MUSTER_ALLOW_CLEARTEXT: allowCleartext ? Option.some("true") : Option.none<string>(),
    MUSTER_PORT: Option.map(port, String),
    MUSTER_CLUSTER_PORT: Option.map(clusterPort, String)
  }
  const given = Object.entries(flags).flatMap(([name, value]) => (Option.isSome(value) ? [[name, value.value]] : []))
  const defined = Object.entries(inherited).filter(([, value]) => value !== undefined)
  return Object.fromEntries([...defined, ...given])
}

const handler = Effect.fn("server.start")(function* (values: Values) {
  const provider = ConfigProvider.fromEnv({ env: environment(values, yield* Environment) })
  const NodeFlags = yield* Effect.promise(() => import("@muster/server/NodeFlags"))
  NodeFlags.apply()
  const Server = yield* Effect.promise(() => import("@muster/server/Server"))
  const Listener = yield* Effect.promise(() => import("@muster/server/Listener"))
  const ServerConfig = yield* Effect.promise(() => import("@muster/server/ServerConfig"))
  const config = yield* Effect.mapError(ServerConfig.config.parse(provider), (error: Config.ConfigError) =>
    Failure.usage(ServerConfig.problem(error))
  )
  const ready = Layer.effectDiscard(Screen.note(`coordinator ready on ${Listener.address(config)}`))
  yield* ParentPipe.follow
  return yield* Layer.launch(Layer.provide(ready, Server.layer(config))).pipe(
    Effect.provideService(Logger.LogToStderr, true)
  )
}, Effect.scoped)

export const start = Command.make("start", params, handler).pipe(
  Command.withDescription(
    [
      "Run a coordinator until Ctrl-C. Several on one database form a cluster: if one",
      "  goes, the others take over. The tokens MUSTER_ADMIN_TOKEN and",
      "  MUSTER_ENROLMENT_TOKEN are made known, if they are set."
    ].join("\n")
  ),
  Command.withShortDescription("Run a coordinator"),
  Command.withExamples([
    {
      command: "muster server start --database-url postgres://muster@db/muster?sslmode=verify-full",
      description: "With a database of yours"
    }
  ])
)
