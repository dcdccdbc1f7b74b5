/**
 * Who is in the cluster and who has which shards, as locks in a real Postgres: what one coordinator does is seen by others.
 */
import { assert, describe, it } from "@effect/vitest"
import { PgClient } from "@effect/sql-pg"
import { Context, Effect, Exit, Layer, Scope } from "effect"
import { Runner } from "effect/cluster/Runner"
import * as RunnerAddress from "effect/cluster/RunnerAddress"
import { RunnerStorage } from "effect/cluster/RunnerStorage"
import * as ShardId from "effect/cluster/ShardId"
import * as ShardingConfig from "effect/cluster/ShardingConfig"
import { SqlClient } from "effect/sql/SqlClient"
import * as BootClock from "../src/BootClock.ts"
import * as PgRunnerStorage from "../src/PgRunnerStorage.ts"
import * as Tenure from "../src/Tenure.ts"
import { eventually } from "./support/Eventually.ts"
import * as Muster from "./support/Muster.ts"

/** Longer than any of these tests takes, but for the one that waits for it. Milliseconds. */
const long = 60_000
const short = 600

const shards = (...numbers: ReadonlyArray<number>) => numbers.map((number) => ShardId.make("default", number))
const numbers = (ids: ReadonlyArray<ShardId.ShardId>) => ids.map(({ id }) => id).toSorted((a, b) => a - b)

/** A coordinator's view, on connections of its own; `die` breaks them all without a word. */
const coordinator = Effect.fnUntraced(function* (
  port: number,
  { expiry = long, schema }: { readonly expiry?: number; readonly schema?: string } = {}
) {
  const scope = yield* Scope.fork(yield* Effect.scope)
  const context = yield* Layer.build(
    Layer.fresh(PgRunnerStorage.layer).pipe(
      Layer.provide(ShardingConfig.layer({ shardLockExpiration: expiry })),
      Layer.provideMerge(Layer.fresh(Tenure.layer)),
      Layer.provideMerge(Layer.fresh(Muster.clientLayer(schema === undefined ? {} : { schema })))
    )
  ).pipe(Scope.provide(scope))
  const storage = Context.get(context, RunnerStorage)
  const address = RunnerAddress.make("127.0.0.1", port)
  const tenure = Context.get(context, Tenure.Tenure)
  const runner = Runner.make({ address, groups: ["default"], weight: 1 })
  return {
    address,
    sql: Context.get(context, PgClient.PgClient),
    register: storage.register(runner, true),
    unregister: storage.unregister(address),
    others: Effect.map(storage.getRunners, (runners) =>
      runners.map(([{ address: of }]) => of.port).toSorted((a, b) => a - b)
    ),
    healthy: Effect.map(storage.getRunners, (runners) =>
      runners.flatMap(([{ address: of }, isHealthy]) => (isHealthy ? [of.port] : []))
    ),
    setHealth: (of: RunnerAddress.RunnerAddress, healthy: boolean) => storage.setRunnerHealth(of, healthy),
    acquire: (...wanted: ReadonlyArray<number>) => Effect.map(storage.acquire(address, shards(...wanted)), numbers),
    refresh: (...had: ReadonlyArray<number>) => Effect.map(storage.refresh(address, shards(...had)), numbers),
    release: (number: number) => storage.release(address, ShardId.make("default", number)),
    releaseAll: storage.releaseAll(address),
    holding: (id: number) => tenure.of({ id }),
    die: Scope.close(scope, Exit.void)
  }
})

const provided = Effect.provide(Muster.layer, { local: true })

describe("the locks of coordinators", () => {
  it.live("say who is there, from the registration until the session ends", () =>
    Effect.gen(function* () {
      const [one, two] = [yield* coordinator(1), yield* coordinator(2)]
      const first = yield* one.register
      const second = yield* two.register
      assert.notStrictEqual(first, second)
      assert.deepStrictEqual(yield* one.others, [1, 2])
      assert.strictEqual(yield* one.register, first)
      yield* one.setHealth(two.address, false)
      assert.deepStrictEqual(yield* one.healthy, [1])
      yield* two.die
      yield* eventually(one.others, (all) => all.length === 1)
      yield* one.unregister
      assert.deepStrictEqual(yield* one.others, [])
      const sql = yield* SqlClient
      assert.deepStrictEqual(yield* sql`select * from cluster_runners`, [])
    }).pipe(provided)
  )

  it.live("give a shard to one coordinator at a time", () =>
    Effect.gen(function* () {
      const [one, two] = [yield* coordinator(1), yield* coordinator(2)]
      assert.deepStrictEqual(yield* one.acquire(1, 2, 3), [1, 2, 3])
      assert.deepStrictEqual(yield* two.acquire(2, 3, 4), [4])
      assert.deepStrictEqual(yield* one.acquire(3), [3])
      assert.deepStrictEqual(yield* one.refresh(1, 2, 3, 4), [1, 2, 3])
      yield* one.release(3)
      yield* one.release(4)
      assert.deepStrictEqual(yield* two.acquire(2, 3, 4), [3, 4])
      yield* one.register
      yield* one.releaseAll
      assert.deepStrictEqual(yield* one.refresh(1, 2, 3, 4), [])
      assert.deepStrictEqual(yield* two.acquire(1, 2), [1, 2])
      assert.deepStrictEqual(yield* two.others, [1])
      yield* two.die
      yield* eventually(one.acquire(1, 2, 3, 4), (all) => all.length === 4)
    }).pipe(provided)
  )

  it.live("are known with when it was last proved that they are held", () =>
    Effect.gen(function* () {
      const one = yield* coordinator(1)
      const began = BootClock.now()
      yield* one.acquire(1, 2)
      const first = one.holding(1)
      assert.isAtLeast(first?.provenAt ?? 0, began)
      const proved = yield* eventually(
        Effect.map(one.refresh(1, 2), () => one.holding(1)),
        (holding) => (holding?.provenAt ?? 0) > (first?.provenAt ?? 0)
      )
      assert.strictEqual(proved?.number, first?.number)
      yield* one.release(1)
      assert.isUndefined(one.holding(1))
      assert.isDefined(one.holding(2))
      yield* one.acquire(1)
      assert.notStrictEqual(one.holding(1)?.number, first?.number)
      // A look that began before names what was released since.
      yield* Effect.all([one.refresh(1, 2), one.release(2)], { concurrency: 2 })
      assert.isUndefined(one.holding(2))
    }).pipe(provided)
  )

  it.live("are gone with a coordinator that does nothing any more", () =>
    Effect.gen(function* () {
      const [frozen, other] = [yield* coordinator(1, { expiry: short }), yield* coordinator(2)]
      yield* frozen.register
      yield* frozen.acquire(1)
      yield* eventually(other.acquire(1), (all) => all.length === 1)
      assert.deepStrictEqual(yield* other.others, [])
      // Until it looks again, it only knows what was so then.
      const before = frozen.holding(1)
      assert.isDefined(before)
      // It wakes, and is told what it has lost before it may have anything again.
      yield* Effect.exit(frozen.refresh(1))
      assert.isUndefined(frozen.holding(1))
      assert.deepStrictEqual(yield* frozen.refresh(1), [])
      assert.deepStrictEqual(yield* other.others, [1])
    }).pipe(provided)
  )

  it.live("cost no write while nothing changes", () =>
    Effect.gen(function* () {
      const one = yield* coordinator(1)
      yield* one.register
      yield* one.acquire(1, 2)
      const next = Effect.map(
        one.sql.unsafe<{ next: string }>("select pg_snapshot_xmax(pg_current_snapshot())::text as next"),
        ([row]) => row?.next
      )
      const before = yield* next
      for (let round = 0; round < 3; round++) {
        yield* one.refresh(1, 2)
        yield* one.others
        yield* one.setHealth(one.address, true)
      }
      assert.strictEqual(yield* next, before)
    }).pipe(provided)
  )

  it.live("are those of one schema", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      yield* sql`create schema elsewhere`
      const [here, there] = [yield* coordinator(1), yield* coordinator(1, { schema: "elsewhere" })]
      yield* here.register
      assert.deepStrictEqual(yield* here.acquire(1), [1])
      assert.deepStrictEqual(yield* there.others, [])
      assert.deepStrictEqual(yield* there.acquire(1), [1])
    }).pipe(provided)
  )
})
