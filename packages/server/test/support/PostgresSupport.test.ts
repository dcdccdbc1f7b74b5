import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Ref } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { randomUUID } from "node:crypto"
import * as Postgres from "./Postgres.ts"

const countRows = Effect.flatMap(SqlClient, (sql) => sql<{ count: number }>`SELECT count(*)::int AS count FROM things`)

describe("test databases", () => {
  it.effect("are copies of a template that is prepared once, and do not see each other", () =>
    Effect.gen(function* () {
      const preparations = yield* Ref.make(0)
      const template = Postgres.layerFrom({
        name: randomUUID(),
        prepare: Effect.gen(function* () {
          yield* Ref.update(preparations, (n) => n + 1)
          const sql = yield* SqlClient
          yield* sql`CREATE TABLE things AS SELECT 1 AS id`
        })
      })
      const addAndCount = Effect.gen(function* () {
        const sql = yield* SqlClient
        yield* sql`INSERT INTO things VALUES (2)`
        return yield* countRows
      }).pipe(Effect.provide(Layer.fresh(template), { local: true }))
      const counts = yield* Effect.all([addAndCount, addAndCount, addAndCount], { concurrency: "unbounded" })
      assert.deepStrictEqual(counts.flat(), [{ count: 2 }, { count: 2 }, { count: 2 }])
      assert.strictEqual(yield* Ref.get(preparations), 1)
    })
  )

  it.effect("are gone afterwards", () =>
    Effect.gen(function* () {
      const { name } = yield* Postgres.TestDatabase.pipe(Effect.provide(Postgres.layer, { local: true }))
      const sql = yield* SqlClient
      assert.lengthOf(yield* sql`SELECT 1 FROM pg_database WHERE datname = ${name}`, 0)
    }).pipe(Effect.provide(Postgres.layer))
  )
})
