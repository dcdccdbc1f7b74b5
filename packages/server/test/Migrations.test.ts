import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { Migration } from "../src/Migration.ts"
import * as Migrations from "../src/Migrations.ts"
import * as Muster from "./support/Muster.ts"
import * as Postgres from "./support/Postgres.ts"
import { schemaDump } from "./support/SchemaDump.ts"

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
