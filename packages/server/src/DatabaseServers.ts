/**
 * Which of several database servers is the one to write to: a primary with its standbys, of which another one may be the
 * primary in a minute. Asked before each new connection, since a connection to a server that is no longer primary ends with
 * that server's role.
 *
 * After a failover the old primary may come back and take writes that nobody else will ever see. Each promotion begins a new
 * timeline in Postgres, so a server on an older one than was seen before is refused.
 */
import { Socket } from "node:net"
import type { Duplex } from "node:stream"
import { PgConnection } from "@effect/sql-pg"
import { Duration, Effect, Predicate, Redacted, Result } from "effect"
import type { SqlError } from "effect/sql/SqlError"

export interface Server {
  readonly host: string
  readonly port: number
  /** The address of this server alone. */
  readonly url: Redacted.Redacted
}

const defaultPort = 5432

/** What a server is asked whether it is the one. */
const allowedRoles: ReadonlySet<string> = new Set(["read-write", "primary"])

/**
 * The servers of `postgres://user:password@host1:port1,host2:port2/database`, as libpq writes it; or what is wrong with it.
 * One server is a list too if `target_session_attrs` asks for a primary: a name that leads to whichever it is.
 */
export const parse = (url: Redacted.Redacted): Result.Result<ReadonlyArray<Server> | undefined, string> => {
  const parts = /^(?<scheme>postgres(?:ql)?:\/\/)(?<user>[^@/?#]*@)?(?<hosts>[^/?#]*)(?<rest>.*)$/s.exec(
    Redacted.value(url)
  )
  const { hosts = "", rest = "", scheme = "", user = "" } = parts?.groups ?? {}
  const query = URL.parse(`http://x${rest}`)?.searchParams
  const role = query?.get("target_session_attrs") ?? undefined
  if (role !== undefined && !allowedRoles.has(role)) {
    return Result.fail(
      `asks for target_session_attrs=${role}; Muster writes, so allowed are: ${[...allowedRoles].join(", ")}`
    )
  }
  if (query?.get("host")?.includes(",") === true)
    return Result.fail("has several hosts in ?host=; put them before the /")
  const names = hosts.split(",")
  if (names.length === 1 && role === undefined) return Result.succeed(undefined)
  const servers: Array<Server> = []
  for (const name of names) {
    const alone = `${scheme}${user}${name}${rest}`
    const parsed = URL.parse(alone)
    if (parsed === null || parsed.hostname === "") return Result.fail(`has a host that cannot be read (${name})`)
    const host = parsed.hostname.replace(/^\[(.*)\]$/, "$1")
    servers.push({ host, port: parsed.port === "" ? defaultPort : Number(parsed.port), url: Redacted.make(alone) })
  }
  return Result.succeed(servers)
}

/** What a server says of itself. */
export interface Role {
  readonly isReadOnly: boolean
  /** Of its write-ahead log; rises with each promotion. Nothing on a standby. */
  readonly timeline: number | undefined
}

/** Why a server is not the one to write to, or nothing if it may be. */
export const refusal = ({ isReadOnly, timeline }: Role, latest: number): string | undefined => {
  if (isReadOnly || timeline === undefined) return "is a standby or takes no writes"
  return timeline < latest ? `is an old primary (timeline ${timeline}, there has been ${latest})` : undefined
}

const roleText = `select current_setting('transaction_read_only') = 'on' as read_only,
  case when pg_is_in_recovery() then null
    else ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int4 end as timeline`

/** A server that has not answered by then is left out. */
const patience = Duration.seconds(2)

/** Connections that are opened together ask once. Milliseconds. */
const remembered = 1_000

const reasonOf = ({ reason }: SqlError): string =>
  Predicate.isError(reason.cause) && reason.cause.message !== ""
    ? reason.cause.message
    : Predicate.hasProperty(reason.cause, "code")
      ? String(reason.cause.code)
      : reason._tag

/** What one server says, or why it says nothing. */
const ask = ({ url }: Server): Effect.Effect<Result.Result<Role, string>> =>
  Effect.gen(function* () {
    const connection = yield* PgConnection.make({ url, applicationName: "muster", connectTimeout: patience })
    const { rows } = yield* connection.query(roleText)
    const [row] = rows
    return Result.succeed<Role>({
      isReadOnly: row?.["read_only"] !== false,
      timeline: typeof row?.["timeline"] === "number" ? row["timeline"] : undefined
    })
  }).pipe(
    Effect.scoped,
    Effect.catch((error) => Effect.succeed(Result.fail(reasonOf(error)))),
    Effect.timeoutOrElse({
      duration: patience,
      orElse: () => Effect.succeed(Result.fail(`no answer within ${Duration.toSeconds(patience)} s`))
    })
  )

const nameOf = ({ host, port }: Server) => `${host}:${port}`

/** Remembers which server is the primary, and finds it again when it is another one. */
export const make = (servers: ReadonlyArray<Server>, keepAlive: Duration.Duration) => {
  let latest = 0
  let found: { readonly server: Server; readonly at: number } | undefined
  let searching: Promise<Server> | undefined

  const search = Effect.gen(function* () {
    const answers = yield* Effect.forEach(
      servers,
      (server) => Effect.map(ask(server), (answer) => ({ server, answer })),
      { concurrency: "unbounded" }
    )
    for (const { answer } of answers)
      if (Result.isSuccess(answer)) latest = Math.max(latest, answer.success.timeline ?? 0)
    const refused: Array<string> = []
    for (const { answer, server } of answers) {
      const reason = Result.isSuccess(answer) ? refusal(answer.success, latest) : answer.failure
      if (reason === undefined) {
        if (found !== undefined && found.server !== server) {
          yield* Effect.logWarning(`the database is now at ${nameOf(server)} (timeline ${latest})`)
        }
        found = { server, at: Date.now() }
        return server
      }
      refused.push(`${nameOf(server)}: ${reason}`)
    }
    return yield* Effect.die(new Error(`no server takes writes (${refused.join("; ")})`))
  })

  const primary = (): Promise<Server> => {
    if (found !== undefined && Date.now() - found.at < remembered) return Promise.resolve(found.server)
    searching ??= Effect.runPromise(search).finally(() => {
      searching = undefined
    })
    return searching
  }

  const connect = async (socket: Socket): Promise<void> => {
    try {
      const { host, port } = await primary()
      if (socket.destroyed) return
      // A server that was the primary a moment ago and refuses now is not taken for it from memory.
      socket.once("error", () => {
        found = found === undefined ? undefined : { ...found, at: 0 }
      })
      socket.connect({ host, port })
      socket.uncork()
    } catch (error) {
      socket.destroy(error instanceof Error ? error : new Error(String(error)))
    }
  }

  return {
    /** For the driver: a socket that connects as soon as it is known where to. What is written before that waits. */
    stream: (): Duplex => {
      const socket = new Socket()
      // What the driver does with a socket of its own.
      socket.once("connect", () => socket.setNoDelay(true).setKeepAlive(true, Duration.toMillis(keepAlive)))
      socket.cork()
      void connect(socket)
      return socket
    }
  }
}
