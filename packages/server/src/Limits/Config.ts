/** The limits as environment variables. */
import { Config, Schema } from "effect"
import * as ByteSize from "@muster/domain/ByteSize"
import * as Millis from "@muster/domain/Millis"
import { defaults } from "./Limits.ts"
import type { Limits } from "./Limits.ts"

const size = (name: string, fallback: number, least: number) =>
  Config.schema(ByteSize.between(least, 2 ** 30), name).pipe(Config.withDefault(fallback))

const count = (name: string, fallback: number, most = 1_000_000) =>
  Config.schema(
    Schema.FiniteFromString.check(
      Schema.isInt(),
      Schema.isBetween({ minimum: 1, maximum: most }, { expected: `a whole number from 1 to ${most}` })
    ),
    name
  ).pipe(Config.withDefault(fallback))

const millis = (name: string, fallback: number) =>
  Config.schema(Millis.between(100, 86_400_000), name).pipe(Config.withDefault(fallback))

export const config: Config.Config<Limits> = Config.all({
  body: size("MUSTER_LIMIT_BODY", defaults.body, 1_024),
  message: size("MUSTER_LIMIT_MESSAGE", defaults.message, 65_536),
  connections: count("MUSTER_LIMIT_CONNECTIONS", defaults.connections),
  connectionsPerAddress: count("MUSTER_LIMIT_CONNECTIONS_PER_ADDRESS", defaults.connectionsPerAddress),
  requestsPerClient: count("MUSTER_LIMIT_REQUESTS_PER_CLIENT", defaults.requestsPerClient),
  requests: count("MUSTER_LIMIT_REQUESTS", defaults.requests),
  headTimeout: millis("MUSTER_LIMIT_HEAD_TIMEOUT", defaults.headTimeout),
  requestTimeout: millis("MUSTER_LIMIT_REQUEST_TIMEOUT", defaults.requestTimeout),
  idleTimeout: millis("MUSTER_LIMIT_IDLE_TIMEOUT", defaults.idleTimeout),
  pongTimeout: millis("MUSTER_LIMIT_PONG_TIMEOUT", defaults.pongTimeout),
  unread: size("MUSTER_LIMIT_UNREAD", defaults.unread, 65_536)
})

/** Variables, and how each limit is shown. */
export const shown: ReadonlyArray<readonly [variable: string, show: (limits: Limits) => string]> = [
  ["MUSTER_LIMIT_BODY", ({ body }) => String(body)],
  ["MUSTER_LIMIT_MESSAGE", ({ message }) => String(message)],
  ["MUSTER_LIMIT_CONNECTIONS", ({ connections }) => String(connections)],
  ["MUSTER_LIMIT_CONNECTIONS_PER_ADDRESS", ({ connectionsPerAddress }) => String(connectionsPerAddress)],
  ["MUSTER_LIMIT_REQUESTS_PER_CLIENT", ({ requestsPerClient }) => String(requestsPerClient)],
  ["MUSTER_LIMIT_REQUESTS", ({ requests }) => String(requests)],
  ["MUSTER_LIMIT_HEAD_TIMEOUT", ({ headTimeout }) => `${headTimeout}ms`],
  ["MUSTER_LIMIT_REQUEST_TIMEOUT", ({ requestTimeout }) => `${requestTimeout}ms`],
  ["MUSTER_LIMIT_IDLE_TIMEOUT", ({ idleTimeout }) => `${idleTimeout}ms`],
  ["MUSTER_LIMIT_PONG_TIMEOUT", ({ pongTimeout }) => `${pongTimeout}ms`],
  ["MUSTER_LIMIT_UNREAD", ({ unread }) => String(unread)]
]
