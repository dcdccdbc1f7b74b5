import { assert, layer } from "@effect/vitest"
import { PgClient } from "@effect/sql-pg"
import { Context, Effect, Layer, Predicate, Redacted, References } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { HttpRouter } from "effect/http"
import { OpenApi } from "effect/http-api"
import { Api } from "@muster/domain/Api/Api"
import { inject } from "vitest"
import { HttpRoutes } from "../../src/Http/HttpRoutes.ts"
import * as Postgres from "../support/Postgres.ts"
import { client, send } from "./TestClient.ts"
import * as TestServer from "./TestServer.ts"

type Json = Readonly<Record<string, unknown>>

/** Every object within a value. */
const objectsIn = (value: unknown): ReadonlyArray<Json> =>
  Predicate.isObject(value)
    ? [value, ...Object.values(value).flatMap(objectsIn)]
    : Array.isArray(value)
      ? value.flatMap(objectsIn)
      : []

const at = (value: unknown, pointer: string): unknown =>
  pointer
    .split("/")
    .slice(1)
    .reduce<unknown>(
      (held, part) =>
        Predicate.isObject(held) ? (held as Json)[part.replaceAll("~1", "/").replaceAll("~0", "~")] : undefined,
      value
    )

layer(TestServer.layer, { excludeTestServices: true, timeout: "30 seconds" })("the system over HTTP", (it) => {
  it.effect("tells that it is alive and ready, to anybody", () =>
    Effect.gen(function* () {
      const alive = yield* send("/healthz", { token: null })
      assert.deepStrictEqual([alive.status, alive.json], [200, { status: "ok" }])
      const ok = { ok: true, message: null }
      const ready = yield* send("/readyz", { token: null })
      assert.deepStrictEqual(
        [ready.status, ready.json],
        [200, { status: "ready", parts: { database: ok, cluster: ok, projections: ok } }]
      )
    })
  )

  it.effect("describes itself as OpenAPI that holds together", () =>
    Effect.gen(function* () {
      const answer = yield* send("/openapi.json", { token: null })
      const spec = answer.json
      assert.deepStrictEqual(spec, JSON.parse(JSON.stringify(OpenApi.fromApi(Api))))
      for (const { $ref } of objectsIn(spec)) {
        if (typeof $ref === "string") assert.isDefined(at(spec, $ref), $ref)
      }
      const paths = at(spec, "#/paths")
      assert.isTrue(Predicate.isObject(paths))
      const operations = Object.entries(paths as Record<string, Record<string, Json>>).flatMap(([path, methods]) =>
        Object.entries(methods).map(([method, operation]) => ({ name: `${method} ${path}`, path, operation }))
      )
      assert.lengthOf(operations, 27)
      for (const { name, operation, path } of operations) {
        assert.isString(operation["summary"], name)
        assert.isString(operation["description"], name)
        assert.isDefined(at(operation, "#/responses/200") ?? at(operation, "#/responses/201"), name)
        assert.isDefined(at(operation, "#/responses/400/content/application~1json/schema"), name)
        assert.deepStrictEqual(operation["security"], path.startsWith("/v1/") ? [{ bearer: [] }] : [], name)
        const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, parameter]) => parameter)
        const parameters = operation["parameters"] as ReadonlyArray<Json>
        assert.deepStrictEqual(
          parameters.filter((parameter) => parameter["in"] === "path").map((parameter) => parameter["name"]),
          named,
          name
        )
      }
      assert.strictEqual(new Set(operations.map(({ operation }) => operation["operationId"])).size, operations.length)
      assert.match(String(at(spec, "#/components/securitySchemes/bearer/scheme")), /^bearer$/i)
    })
  )

  it.effect("shows documentation that needs nothing from elsewhere", () =>
    Effect.gen(function* () {
      const { status, text, headers } = yield* send("/docs", { token: null })
      assert.strictEqual(status, 200)
      assert.match(headers.get("content-type") ?? "", /^text\/html/)
      assert.isAbove(text.length, 1_000_000)
      assert.notMatch(text, /<script[^>]+src=/)
      assert.notMatch(text, /<link[^>]+href=/)
      assert.include(text, '"withDefaultFonts":false')
    })
  )

  it.effect("counts for Prometheus", () =>
    Effect.gen(function* () {
      const { suites, system } = yield* client()
      const { id } = yield* suites.create({ headers: {}, payload: {} })
      yield* suites.submit({ params: { id }, headers: {}, payload: [{ program: "a" }, { program: "b" }] })
      const answer = yield* send("/metrics", { token: null })
      assert.strictEqual(answer.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8")
      const text = yield* system.metrics()
      assert.match(text, /^muster_tasks\{state="queued"\} [1-9]/m)
      assert.match(text, /^muster_database_up 1$/m)
      assert.match(text, /^muster_http_requests_total\{status="201"\} [1-9]/m)
    })
  )
})

layer(TestServer.layer, { excludeTestServices: true, timeout: "30 seconds" })("metrics for other machines", (it) => {
  it.effect("need an admin token", () =>
    Effect.gen(function* () {
      const { admin, enrolment } = yield* TestServer.TestServer
      const services = yield* Effect.context<Exclude<Layer.Services<typeof HttpRoutes>, HttpRouter.HttpRouter>>()
      // Without a socket a request comes from nowhere, which is not this machine.
      const routes = HttpRoutes.pipe(Layer.provide(Layer.succeedContext(Context.omit(HttpRouter.HttpRouter)(services))))
      const { dispose, handler } = HttpRouter.toWebHandler(routes, { disableLogger: true })
      yield* Effect.addFinalizer(() => Effect.promise(dispose))
      const scrape = (secret: string | undefined) =>
        Effect.promise(async () => {
          const headers = secret === undefined ? {} : { authorization: `Bearer ${secret}` }
          const response = await handler(new Request("http://muster/metrics", { headers }))
          return { status: response.status, text: await response.text() }
        })
      assert.strictEqual((yield* scrape(undefined)).status, 401)
      const { url } = yield* TestServer.TestServer
      const passedOn = yield* Effect.promise(() =>
        fetch(`${url}/metrics`, { headers: { "x-forwarded-for": "203.0.113.7" } })
      )
      assert.strictEqual(passedOn.status, 401)
      assert.strictEqual((yield* scrape(Redacted.value(enrolment))).status, 401)
      const allowed = yield* scrape(Redacted.value(admin))
      assert.strictEqual(allowed.status, 200)
      assert.include(allowed.text, "muster_tasks_submitted_total")
    })
  )
})

/** Everything complains while the database is away, as it should. */
const quiet = TestServer.layer.pipe(Layer.provide(Layer.succeed(References.MinimumLogLevel, "None")))

layer(quiet, { excludeTestServices: true, timeout: "30 seconds" })("the system without its database", (it) => {
  it.effect("says which part is missing, and stays alive", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const { name } = yield* Postgres.TestDatabase
      // Nobody can connect any more, and whoever was connected is put out.
      yield* Effect.gen(function* () {
        const admin = yield* PgClient.PgClient
        yield* admin.unsafe(`alter database "${name}" with allow_connections false`)
        yield* admin`select pg_terminate_backend(pid) from pg_stat_activity where datname = ${name}`
      }).pipe(
        Effect.provide(PgClient.layer({ url: Redacted.make(inject("postgresUrl")), maxConnections: 1 }), {
          local: true
        })
      )
      yield* Effect.ignore(sql`select 1`)
      const ready = yield* send("/readyz", { token: null })
      assert.strictEqual(ready.status, 503, ready.text)
      assert.include(ready.text, '"code":"NotReady"')
      assert.deepStrictEqual(at(ready.json, "#/error/details/parts/database"), {
        ok: false,
        message: "cannot be reached"
      })
      assert.strictEqual((yield* send("/healthz", { token: null })).status, 200)
      const metrics = yield* send("/metrics", { token: null })
      assert.match(metrics.text, /^muster_database_up 0$/m)
      assert.match(metrics.text, /^muster_tasks\{state="queued"\} NaN$/m)
      const lists = yield* send("/v1/suites", { token: "mst_admin_never_seen" })
      assert.strictEqual(lists.status, 503, lists.text)
      assert.include(lists.text, '"code":"Unavailable"')
    })
  )
})
