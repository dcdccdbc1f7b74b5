/**
 * Which coordinators there are, and which shards each of them has: as advisory locks of one session that each keeps in
 * Postgres. Nothing is written while nothing changes. Whatever ends the session ends all of it at once, so a coordinator
 * that dies is gone in the moment in which its connection breaks; one that is frozen is ended by the server when its
 * session was idle for too long.
 *
 * The cluster's own `SqlRunnerStorage` writes a heartbeat a second for each coordinator, and believes in one that died
 * until the last of them is old.
 */
import { PgClient, PgConnection } from "@effect/sql-pg"
import { Clock, Duration, Effect, Exit, Fiber, Layer, Scope, Semaphore } from "effect"
import { PersistenceError } from "effect/cluster/ClusterError"
import * as RunnerStorage from "effect/cluster/RunnerStorage"
import * as ShardId from "effect/cluster/ShardId"
import { ShardingConfig } from "effect/cluster/ShardingConfig"
import * as SqlRunnerStorage from "effect/cluster/SqlRunnerStorage"
import type { SqlClient } from "effect/sql/SqlClient"
import { ConnectionError, SqlError } from "effect/sql/SqlError"
import * as BootClock from "./BootClock.ts"
import * as Locks from "./ClusterLocks.ts"
import * as Param from "./Param.ts"
import * as SessionName from "./SessionName.ts"
import { Tenure } from "./Tenure.ts"

/** Locks under a namespace that are held: by this session, or by any of the database. */
const heldLocks = (space: number, by: "session" | "anybody") => `
  select ${Locks.number} as number from pg_locks
  where ${Locks.granted(space)}${by === "session" ? " and pid = pg_backend_pid()" : ""}`

const refail = <A, R>(effect: Effect.Effect<A, SqlError, R>) =>
  Effect.mapError(effect, (cause) => new PersistenceError({ cause }))

interface Session {
  readonly connection: PgConnection.PgConnection
  readonly scope: Scope.Closeable
}

const silent = new SqlError({
  reason: new ConnectionError({ cause: new Error("the server did not answer"), operation: "lock" })
})

const make = Effect.gen(function* () {
  const sql = yield* PgClient.PgClient
  const config = yield* ShardingConfig
  const tenure = yield* Tenure
  const outer = yield* Effect.scope
  const expiry = Duration.toMillis(Duration.fromInputUnsafe(config.shardLockExpiration))
  const [current] = yield* sql.unsafe<{ schema: string }>("select current_schema() as schema")
  const { coordinators, shards } = Locks.of(current?.schema ?? "")
  const self = yield* SessionName.Self
  /** What the session is called from now on: the shards that it holds are others than before. */
  const nameNow = Effect.map(Clock.currentTimeMillis, (now) => SessionName.encode(self, now))

  const opening = yield* Semaphore.make(1)
  let session: Session | undefined
  /** This coordinator's number, once it has one. */
  let machine: number | undefined

  /** Shared, so that a session of the same coordinator that has not ended yet does not keep a new one waiting. */
  const show = ({ connection }: Session, number: number) =>
    connection.query(`select pg_advisory_lock_shared(${coordinators}, $1)`, [number])

  /** Ends a session, and with it all of its locks. Does not wait for a server that does not answer. */
  const drop = (ended: Session) =>
    Effect.suspend(() => {
      if (session === ended) {
        session = undefined
        tenure.allEnded()
      }
      return Scope.close(ended.scope, Exit.void)
    })

  const open = Effect.gen(function* () {
    if (session !== undefined) return session
    const scope = yield* Scope.fork(outer)
    const opened = yield* PgConnection.make({
      ...sql.config,
      applicationName: yield* nameNow,
      connectTimeout: expiry,
      startupParameters: { ...sql.config.startupParameters, idle_session_timeout: String(Math.ceil(expiry)) }
    }).pipe(
      Scope.provide(scope),
      Effect.map((connection): Session => ({ connection, scope })),
      Effect.tap((fresh) => (machine === undefined ? Effect.void : show(fresh, machine))),
      Effect.onError(() => Scope.close(scope, Exit.void))
    )
    session = opened
    return opened
  }).pipe(opening.withPermits(1))

  /**
   * The session is lost with the first thing that fails in it: a lock that is not certain is none. A server that is only
   * slow is waited for, whether or not whoever asked still does, since a new session would have to begin with nothing.
   */
  const inSession = <A>(use: (mine: Session) => Effect.Effect<A, SqlError>) =>
    Effect.flatMap(open, (mine) =>
      use(mine).pipe(
        // Dropped first, since a query that is interrupted waits for its end.
        Effect.raceFirst(Effect.delay(Effect.andThen(drop(mine), Effect.fail(silent)), expiry)),
        Effect.tapError((error) =>
          Effect.andThen(drop(mine), Effect.logWarning("the session with this coordinator's locks is lost", error))
        ),
        Effect.forkIn(outer, { startImmediately: true }),
        Effect.flatMap(Fiber.join)
      )
    )

  const numberOf = (shardId: string) => ShardId.fromString(shardId).id
  const numbers = (shardIds: Iterable<string>) => Param.ints(Array.from(shardIds, numberOf))

  /** Asks for shards, and tells which of them the answer names: those that this session has. */
  const ours = (
    text: string,
    shardIds: ReadonlyArray<string>,
    found: Tenure["Service"]["proven"],
    ...more: ReadonlyArray<unknown>
  ) =>
    Effect.suspend(() => {
      const begunAt = BootClock.now()
      return inSession((mine) =>
        Effect.map(mine.connection.query(text, [numbers(shardIds), ...more]), ({ rows }) => {
          const held = new Set(rows.map(({ number }) => Number(number)))
          // An answer that comes late from a session that was given up says nothing.
          if (session === mine) {
            tenure.ended(shardIds.map(numberOf).filter((shard) => !held.has(shard)))
            found(held, begunAt)
          }
          return shardIds.filter((id) => held.has(numberOf(id)))
        })
      )
    })

  return RunnerStorage.makeEncoded({
    getRunners: sql
      .unsafe<{ runner: string; healthy: boolean }>(
        `select runner, healthy from cluster_runners where machine_id in (${heldLocks(coordinators, "anybody")})`
      )
      .pipe(
        Effect.map((rows) => rows.map(({ healthy, runner }) => [runner, healthy] as const)),
        refail
      ),

    register: (address, runner, healthy) =>
      Effect.gen(function* () {
        const [row] = yield* sql.unsafe<{ machine_id: number }>(
          `insert into cluster_runners (address, runner, healthy) values ($1, $2, $3)
           on conflict (address) do update set runner = excluded.runner, healthy = excluded.healthy
           returning machine_id`,
          [address, runner, healthy]
        )
        if (row === undefined) return yield* Effect.die(new Error("an insert gave no row"))
        if (machine !== row.machine_id || session === undefined) {
          machine = row.machine_id
          // A session that is opened from now on shows it by itself.
          yield* session === undefined ? open : inSession((mine) => show(mine, row.machine_id))
        }
        return row.machine_id
      }).pipe(refail),

    // With it go those that died without a word.
    unregister: (address) =>
      sql
        .unsafe(
          `delete from cluster_runners
           where address = $1 or machine_id not in (${heldLocks(coordinators, "anybody")})`,
          [address]
        )
        .pipe(Effect.asVoid, refail),

    setRunnerHealth: (address, healthy) =>
      sql
        .unsafe("update cluster_runners set healthy = $2 where address = $1 and healthy <> $2", [address, healthy])
        .pipe(Effect.asVoid, refail),

    // Locks of a session are counted: what it has already must not be taken twice.
    acquire: (_address, shardIds) =>
      Effect.flatMap(nameNow, (name) =>
        ours(
          `with mine as materialized (${heldLocks(shards, "session")}), got as materialized (
             select number from unnest($1::int4[]) as wanted (number)
             where case when number in (select number from mine) then true else pg_try_advisory_lock(${shards}, number) end
           )
           select number, set_config('application_name', $2, false) from got`,
          shardIds,
          tenure.taken,
          name
        )
      ).pipe(refail),

    // A session that has taken the place of a lost one holds nothing, and says so.
    refresh: (_address, shardIds) =>
      ours(
        `select number from (${heldLocks(shards, "session")}) as mine where number = any ($1::int4[])`,
        shardIds,
        tenure.proven
      ).pipe(refail),

    release: (_address, shardId) =>
      Effect.flatMap(nameNow, (name) => {
        tenure.ended([numberOf(shardId)])
        return inSession(({ connection }) =>
          connection.query(
            `select number, pg_advisory_unlock(${shards}, number), set_config('application_name', $2, false)
             from (${heldLocks(shards, "session")}) as mine where number = $1`,
            [Param.int(numberOf(shardId)), name]
          )
        )
      }).pipe(Effect.asVoid, refail),

    releaseAll: () =>
      Effect.suspend(() => {
        tenure.allEnded()
        return inSession(({ connection }) =>
          connection.query(
            `select number, pg_advisory_unlock(${shards}, number) from (${heldLocks(shards, "session")}) as mine`
          )
        )
      }).pipe(Effect.asVoid, refail)
  })
})

export const layer: Layer.Layer<
  RunnerStorage.RunnerStorage,
  SqlError,
  PgClient.PgClient | SqlClient | ShardingConfig | Tenure
> = Layer.effect(RunnerStorage.RunnerStorage, make).pipe(
  // Its table of runners, which is written when one comes or goes.
  Layer.provide(SqlRunnerStorage.layerMigrations({}))
)
