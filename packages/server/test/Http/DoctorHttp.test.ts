import { assert, layer } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import type { Finding } from "@muster/domain/Doctor/Finding"
import * as TestClient from "./TestClient.ts"
import * as TestServer from "./TestServer.ts"

layer(TestServer.layer, { excludeTestServices: true, timeout: "30 seconds" })("the doctor over HTTP", (it) => {
  it.effect("tells of the coordinators, and of the database unless that is not wanted", () =>
    Effect.gen(function* () {
      const client = yield* TestClient.client()
      const { findings } = yield* client.doctor.examine({ query: {} })
      const of = (found: ReadonlyArray<Finding>, check: string) => found.filter((finding) => finding.check === check)
      assert.strictEqual(of(findings, "coordinator.answers")[0]?.severity, "ok")
      assert.strictEqual(of(findings, "cluster.shards")[0]?.severity, "ok")
      assert.strictEqual(of(findings, "clock.database")[0]?.severity, "ok")
      assert.strictEqual(of(findings, "database.fsync")[0]?.severity, "error")
      assert.isAtLeast(of(findings, "projections.equal").length, 3)
      const short = yield* client.doctor.examine({ query: { database: "false" } })
      assert.strictEqual(of(short.findings, "coordinator.answers").length, 1)
      assert.deepStrictEqual(
        short.findings.filter(({ check }) => check.startsWith("database.")),
        []
      )
    })
  )

  it.effect("one at a time, for admins only", () =>
    Effect.gen(function* () {
      const server = yield* TestServer.TestServer
      const answers = yield* Effect.all(
        [TestClient.send("/v1/doctor?full=true"), TestClient.send("/v1/doctor?full=true")],
        { concurrency: "unbounded" }
      )
      assert.sameMembers(
        answers.map(({ status }) => status),
        [200, 503]
      )
      const enrolment = yield* TestClient.send("/v1/doctor", { token: Redacted.value(server.enrolment) })
      assert.strictEqual(enrolment.status, 401)
      const wrong = yield* TestClient.send("/v1/doctor?full=maybe")
      assert.strictEqual(wrong.status, 400)
    })
  )
})
