import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { eventually } from "../support/Eventually.ts"
import { client, send } from "./TestClient.ts"
import * as TestServer from "./TestServer.ts"

layer(TestServer.layer, { excludeTestServices: true, timeout: "30 seconds" })("the cluster over HTTP", (it) => {
  const status = (query: { readonly suites?: "true" | "false" } = {}) =>
    Effect.flatMap(client(), (api) => api.cluster.status({ query }))

  it.effect("tells who holds which shards and leads what", () =>
    Effect.gen(function* () {
      const api = yield* client()
      const { id } = yield* api.suites.create({ headers: {}, payload: { name: "placed" } })
      yield* api.suites.submit({ params: { id }, headers: {}, payload: [{ program: "true" }] })
      const found = yield* eventually(status({ suites: "true" }), ({ shards }) => shards.held === shards.total)
      assert.lengthOf(found.coordinators, 1)
      const [only] = found.coordinators
      assert.deepInclude(only?.leads, { pools: ["main"] })
      assert.strictEqual(only?.shards.length, 100)
      assert.isTrue(only?.healthy)
      assert.isBelow(only?.silentFor ?? Number.NaN, 2_000)
      assert.isAtMost(Date.parse(only?.startedAt ?? ""), Date.parse(only?.shardsSince ?? "") + 1_000)
      const placed = found.suites.find((suite) => suite.id === id)
      assert.deepInclude(placed, { name: "placed", coordinator: only?.address, since: only?.shardsSince })
      assert.deepStrictEqual((yield* status()).suites, [])
    })
  )

  it.effect("says what is wrong with a question", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* send("/v1/cluster?suites=perhaps")).status, 400)
      assert.strictEqual((yield* send("/v1/cluster", { token: null })).status, 401)
    })
  )

  it.effect("writes nothing to the database, however often it is asked", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const next = Effect.map(
        sql.unsafe<{ next: string }>("select pg_snapshot_xmax(pg_current_snapshot())::text as next"),
        ([row]) => row?.next
      )
      yield* status()
      const before = yield* next
      for (let round = 0; round < 3; round++) yield* status({ suites: "true" })
      assert.strictEqual(yield* next, before)
    })
  )
})
