/** What only a server of its own can show: a standby that is missed, a slot, a prepared transaction, recovery. */
import { PgClient } from "@effect/sql-pg"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Server from "@muster/domain/Doctor/Server"
import * as Database from "../../src/Database.ts"
import * as FromOutside from "../../src/Doctor/FromOutside.ts"
import * as ServerFacts from "../../src/Doctor/ServerFacts.ts"
import * as EmbeddedPostgres from "../../src/EmbeddedPostgres.ts"
import * as Migrations from "../../src/Migrations.ts"
import * as Muster from "../support/Muster.ts"

const directory = Effect.acquireRelease(
  Effect.promise(async () => {
    const path = await mkdtemp(join(tmpdir(), "muster-doctor-"))
    await chmod(path, 0o755)
    return path
  }),
  (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
)

const settings = { fsync: "off", full_page_writes: "off", max_prepared_transactions: "5" }

it.live("the doctor looks at standbys, slots and prepared transactions", () =>
  Effect.gen(function* () {
    const dataDir = yield* directory
    const root = yield* Effect.scoped(
      Effect.gen(function* () {
        const running = yield* EmbeddedPostgres.start({ dataDir, settings })
        const found = yield* Effect.gen(function* () {
          yield* Migrations.migrate
          const sql = yield* SqlClient
          yield* sql.unsafe("select slot_name from pg_create_physical_replication_slot('left_behind', true)").unprepared
          const client = yield* PgClient.PgClient
          const connection = yield* client.reserve
          for (const text of [
            "begin",
            "insert into tokens values ('t', 'admin', '')",
            "prepare transaction 'forgotten'"
          ]) {
            yield* connection.executeUnprepared(text, [], undefined)
          }
          const [transaction] = yield* ServerFacts.gatherTransactions
          assert.deepInclude(transaction, { who: "prepared transaction 'forgotten'", isIdle: true, holdsLog: true })
          // From here on every commit that is to last waits for a standby that is not there.
          yield* sql.unsafe("alter system set synchronous_standby_names = 'nobody'").unprepared
          yield* sql.unsafe("select pg_reload_conf()").unprepared
          return yield* FromOutside.examine({ settings: Muster.settings(running.url), full: true, cluster: false })
        }).pipe(Effect.scoped, Effect.provide(Database.layer(Muster.settings(running.url)), { local: true }))
        const of = (check: string) => found.filter((finding) => finding.check === check)
        assert.deepStrictEqual(
          of("database.replication").map(({ severity }) => severity),
          ["error"]
        )
        assert.include(of("database.slots")[0]?.what ?? "", "slot left_behind is not in use")
        assert.deepStrictEqual(of("database.asked"), [], "although no commit gets through")
        return running.directory
      })
    )
    // The same server as a standby of nobody.
    yield* Effect.promise(() => writeFile(join(root, "data", "standby.signal"), ""))
    yield* Effect.scoped(
      Effect.gen(function* () {
        const running = yield* EmbeddedPostgres.start({ dataDir, settings: { ...settings, hot_standby: "on" } })
        const facts = yield* ServerFacts.gather(10).pipe(
          Effect.provide(PgClient.layer({ url: running.url }), { local: true })
        )
        assert.isTrue(facts.isStandby)
        assert.deepStrictEqual(
          Server.judge(facts)
            .filter(({ check }) => check === "database.writable")
            .map(({ severity }) => severity),
          ["error"]
        )
      })
    )
  })
)
