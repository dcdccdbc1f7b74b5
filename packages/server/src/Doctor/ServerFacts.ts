/**
 * Asks the database server for what `domain/Doctor/Server.ts` judges.
 */
import { PgClient } from "@effect/sql-pg"
import { Effect, Redacted } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { DurabilitySetting, Seen, ServerFacts, Transaction } from "@muster/domain/Doctor/Server"
import * as Database from "../Database.ts"
import * as Session from "./Session.ts"

const durabilitySettings = ["fsync", "synchronous_commit", "full_page_writes"] as const

const settingsOf = (sql: SqlClient) =>
  Effect.map(
    sql.unsafe<Seen & { readonly name: string }>(
      "select name, setting as value, source from pg_settings where name in ('fsync', 'synchronous_commit', 'full_page_writes')"
    ),
    (rows) => new Map(rows.map(({ name, source, value }) => [name, { value, source }]))
  )

const unknown: Seen = { value: "unknown", source: "unknown" }

const durability = (client: PgClient.PgClient) =>
  Effect.gen(function* () {
    const ours = yield* settingsOf(client)
    const plain = yield* Effect.flatMap(SqlClient, settingsOf).pipe(
      Effect.provide(Session.plain(client), { local: true })
    )
    return durabilitySettings.map((name): DurabilitySetting => ({
      name,
      ours: ours.get(name) ?? unknown,
      plain: plain.get(name) ?? unknown
    }))
  })

interface Identity {
  readonly role: string
  readonly database: string
  readonly number: number
  readonly version: string
  readonly standby: boolean
  readonly encoding: string
  readonly monitor: boolean
  readonly schema: string | null
}

const identity = `
  select current_user as role, current_database() as database, current_schema() as schema,
    current_setting('server_version_num')::int as number, current_setting('server_version') as version,
    pg_is_in_recovery() as standby,
    (select pg_encoding_to_char(encoding) from pg_database where datname = current_database()) as encoding,
    pg_has_role(current_user, 'pg_read_all_stats', 'usage') as monitor`

interface Counted {
  readonly most: number
  readonly reserved: number
  readonly used: number
  readonly role_most: number
  readonly role_used: number
  readonly database_most: number
  readonly database_used: number
}

/** Without the doctor's own sessions. `reserved_connections` is there from Postgres 16 on. */
const connections = `
  with others as (
    select usename, datname from pg_stat_activity
    where backend_type = 'client backend' and application_name is distinct from $1
  )
  select current_setting('max_connections')::int as most,
    current_setting('superuser_reserved_connections')::int
      + coalesce(current_setting('reserved_connections', true), '0')::int as reserved,
    (select count(*)::int from others) as used,
    (select rolconnlimit from pg_roles where rolname = current_user) as role_most,
    (select count(*)::int from others where usename = current_user) as role_used,
    (select datconnlimit from pg_database where datname = current_database()) as database_most,
    (select count(*)::int from others where datname = current_database()) as database_used`

/** The session with the cluster's locks is one more than the pool. */
const lockSessions = 1

/** What coordinators do with which tables, and what the role may not. Without a schema: whether it may make one. */
const missingRights = `
  select 'create on database ' || current_database() as missing
  where to_regnamespace(current_setting('search_path')) is null
    and not has_database_privilege(current_database(), 'create')
  union all
  select 'temporary on database ' || current_database()
  where not has_database_privilege(current_database(), 'temporary')
  union all
  select p.name || ' on schema ' || n.nspname
  from pg_namespace n, (values ('usage'), ('create')) as p (name)
  where n.oid = to_regnamespace(current_setting('search_path')) and not has_schema_privilege(n.oid, p.name)
  union all
  select string_agg(p.name, ', ' order by p.place) || ' on ' || c.relname
  from pg_class c, (values (1, 'select'), (2, 'insert'), (3, 'update'), (4, 'delete'), (5, 'truncate')) as p (place, name)
  where c.relnamespace = to_regnamespace(current_setting('search_path')) and c.relkind = 'r'
    and not has_table_privilege(c.oid, p.name)
  group by c.relname`

const standbys = `
  select coalesce(application_name, pid::text) as name, coalesce(state, 'unknown') as state,
    coalesce(sync_state, 'unknown') as sync,
    case when pg_is_in_recovery() then null else pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)::float8 end as behind
  from pg_stat_replication order by application_name`

const slots = `
  select slot_name as name, active, wal_status as status,
    case when pg_is_in_recovery() then null else pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::float8 end as kept
  from pg_replication_slots order by slot_name`

/** `host:port/database` of a URL. */
const addressOf = ({ config }: PgClient.PgClient): string => {
  const url = config.url === undefined ? null : URL.parse(Redacted.value(config.url))
  return url === null ? "the database" : `${url.host}${url.pathname}`
}

const unlimited = -1

/** `poolSize`: connections that a coordinator's pool may have. */
export const gather = Effect.fnUntraced(function* (poolSize: number) {
  const client = yield* PgClient.PgClient
  const [who] = yield* client.unsafe<Identity>(identity)
  const [counted] = yield* client.unsafe<Counted>(connections, [Session.applicationName])
  if (who === undefined || counted === undefined) return yield* Effect.die(new Error("a query gave no row"))
  const missing = yield* client.unsafe<{ readonly missing: string }>(missingRights)
  const synchronous = yield* client.unsafe<{ readonly value: string }>(
    "select current_setting('synchronous_standby_names') as value"
  )
  const limits = [
    { of: `the role ${who.role}`, most: counted.role_most, used: counted.role_used },
    { of: `the database ${who.database}`, most: counted.database_most, used: counted.database_used }
  ]
  const facts: ServerFacts = {
    address: addressOf(client),
    role: who.role,
    database: who.database,
    version: { number: who.number, name: who.version },
    oldest: Database.oldestServer,
    isStandby: who.standby,
    encoding: who.encoding,
    durability: yield* durability(client),
    connections: {
      max: counted.most,
      reserved: counted.reserved,
      used: counted.used,
      perCoordinator: poolSize + lockSessions,
      limits: limits.filter(({ most }) => most !== unlimited)
    },
    rights: { missing: missing.map((row) => row.missing), seesOthers: who.monitor },
    replication: {
      synchronous: synchronous[0]?.value ?? "",
      standbys: yield* client.unsafe<ServerFacts["replication"]["standbys"][number]>(standbys),
      slots: yield* client.unsafe<ServerFacts["replication"]["slots"][number]>(slots)
    }
  }
  return facts
})

interface TransactionRow {
  readonly pid: number
  readonly role: string | null
  readonly application: string | null
  readonly idle: boolean
  readonly writes: boolean
  readonly milliseconds: number
}

/**
 * Of all databases of the server: the log's readers wait for the oldest transaction that has a number, wherever it is. What
 * it does is not asked for, since it may name secrets.
 */
const transactions = `
  select pid, usename as role, application_name as application, state like 'idle in transaction%' as idle,
    backend_xid is not null as writes, extract(epoch from clock_timestamp() - xact_start)::float8 * 1000 as milliseconds
  from pg_stat_activity
  where xact_start is not null and pid <> pg_backend_pid() and backend_type in ('client backend', 'background worker')
    and application_name is distinct from $1
  order by xact_start limit 20`

/** Nobody waits for them, and nothing but a command ends them. */
const prepared = `
  select gid, extract(epoch from clock_timestamp() - prepared)::float8 * 1000 as milliseconds
  from pg_prepared_xacts order by prepared limit 20`

export const gatherTransactions = Effect.gen(function* () {
  const sql = yield* SqlClient
  const running = yield* sql.unsafe<TransactionRow>(transactions, [Session.applicationName])
  const waiting = yield* sql.unsafe<{ readonly gid: string; readonly milliseconds: number }>(prepared)
  return [
    ...running.map(({ application, idle, milliseconds, pid, role, writes }): Transaction => ({
      who: `process ${pid} of ${role ?? "the server"}${application ? ` (${application})` : ""}`,
      end: `find out what it is, and end it: select pg_terminate_backend(${pid})`,
      milliseconds,
      isIdle: idle,
      holdsLog: writes
    })),
    ...waiting.map(({ gid, milliseconds }): Transaction => ({
      who: `prepared transaction '${gid}'`,
      end: `commit prepared '${gid}', or rollback prepared '${gid}'`,
      milliseconds,
      isIdle: true,
      holdsLog: true
    }))
  ]
})
