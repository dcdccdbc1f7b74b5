import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { ManagerId } from "@muster/domain/Manager/Id"
import { stream } from "@muster/domain/Suite/Id"
import * as EventQueries from "../../src/ReadModels/EventQueries.ts"
import { client, send } from "./TestClient.ts"
import { newManagerId } from "./TestIds.ts"
import * as TestManager from "./TestManager.ts"
import { untilVisible } from "../support/Visible.ts"
import * as TestServer from "./TestServer.ts"

interface Page<Item> {
  readonly items: ReadonlyArray<Item>
  readonly nextCursor: string | null
}

/** All items of a list, two at a time. */
const all = Effect.fnUntraced(function* <Item, E, R>(
  read: (query: { readonly limit: number; readonly cursor?: string }) => Effect.Effect<Page<Item>, E, R>
) {
  const items: Array<Item> = []
  let page = yield* read({ limit: 2 })
  for (;;) {
    items.push(...page.items)
    if (page.nextCursor === null) return items
    page = yield* read({ limit: 2, cursor: page.nextCursor })
  }
})

layer(TestServer.layer, { excludeTestServices: true, timeout: "30 seconds" })(
  "managers, workers and events over HTTP",
  (it) => {
    it.effect("show managers and what they are told to do", () =>
      Effect.gen(function* () {
        const { managers } = yield* client()
        const { epoch, managerId } = yield* TestManager.connect(undefined, { tags: ["gpu", "rack:1"], name: "gamma" })
        const params = { id: managerId }
        const manager = yield* managers.get({ params })
        assert.deepInclude(manager, { id: managerId, name: "gamma", epoch, draining: false, suiteId: null, workers: 2 })
        assert.deepStrictEqual(manager.host, TestManager.spec.host)
        const found = yield* managers.list({ query: { tag: ["gpu", "rack:1"] } })
        assert.deepStrictEqual(
          found.items.map(({ id }) => id),
          [managerId]
        )
        assert.deepStrictEqual((yield* managers.list({ query: { tag: ["gpu", "rack:2"] } })).items, [])
        assert.deepStrictEqual((yield* managers.list({ query: { tag: ["gpu"], state: ["offline"] } })).items, [])

        const request = { params, headers: {} }
        assert.isTrue((yield* managers.drain({ ...request, payload: null })).draining)
        assert.isFalse((yield* managers.drain({ ...request, payload: { draining: false } })).draining)
        const shutdown = yield* managers.shutdown({ ...request, payload: { mode: "force" } })
        assert.strictEqual(shutdown.id, managerId)
      })
    )

    it.effect("list managers and workers page by page", () =>
      Effect.gen(function* () {
        const { managers, workers } = yield* client()
        const sql = yield* SqlClient
        const ids: Array<ManagerId> = Array.from({ length: 5 }, newManagerId).toSorted()
        for (const id of ids) {
          yield* sql`insert into managers ${sql.insert({
            id,
            name: "rows",
            tags: ["rows"],
            workers: 2,
            version: "1",
            host: JSON.stringify(TestManager.spec.host),
            state: "offline",
            epoch: 1,
            connected: false,
            updated_at: new Date(),
            stream_version: 1
          })}`
          for (const slot of [0, 1, 10]) {
            yield* sql`insert into workers ${sql.insert({
              id: `${id}.${slot}`,
              manager_id: id,
              slot,
              pid: 100 + slot,
              state: slot === 0 ? "crashed" : "running",
              crashes: 1,
              last_signal: "SIGKILL",
              updated_at: new Date()
            })}`
          }
        }
        const listed = yield* all((query) => managers.list({ query: { ...query, tag: ["rows"] } }))
        assert.deepStrictEqual(
          listed.map(({ id }) => id),
          ids
        )
        const slots = yield* all((query) => workers.list({ query }))
        assert.deepStrictEqual(
          slots.map(({ managerId, slot }) => `${managerId} ${slot}`),
          ids.flatMap((id) => [`${id} 0`, `${id} 1`, `${id} 10`])
        )
        const [third] = ids.slice(2)
        assert.isDefined(third)
        const ofOne = yield* workers.list({ query: { manager: third } })
        assert.deepStrictEqual(
          ofOne.items.map(({ lastSignal, pid, state }) => [pid, state, lastSignal]),
          [
            [100, "crashed", "SIGKILL"],
            [101, "running", "SIGKILL"],
            [110, "running", "SIGKILL"]
          ]
        )
        assert.deepStrictEqual((yield* workers.list({ query: { manager: newManagerId() } })).items, [])
      })
    )

    it.effect("show the history of a stream and of everything", () =>
      Effect.gen(function* () {
        const { events, suites } = yield* client()
        const { id } = yield* suites.create({ headers: {}, payload: { name: "watched" } })
        const request = { params: { id }, headers: {} }
        yield* suites.submit({ ...request, headers: { "idempotency-key": "tasks" }, payload: [{ program: "a" }] })
        yield* suites.pause(request)
        yield* suites.resume(request)
        yield* suites.close(request)
        const types = ["SuiteCreated", "TasksSubmitted", "SuitePaused", "SuiteResumed", "SuiteClosed"]
        const ofStream = yield* all((query) => events.listOfStream({ params: { stream: stream(id) }, query }))
        assert.deepStrictEqual(
          ofStream.map(({ type, version }) => [version, type]),
          types.map((type, k) => [k + 1, type])
        )
        assert.deepInclude(ofStream[1]?.metadata, { actor: "admin", commandId: "admin/submit/tasks", schemaVersion: 1 })
        assert.match(ofStream[1]?.recordedAt ?? "", /^\d{4}-\d\d-\d\dT[\d:.]{12}Z$/)
        const byQuery = yield* events.list({ query: { stream: stream(id) } })
        assert.deepStrictEqual(byQuery.items, ofStream)
        assert.isNull(byQuery.nextCursor)

        yield* untilVisible
        const log = yield* all((query) => events.list({ query }))
        assert.deepStrictEqual(
          log.filter((event) => event.stream === stream(id)),
          ofStream
        )
        assert.strictEqual(new Set(log.map(({ position }) => position)).size, log.length)
      })
    )

    it.effect("refuse a cursor of another list", () =>
      Effect.gen(function* () {
        const queries = yield* EventQueries.EventQueries
        const cursor = yield* queries.end(undefined)
        for (const path of [
          "/v1/suites",
          "/v1/managers",
          "/v1/workers",
          "/v1/events?stream=suite-0000000000000000",
          "/v1/streams/suite-0000000000000000/events"
        ]) {
          const answer = yield* send(`${path}${path.includes("?") ? "&" : "?"}cursor=${cursor}`)
          assert.strictEqual(answer.status, 400, path)
          assert.include(answer.text, '"field":"cursor"')
        }
        assert.strictEqual((yield* send(`/v1/events?cursor=${cursor}`)).status, 200)
      })
    )
  }
)
