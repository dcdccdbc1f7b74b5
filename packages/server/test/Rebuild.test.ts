import { assert, layer } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import * as EventStore from "../src/EventStore.ts"
import type { InlineProjection } from "../src/InlineProjection.ts"
import * as Param from "../src/Param.ts"
import * as PgEventStore from "../src/PgEventStore.ts"
import * as Rebuild from "../src/Rebuild.ts"
import { event } from "./support/EventStoreSuite.ts"
import { eventually } from "./support/Eventually.ts"
import * as Muster from "./support/Muster.ts"

/** Accounts: a balance per stream, and a row for each payment. */
const accounts: InlineProjection = {
  name: "accounts",
  tables: ["balances", "payments"],
  streams: "account-",
  begin: (stream) => {
    let balance = 0
    return (events) => {
      const amounts = events.map(({ data }) => Number(data))
      balance = amounts.reduce((sum, amount) => sum + amount, balance)
      return [
        {
          text: `insert into balances (id, balance, version) values ($1, $2, $3)
                 on conflict (id) do update set balance = excluded.balance, version = excluded.version`,
          params: [stream, Param.int(balance), Param.int(events.at(-1)?.version ?? 0)]
        },
        {
          text: "insert into payments (id, version, amount) select $1, * from unnest($2::int[], $3::int[])",
          params: [stream, Param.ints(events.map(({ version }) => version)), Param.ints(amounts)]
        }
      ]
    }
  }
}

const createTables = Effect.gen(function* () {
  const sql = yield* SqlClient
  yield* sql`create table balances (id text primary key, balance int not null, version int not null)`
  yield* sql`create table payments (id text, version int, amount int not null, primary key (id, version))`
})

/** Appends payments and their rows, as an entity does. */
const pay = Effect.fnUntraced(function* (stream: string, amounts: ReadonlyArray<number>) {
  const store = yield* EventStore.EventStore
  const history = yield* store.readStream(stream)
  const events = amounts.map((amount) => event("Paid", undefined, amount))
  const recorded = events.map((one, index) => ({
    ...one,
    data: amounts[index] ?? 0,
    stream,
    version: history.length + index + 1,
    position: 0,
    recordedAt: 0
  }))
  const handle = accounts.begin(stream)
  if (history.length > 0) handle(history)
  yield* store.append({ stream, expectedVersion: history.length, events, writes: handle(recorded) })
})

const rows = Effect.gen(function* () {
  const sql = yield* SqlClient
  return [yield* sql`select * from balances order by id`, yield* sql`select * from payments order by id, version`]
})

const fill = Effect.gen(function* () {
  yield* createTables
  for (let k = 0; k < 5; k++) yield* pay(`account-${k}`, [k, 10])
  // Longer than one batch, and next to streams that only look similar.
  yield* pay(
    "account-1",
    Array.from({ length: 200 }, (_, k) => k)
  )
  const store = yield* EventStore.EventStore
  for (const stream of ["account", "account.1", "accountant-1", "b"]) {
    yield* store.append({ stream, expectedVersion: 0, events: [event("Other", undefined, 1)] })
  }
})

const test = (name: string, body: Effect.Effect<void, unknown, SqlClient | EventStore.EventStore>) =>
  layer(Layer.fresh(PgEventStore.layer.pipe(Layer.provideMerge(Muster.layer))), { excludeTestServices: true })(
    "rebuilding",
    (it) => {
      it.effect(name, () => body)
    }
  )

test(
  "gives the same rows again",
  Effect.gen(function* () {
    yield* fill
    const sql = yield* SqlClient
    const before = yield* rows
    yield* sql`update balances set balance = -1`
    yield* sql`delete from payments where version > 1`
    yield* sql`insert into payments values ('account-x', 1, 1)`
    assert.deepStrictEqual(yield* Rebuild.rebuild(accounts), { streams: 5, events: 210 })
    assert.deepStrictEqual(yield* rows, before)
  })
)

test(
  "changes nothing when it fails",
  Effect.gen(function* () {
    yield* fill
    const before = yield* rows
    const broken: InlineProjection = {
      ...accounts,
      begin: (stream) =>
        stream === "account-3" ? () => [{ text: "select 1 / 0", params: [] }] : accounts.begin(stream)
    }
    const error = yield* Effect.flip(Rebuild.rebuild(broken))
    assert.include(error.message, "division by zero")
    assert.deepStrictEqual(yield* rows, before)
  })
)

test(
  "finds no difference where there is none, and leaves nothing behind",
  Effect.gen(function* () {
    yield* fill
    const before = yield* rows
    for (const _again of [1, 2]) {
      const checked = yield* Rebuild.check(accounts)
      assert.deepStrictEqual(checked, {
        streams: 5,
        events: 210,
        tables: [
          { table: "balances", compared: 5, differing: 0, differences: [] },
          { table: "payments", compared: 210, differing: 0, differences: [] }
        ]
      })
    }
    assert.deepStrictEqual(yield* rows, before)
    yield* pay("account-1", [1])
    assert.strictEqual((yield* Rebuild.check(accounts)).tables[1]?.compared, 211)
  })
)

test(
  "names rows that are wrong, missing or too many",
  Effect.gen(function* () {
    yield* fill
    const sql = yield* SqlClient
    yield* sql`update balances set balance = -1 where id = 'account-2'`
    yield* sql`delete from payments where id = 'account-0' and version = 1`
    yield* sql`insert into payments values ('account-x', 7, 3)`
    const { tables } = yield* Rebuild.check(accounts)
    const wrong = { id: "account-2", version: 2 }
    assert.deepStrictEqual(tables, [
      {
        table: "balances",
        compared: 5,
        differing: 1,
        differences: [{ key: { id: "account-2" }, live: { ...wrong, balance: -1 }, rebuilt: { ...wrong, balance: 12 } }]
      },
      {
        table: "payments",
        compared: 211,
        differing: 2,
        differences: [
          {
            key: { id: "account-0", version: 1 },
            live: null,
            rebuilt: { id: "account-0", version: 1, amount: 0 }
          },
          { key: { id: "account-x", version: 7 }, live: { id: "account-x", version: 7, amount: 3 }, rebuilt: null }
        ]
      }
    ])
  })
)

test(
  "waits for writers and makes later ones wait, so that none is lost",
  Effect.gen(function* () {
    yield* fill
    const sql = yield* SqlClient
    // A writer that has written its events and rows, and has not committed.
    const written = yield* Deferred.make<void>()
    const commit = yield* Deferred.make<void>()
    const writer = yield* sql
      .withTransaction(
        pay("account-7", [7]).pipe(
          Effect.andThen(Deferred.succeed(written, undefined)),
          Effect.andThen(Deferred.await(commit))
        )
      )
      .pipe(Effect.forkChild)
    yield* Deferred.await(written)
    const rebuilding = yield* Effect.forkChild(Rebuild.rebuild(accounts))
    const waiting = (count: number) =>
      eventually(
        sql`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
        (found) => found.length === count
      )
    yield* waiting(1)
    const later = yield* Effect.forkChild(pay("account-8", [8]))
    yield* waiting(2)
    yield* Deferred.succeed(commit, undefined)
    yield* Effect.all([Fiber.join(writer), Fiber.join(rebuilding), Fiber.join(later)])
    const checked = yield* Rebuild.check(accounts)
    assert.deepStrictEqual(
      checked.tables.map(({ compared, differing }) => [compared, differing]),
      [
        [7, 0],
        [212, 0]
      ]
    )
  })
)
