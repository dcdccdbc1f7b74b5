/**
 * What a system spends over a time: CPU of processes, and what its database was asked and wrote.
 */
import { readFileSync, readdirSync } from "node:fs"
import { Effect } from "effect"
import type { SqlError } from "effect/sql/SqlError"
import type { SqlClient } from "effect/sql/SqlClient"

/** Ticks of `/proc` per second, the same on every Linux that Node runs on. */
const ticks = 100

interface Stat {
  readonly parent: number
  /** CPU seconds of its own, and of children that have ended. */
  readonly own: number
  readonly children: number
}

const stat = (pid: number): Stat | undefined => {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8")
    // The name of the program, which stands in brackets, may hold anything.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ")
    const at = (field: number) => Number(fields[field - 3])
    return { parent: at(4), own: (at(14) + at(15)) / ticks, children: (at(16) + at(17)) / ticks }
  } catch {
    return undefined
  }
}

/** CPU seconds that a process has used. */
export const cpu = (pid: number): number => stat(pid)?.own ?? 0

/** CPU seconds that a process and its children have used, those that have ended included. */
export const cpuOfFamily = (pid: number): number => {
  const parent = stat(pid)
  let sum = (parent?.own ?? 0) + (parent?.children ?? 0)
  for (const entry of readdirSync("/proc")) {
    const child = /^\d+$/.test(entry) ? stat(Number(entry)) : undefined
    if (child?.parent === pid) sum += child.own
  }
  return sum
}

/** Rows that were inserted, updated or deleted, by table, since the server's counters began. */
const tableWrites = (sql: SqlClient) =>
  sql.unsafe<{ name: string; writes: number }>(
    `select relname as name, (n_tup_ins + n_tup_upd + n_tup_del)::float8 as writes from pg_stat_user_tables`
  )

/** Statements by what they were, with how often they ran and how long that took the server in milliseconds. */
const statements = (sql: SqlClient) =>
  sql.unsafe<{ id: string; query: string; calls: number; time: number }>(
    `select s.queryid::text || '/' || s.userid || '/' || s.dbid || '/' || s.toplevel as id,
       regexp_replace(s.query, '\\s+', ' ', 'g') as query, s.calls::float8 as calls, s.total_exec_time as time
     from pg_stat_statements s`
  )

const wal = (sql: SqlClient) =>
  sql.unsafe<{ bytes: number; syncs: number }>(
    `select (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::float8 as bytes,
       (select coalesce(sum(fsyncs), 0)::float8 from pg_stat_io where object = 'wal') as syncs`
  )

export interface Statement {
  readonly query: string
  readonly calls: number
  /** Milliseconds. */
  readonly time: number
}

export interface Spent {
  readonly seconds: number
  /** CPU seconds of each process that was watched, in the order in which they were given. */
  readonly cpu: ReadonlyArray<number>
  /** CPU seconds of all of Postgres. */
  readonly postgresCpu: number
  /** Rows written, by table; tables without are left out. */
  readonly writes: Readonly<Record<string, number>>
  readonly walBytes: number
  readonly walSyncs: number
  /** What was asked, most often first. Needs `pg_stat_statements`. */
  readonly statements: ReadonlyArray<Statement>
}

/** Whatever this module asks the server itself. */
const isOurs = (query: string) => /pg_stat_|pg_current_wal/.test(query)

/**
 * What the processes and the database spend while `during` runs. `sql` is a connection of its own.
 */
export const during = Effect.fnUntraced(function* <A, E, R>(
  options: {
    readonly sql: SqlClient
    readonly postgres: number
    readonly processes: ReadonlyArray<number>
  },
  effect: Effect.Effect<A, E, R>
): Effect.fn.Return<readonly [A, Spent], E | SqlError, R> {
  const { postgres, processes, sql } = options
  const look = Effect.gen(function* () {
    // Counters of other sessions arrive at the latest a second after they fell idle.
    const tables = yield* tableWrites(sql)
    const asked = yield* statements(sql)
    const [log] = yield* wal(sql)
    return {
      at: performance.now(),
      cpu: processes.map(cpu),
      postgres: cpuOfFamily(postgres),
      tables: new Map(tables.map(({ name, writes }) => [name, writes])),
      asked: new Map(asked.map((row) => [row.id, row])),
      log: log ?? { bytes: 0, syncs: 0 }
    }
  })
  const before = yield* look
  const value = yield* effect
  const after = yield* look
  const writes = [...after.tables]
    .map(([name, count]) => [name, count - (before.tables.get(name) ?? 0)] as const)
    .filter(([, count]) => count > 0)
  const asked = [...after.asked.values()]
    .map(({ calls, id, query, time }) => {
      const earlier = before.asked.get(id)
      return { query, calls: calls - (earlier?.calls ?? 0), time: time - (earlier?.time ?? 0) }
    })
    .filter(({ calls, query }) => calls > 0 && !isOurs(query))
    .toSorted((a, b) => b.calls - a.calls)
  const spent: Spent = {
    seconds: (after.at - before.at) / 1_000,
    cpu: after.cpu.map((value_, place) => value_ - (before.cpu[place] ?? 0)),
    postgresCpu: after.postgres - before.postgres,
    writes: Object.fromEntries(writes),
    walBytes: after.log.bytes - before.log.bytes,
    walSyncs: after.log.syncs - before.log.syncs,
    statements: asked
  }
  return [value, spent] as const
})
