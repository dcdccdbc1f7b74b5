import { PgClient } from "@effect/sql-pg"
import { assert, layer } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import * as Comparison from "../../src/Doctor/Comparison.ts"
import { EventStore } from "../../src/EventStore.ts"
import type { InlineProjection } from "../../src/InlineProjection.ts"
import * as Param from "../../src/Param.ts"
import * as PgEventStore from "../../src/PgEventStore.ts"
import { eventually } from "../support/Eventually.ts"
import * as Muster from "../support/Muster.ts"

/** A total for each account. */
const totals: InlineProjection = {
  name: "totals",
  tables: ["totals"],
  streams: "account-",
  begin: (stream) => {
    let total = 0
    return (events) => {
      total = events.reduce((sum, { data }) => sum + Number(data), total)
      return [
        {
          text: `insert into totals (id, total) values ($1, $2) on conflict (id) do update set total = excluded.total`,
          params: [stream.slice("account-".length), Param.int(total)]
        }
      ]
    }
  }
}

/** Appends one event to an account with its row, as an entity does. */
const pay = Effect.fnUntraced(function* (account: string, version: number, amount: number) {
  const store = yield* EventStore
  yield* store.append({
    stream: `account-${account}`,
    expectedVersion: version - 1,
    events: [{ type: "Paid", data: amount, metadata: { actor: "test", schemaVersion: 1 } }],
    writes: [
      {
        text: `insert into totals (id, total) values ($1, $2) on conflict (id) do update set total = totals.total + excluded.total`,
        params: [account, Param.int(amount)]
      }
    ]
  })
})

const compare = (full: boolean) =>
  Effect.flatMap(PgClient.PgClient, (client) => Comparison.gather(client, full, [totals]))

const accounts = 30

layer(PgEventStore.layer.pipe(Layer.provideMerge(Muster.layer)), { excludeTestServices: true })(
  "comparing read models with events",
  (it) => {
    it.effect("finds no difference where there is none, while others write", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient
        yield* sql`create table totals (id text primary key, total int not null)`
        for (let account = 0; account < accounts; account++) yield* pay(String(account), 1, account)
        let written = 1
        const writer = yield* Effect.gen(function* () {
          for (;;) {
            written++
            for (let account = 0; account < 5; account++) yield* pay(String(account), written, 1)
          }
        }).pipe(Effect.forkChild)
        for (let round = 0; round < 5; round++) {
          const [all] = yield* compare(true)
          assert.deepInclude(all, { streams: accounts, of: accounts, rows: accounts, differing: 0, isSample: false })
        }
        assert.isAbove(written, 5, "others have written meanwhile")
        yield* Fiber.interrupt(writer)
      })
    )

    it.effect("takes a sample of stated size unless asked for everything", () =>
      Effect.gen(function* () {
        const [sample] = yield* compare(false)
        assert.deepInclude(sample, { of: accounts, isSample: true, differing: 0 })
        assert.isAtLeast(sample?.streams ?? 0, 1)
      })
    )

    it.effect("finds rows that are wrong, missing, or of nothing in the log", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient
        yield* sql`update totals set total = -1 where id = '20'`
        yield* sql`delete from totals where id = '21'`
        yield* sql`insert into totals values ('none', 5)`
        const [all] = yield* compare(true)
        assert.strictEqual(all?.differing, 3)
        assert.sameMembers(
          [...(all?.examples ?? [])],
          ["totals of none, which is not in the log", 'totals {"id":"20"}', 'totals {"id":"21"}']
        )
      })
    )

    it.effect("changes nothing, leaves no tables behind, and keeps no reader of the log waiting", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient
        const before = yield* sql`select * from totals order by id`
        // Every stream takes its time: in one transaction it would be that of all together.
        const slow: InlineProjection = {
          ...totals,
          begin: (stream) => {
            const handle = totals.begin(stream)
            return (events) => [{ text: "select pg_sleep(0.05)", params: [] }, ...handle(events)]
          }
        }
        const client = yield* PgClient.PgClient
        const began = performance.now()
        const comparison = yield* Effect.forkChild(Comparison.gather(client, true, [slow]))
        let longest = 0
        while (comparison.pollUnsafe() === undefined) {
          const [row] = yield* sql<{ seconds: number | null }>`
            select extract(epoch from max(clock_timestamp() - xact_start))::float8 as seconds from pg_stat_activity
            where application_name = 'muster doctor' and datname = current_database() and backend_xid is not null`
          longest = Math.max(longest, row?.seconds ?? 0)
        }
        yield* Fiber.join(comparison)
        const took = (performance.now() - began) / 1_000
        assert.isAbove(took, accounts * 0.05)
        assert.isBelow(longest, took / 3)
        assert.deepStrictEqual(yield* sql`select * from totals order by id`, before)
        // They go when the server has noticed the end of the session.
        yield* eventually(
          sql`select from pg_class where relname = 'totals' and relpersistence = 't'`,
          (found) => found.length === 0
        )
      })
    )
  }
)
