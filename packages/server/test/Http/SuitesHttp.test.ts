import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { client, send } from "./TestClient.ts"
import { newSuiteId } from "./TestIds.ts"
import * as TestManager from "./TestManager.ts"
import * as TestServer from "./TestServer.ts"

const instant = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

layer(TestServer.layer, { excludeTestServices: true, timeout: "30 seconds" })("suites over HTTP", (it) => {
  it.effect("are created, filled, run and read", () =>
    Effect.gen(function* () {
      const { suites } = yield* client()
      const manager = TestManager.imaginary()
      const created = yield* suites.create({
        headers: {},
        payload: { name: "nightly", tags: ["linux"], labels: ["ci"], priority: 3, defaults: { timeout: 60_000 } }
      })
      assert.deepInclude(created, { name: "nightly", state: "open", paused: false, priority: 3, version: 1 })
      const params = { id: created.id }
      const submitted = yield* suites.submit({
        params,
        headers: {},
        payload: [{ program: "true" }, { program: "false", timeout: 1_000, labels: ["odd"] }, { handler: "resize" }]
      })
      assert.deepStrictEqual(submitted, { firstIndex: 0, count: 3 })
      yield* TestManager.run(manager, created.id, 2, (index) => (index === 1 ? { outcome: "failed", exitCode: 1 } : {}))

      const detail = yield* suites.get({ params })
      assert.deepInclude(detail.tasks, { total: 3, pending: 1, queued: 1, succeeded: 1, failed: 1 })
      assert.deepStrictEqual(detail.spec.defaults, { timeout: 60_000 })
      assert.deepStrictEqual(detail.managers, [])
      assert.match(detail.createdAt, instant)
      assert.match(detail.lastSubmittedAt ?? "", instant)
      assert.isNull(detail.completedAt)

      const all = yield* suites.listTasks({ params, query: {} })
      assert.deepStrictEqual(
        all.items.map(({ exitCode, id, manager: by, state }): ReadonlyArray<unknown> => [id, state, exitCode, by]),
        [
          [`${created.id}.0`, "succeeded", 0, manager.managerId],
          [`${created.id}.1`, "failed", 1, manager.managerId],
          [`${created.id}.2`, "queued", null, null]
        ]
      )
      const failed = yield* suites.listTasks({ params, query: { state: ["failed", "cancelled"], label: ["odd"] } })
      assert.deepStrictEqual([failed.items.map(({ index }) => index), failed.nextCursor], [[1], null])
    })
  )

  it.effect("may ask for a lease, and are refused with one that goes with nothing", () =>
    Effect.gen(function* () {
      const { suites } = yield* client()
      const answer = yield* send("/v1/suites", { body: { onDisconnect: "stop", leaseDuration: "30s" } })
      assert.strictEqual(answer.status, 201)
      const { id } = answer.json as { readonly id: ReturnType<typeof newSuiteId> }
      const { spec } = yield* suites.get({ params: { id } })
      assert.deepStrictEqual(spec, { onDisconnect: "stop", leaseDuration: 30_000 })
      const refused = yield* send("/v1/suites", { body: { leaseDuration: "30s" } })
      assert.strictEqual(refused.status, 400)
      assert.deepInclude((refused.json as { readonly error: object }).error, {
        message: 'leaseDuration is 30000; allowed: nothing without onDisconnect: "stop"'
      })
    })
  )

  it.effect("take durations as text", () =>
    Effect.gen(function* () {
      const { suites } = yield* client()
      const answer = yield* send("/v1/suites", { body: { defaults: { timeout: "1m30s", output: { tail: "8Ki" } } } })
      assert.strictEqual(answer.status, 201)
      const { id } = answer.json as { readonly id: ReturnType<typeof newSuiteId> }
      const { spec } = yield* suites.get({ params: { id } })
      assert.deepStrictEqual(spec.defaults, { timeout: 90_000, output: { tail: 8_192 } })
    })
  )

  it.effect("are made once per key, whoever repeats the request", () =>
    Effect.gen(function* () {
      const { suites } = yield* client()
      const headers = { "idempotency-key": `make ${newSuiteId()}` }
      const [first, second] = yield* Effect.all(
        [suites.create({ headers, payload: { name: "once" } }), suites.create({ headers, payload: { name: "once" } })],
        { concurrency: 2 }
      )
      assert.strictEqual(first.id, second.id)
      const other = yield* suites.create({ headers: { "idempotency-key": "another" }, payload: { name: "once" } })
      assert.notStrictEqual(other.id, first.id)

      const submit = suites.submit({ params: { id: first.id }, headers, payload: [{ program: "true" }] })
      assert.deepStrictEqual(yield* submit, yield* submit)
      const { tasks } = yield* suites.get({ params: { id: first.id } })
      assert.strictEqual(tasks.total, 1)
    })
  )

  it.effect("keep an id that the caller has chosen, and refuse it a second time", () =>
    Effect.gen(function* () {
      const { suites } = yield* client()
      const id = newSuiteId()
      const made = yield* suites.create({ headers: {}, payload: { id } })
      assert.strictEqual(made.id, id)
      const again = yield* Effect.flip(suites.create({ headers: {}, payload: { id } }))
      assert.strictEqual(again._tag, "SuiteAlreadyExists")
    })
  )

  it.effect("are closed, paused and resumed, which may be repeated", () =>
    Effect.gen(function* () {
      const { suites } = yield* client()
      const { id } = yield* suites.create({ headers: {}, payload: {} })
      const request = { params: { id }, headers: {} }
      assert.isTrue((yield* suites.pause(request)).paused)
      assert.isTrue((yield* suites.pause(request)).paused)
      assert.isFalse((yield* suites.resume(request)).paused)
      assert.strictEqual((yield* suites.close(request)).state, "closed")
      assert.strictEqual((yield* suites.close(request)).state, "closed")
    })
  )

  it.effect("run failed tasks again", () =>
    Effect.gen(function* () {
      const { suites } = yield* client()
      const { id } = yield* suites.create({ headers: {}, payload: {} })
      const request = { params: { id }, headers: {} }
      yield* suites.submit({ ...request, payload: [{ program: "a" }, { program: "b" }, { program: "c" }] })
      yield* TestManager.run(TestManager.imaginary(), id, 3, (index) =>
        index > 0 ? { outcome: "failed", exitCode: 9 } : {}
      )
      const one = yield* suites.retry({ ...request, payload: { tasks: [2] } })
      assert.deepInclude([one.retriedTasks, one.suite.tasks.queued, one.suite.tasks.failed], 1)
      const rest = yield* suites.retry({ ...request, payload: null })
      assert.strictEqual(rest.retriedTasks, 1)
      const succeeded = yield* Effect.flip(suites.retry({ ...request, payload: { tasks: [0] } }))
      assert.strictEqual(succeeded._tag, "TaskStateConflict")
      const unknown = yield* Effect.flip(suites.retry({ ...request, payload: { tasks: [99] } }))
      assert.strictEqual(unknown._tag, "TaskNotFound")
    })
  )

  it.effect("are cancelled for good", () =>
    Effect.gen(function* () {
      const { suites } = yield* client()
      const { id } = yield* suites.create({ headers: {}, payload: {} })
      const request = { params: { id }, headers: {} }
      yield* suites.submit({ ...request, payload: [{ program: "a" }, { program: "b" }] })
      const answer = yield* send(`/v1/suites/${id}/cancel`, { method: "POST" })
      assert.strictEqual(answer.status, 200, answer.text)
      assert.include(answer.text, '"cancelledTasks":2')
      const late = yield* Effect.flip(suites.submit({ ...request, payload: [{ program: "c" }] }))
      assert.strictEqual(late._tag, "SuiteIsCancelled")
      const raw = yield* send(`/v1/suites/${id}/tasks`, { body: [{ program: "c" }] })
      assert.strictEqual(raw.status, 409)
      assert.include(raw.text, "which is final")
    })
  )

  it.effect("are listed newest first, filtered, page by page", () =>
    Effect.gen(function* () {
      const { suites } = yield* client()
      const tag = `t${newSuiteId()}`
      const made: Array<string> = []
      for (const name of ["Alpha 1", "alpha 2", "beta 100%"]) {
        made.unshift((yield* suites.create({ headers: {}, payload: { name, tags: [tag, "x"] } })).id)
      }
      const found: Array<string> = []
      let cursor: string | null = ""
      while (cursor !== null) {
        const query = { tag: [tag, "x"], limit: 2, ...(cursor === "" ? {} : { cursor }) }
        const page: { readonly items: ReadonlyArray<{ readonly id: string }>; readonly nextCursor: string | null } =
          yield* suites.list({ query })
        found.push(...page.items.map(({ id }) => id))
        cursor = page.nextCursor
      }
      assert.deepStrictEqual(found, made)
      const names = (query: Parameters<typeof suites.list>[0]["query"]) =>
        Effect.map(suites.list({ query: { ...query, tag: [tag] } }), ({ items }) => items.map(({ name }) => name))
      assert.deepStrictEqual(yield* names({ name: "ALPHA" }), ["alpha 2", "Alpha 1"])
      assert.deepStrictEqual(yield* names({ name: "100%" }), ["beta 100%"])
      assert.deepStrictEqual(yield* names({ name: "1_0" }), [])
      assert.deepStrictEqual(yield* names({ state: ["closed"] }), [])
      assert.lengthOf(yield* names({ state: ["open", "closed"] }), 3)
      const others = yield* Effect.flip(suites.listTasks({ params: { id: newSuiteId() }, query: {} }))
      assert.strictEqual(others._tag, "SuiteNotFound")
    })
  )
})
