import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { stream, SuiteId } from "@muster/domain/Suite/Id"
import * as EventStore from "../src/EventStore.ts"
import type { Migration } from "../src/Migration.ts"
import * as Migrations from "../src/Migrations.ts"
import * as Param from "../src/Param.ts"
import * as PgEventStore from "../src/PgEventStore.ts"
import * as Inline from "../src/Projections/Inline.ts"
import * as Rebuild from "../src/Rebuild.ts"
import * as Muster from "./support/Muster.ts"
import * as Postgres from "./support/Postgres.ts"
import { schemaDump } from "./support/SchemaDump.ts"
import * as SuiteLife from "./support/SuiteLife.ts"
import * as SuiteReference from "./support/SuiteReference.ts"
import * as SuiteTables from "./support/SuiteTables.ts"

/** An empty database, through a coordinator's client. */
const empty = Muster.clientLayer().pipe(Layer.provideMerge(Postgres.layer))

describe("migrations", () => {
  it("are numbered from 1 without gaps", () => {
    assert.deepStrictEqual(
      Migrations.migrations.map(({ version }) => version),
      Migrations.migrations.map((_, index) => index + 1)
    )
  })

  it.effect("undo each step exactly, and lead to the same structure again", () =>
    Effect.gen(function* () {
      const dumps: Array<ReadonlyArray<string>> = []
      for (let version = 0; version <= Migrations.supported; version++) {
        yield* Migrations.migrateTo(version)
        dumps.push(yield* schemaDump)
      }
      assert.isTrue(dumps.at(-1)?.some((line) => line.includes("column tasks.")))
      for (let version = Migrations.supported; version >= 0; version--) {
        yield* Migrations.migrateTo(version)
        assert.deepStrictEqual(yield* schemaDump, dumps[version])
      }
      assert.deepStrictEqual(yield* Migrations.migrate, { from: 0, to: Migrations.supported })
      assert.deepStrictEqual(yield* schemaDump, dumps.at(-1))
    }).pipe(Effect.provide(empty))
  )

  it.effect("keep every task when plain ones lose their rows, and when they get them back", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const store = yield* PgEventStore.make()
      yield* Migrations.migrateTo(4)
      const ids = [1, 2, 3, 4].map((number) => SuiteId.make(String(number).padStart(16, "0")))
      const expected = new Map<SuiteId, SuiteReference.Rows>()
      for (const [k, id] of ids.entries()) {
        const events = SuiteLife.make(id, 10 + k).next(k === 3 ? 90 : 30)
        const rows = SuiteReference.rowsOf(events)
        expected.set(id, rows)
        yield* store.append({
          stream: stream(id),
          expectedVersion: 0,
          events: events.map(({ _tag: type, ...data }) => ({
            type,
            data,
            metadata: { actor: "test", schemaVersion: 1 }
          }))
        })
        yield* sql`insert into suites ${sql.insert({ id, spec: "{}", state: "open", created_at: new Date(), version: 1 })}`
        yield* sql`insert into tasks (suite_id, index, state, spec_version, submitted_at)
          select ${id}, index, state, spec_version, now()
          from jsonb_to_recordset(${Param.json(rows.tasks.map(({ index, spec_version, state }) => ({ index, spec_version, state })))})
            as r(index int, state int, spec_version int)`
      }
      for (const _again of [1, 2]) {
        assert.deepStrictEqual(yield* Migrations.migrate, { from: 4, to: Migrations.supported })
        for (const [id, rows] of expected) assert.deepStrictEqual(yield* SuiteTables.rowsOf(id), rows)
        const [plain] = yield* sql<{ suites: number; leases: number }>`
          select count(*)::int as suites, (select count(*)::int from leases where not isempty(tasks)) as leases
          from suites where not isempty(plain)`
        assert.isAbove(plain?.suites ?? 0, 1)
        assert.isAbove(plain?.leases ?? 0, 1)
        const checked = yield* Rebuild.check(Inline.suites).pipe(Effect.provideService(EventStore.EventStore, store))
        assert.deepStrictEqual(
          checked.tables.flatMap(({ differences }) => differences),
          []
        )
        yield* Migrations.migrateTo(4)
        for (const [id, { tasks }] of expected) {
          const rows = yield* sql<object>`select * from tasks where suite_id = ${id} order by index`
          assert.deepStrictEqual<ReadonlyArray<object>>(
            rows.map(SuiteTables.withNumbers),
            tasks.map((task) => ({ ...task, suite_id: id, leased_at: null }))
          )
        }
      }
    }).pipe(Effect.provide(empty))
  )

  it.effect("are applied once when several coordinators start at once", () =>
    Effect.gen(function* () {
      const coordinator = Migrations.migrate.pipe(Effect.provide(Layer.fresh(Muster.clientLayer()), { local: true }))
      const outcomes = yield* Effect.all([coordinator, coordinator, coordinator, coordinator], {
        concurrency: "unbounded"
      })
      const froms = outcomes.map(({ from }) => from).toSorted((a, b) => a - b)
      assert.deepStrictEqual(froms, [0, Migrations.supported, Migrations.supported, Migrations.supported])
    }).pipe(Effect.provide(Postgres.layer))
  )

  it.effect("keep two Musters in one database apart", () =>
    Effect.gen(function* () {
      const inSchema = <A, E>(schema: string, effect: Effect.Effect<A, E, SqlClient>) =>
        effect.pipe(Effect.provide(Muster.clientLayer({ schema }), { local: true }))
      const one = yield* inSchema("one", Effect.andThen(Migrations.migrate, schemaDump))
      const two = yield* inSchema("two", Effect.andThen(Migrations.migrate, schemaDump))
      yield* inSchema("two", Migrations.migrateTo(0))
      assert.deepStrictEqual(
        one.map((line) => line.replaceAll("one.", "")),
        two.map((line) => line.replaceAll("two.", ""))
      )
      assert.deepStrictEqual(yield* inSchema("one", schemaDump), one)
    }).pipe(Effect.provide(Postgres.layer))
  )

  it.effect("refuse a database that a newer version has moved on", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      yield* Migrations.migrate
      const found = Migrations.supported + 3
      for (let version = Migrations.supported + 1; version <= found; version++) {
        yield* sql`insert into schema_migrations (version, name, checksum) values (${version}, 'later', '')`
      }
      const error = yield* Effect.flip(Migrations.migrate)
      assert.deepStrictEqual(error, new Migrations.DatabaseTooNew({ found, supported: Migrations.supported }))
    }).pipe(Effect.provide(empty))
  )

  it.effect("refuse a database in which a step was another one", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      yield* Migrations.migrate
      yield* sql`update schema_migrations set checksum = 'other' where version = 2`
      const error = yield* Effect.flip(Migrations.migrate)
      assert.deepStrictEqual(error, new Migrations.MigrationChanged({ version: 2, name: "read_models" }))
    }).pipe(Effect.provide(empty))
  )

  it.effect("keep nothing of a run in which a step fails", () =>
    Effect.gen(function* () {
      const next = Migrations.supported + 1
      const broken: Migration = {
        version: next,
        name: "broken",
        up: ["create table half ()", "select 1 / 0"],
        down: []
      }
      const error = yield* Effect.flip(Migrations.migrateTo(next, [...Migrations.migrations, broken]))
      assert.strictEqual(error._tag, "MigrationError")
      if (error._tag === "MigrationError") {
        assert.strictEqual(error.step, `applying ${next} broken`)
        assert.include(error.message, "division by zero")
      }
      assert.deepStrictEqual(yield* schemaDump, [])
    }).pipe(Effect.provide(empty))
  )
})
