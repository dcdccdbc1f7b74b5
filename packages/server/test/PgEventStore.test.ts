import { assert, layer } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Redacted, Scope } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import * as Database from "../src/Database.ts"
import * as EventStore from "../src/EventStore.ts"
import * as Param from "../src/Param.ts"
import * as PgEventStore from "../src/PgEventStore.ts"
import * as CuttingProxy from "./support/CuttingProxy.ts"
import { event } from "./support/EventStoreSuite.ts"
import { eventually } from "./support/Eventually.ts"
import * as Muster from "./support/Muster.ts"
import * as Postgres from "./support/Postgres.ts"

const types = (page: EventStore.Page) => page.events.map(({ type }) => type)

/** A transaction in which something was done; when it is told to commit it may do something more before. */
const holdingTransaction = Effect.fnUntraced(function* (
  first: Effect.Effect<unknown, unknown, SqlClient>,
  last: Effect.Effect<unknown, unknown, SqlClient> = Effect.void
) {
  const sql = yield* SqlClient
  const opened = yield* Deferred.make<void>()
  const commit = yield* Deferred.make<void>()
  const fiber = yield* sql
    .withTransaction(
      Effect.gen(function* () {
        yield* first
        yield* Deferred.succeed(opened, undefined)
        yield* Deferred.await(commit)
        yield* last
      })
    )
    .pipe(Effect.forkScoped)
  yield* Effect.raceFirst(Deferred.await(opened), Fiber.join(fiber))
  return { commit: Effect.andThen(Deferred.succeed(commit, undefined), Fiber.join(fiber)), fiber }
})

const insertEvent = (stream: string, type: string) =>
  Effect.flatMap(
    SqlClient,
    (sql) => sql`insert into events (stream, version, type, data, metadata) values (${stream}, 1, ${type}, '{}', '{}')`
  )

/** Server processes that wait for a lock. */
const waitingForLock = Effect.flatMap(
  SqlClient,
  (sql) => sql<{ pid: number }>`
    select pid from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock' and backend_type = 'client backend'`
)

const terminate = (pids: ReadonlyArray<number>) =>
  Effect.flatMap(SqlClient, (sql) => sql`select pg_terminate_backend(pid) from unnest(${Param.ints(pids)}::int[]) pid`)

const database = Muster.layer
const storeLayer = PgEventStore.layer.pipe(Layer.provideMerge(database))

layer(storeLayer)("reading across streams in Postgres", (it) => {
  it.effect("skips no event that commits late, and does not wait for it", () =>
    Effect.gen(function* () {
      const store = yield* EventStore.EventStore
      // The late transaction has its place in the log before the early one, and commits after it.
      const late = yield* holdingTransaction(insertEvent("late", "Late"))
      yield* store.append({ stream: "early", expectedVersion: 0, events: [event("Early")] })
      const before = yield* store.readAll({ after: EventStore.start, limit: 10 })
      assert.deepStrictEqual(before, { events: [], cursor: EventStore.start, scanned: 0 })
      yield* late.commit
      const after = yield* eventually(
        store.readAll({ after: before.cursor, limit: 10 }),
        ({ events }) => events.length === 2
      )
      assert.deepStrictEqual(types(after), ["Late", "Early"])
    })
  )

  it.effect("reads in order of transactions where that is not the order of places", () =>
    Effect.gen(function* () {
      const store = yield* EventStore.EventStore
      const { cursor } = yield* store.readAll({ after: EventStore.start, limit: 10 })
      const takeId = Effect.flatMap(SqlClient, (sql) => sql`select pg_current_xact_id()::text`)
      const first = yield* holdingTransaction(takeId, insertEvent("first", "First"))
      yield* store.append({ stream: "second", expectedVersion: 0, events: [event("Second")] })
      assert.deepStrictEqual(types(yield* store.readAll({ after: cursor, limit: 10 })), [])
      yield* first.commit
      const page = yield* eventually(store.readAll({ after: cursor, limit: 10 }), ({ events }) => events.length === 2)
      assert.deepStrictEqual(types(page), ["First", "Second"])
      const [one, two] = page.events
      assert.isAbove(one?.position ?? 0, two?.position ?? 0)
      // A cursor between the two leads to the second, although its position is the smaller one.
      const between = yield* store.readAll({ after: cursor, limit: 1 })
      assert.deepStrictEqual(types(yield* store.readAll({ after: between.cursor, limit: 10 })), ["Second"])
    })
  )
})

layer(storeLayer)("appending to Postgres with writes", (it) => {
  const suite = (id: string, version: number): EventStore.Write => ({
    text: "insert into suites (id, spec, state, created_at, version) values ($1, $2, 'open', now(), $3)",
    params: [id, Param.json({ name: "it's $1" }), version]
  })

  it.effect("commits events and writes together", () =>
    Effect.gen(function* () {
      const store = yield* EventStore.EventStore
      const sql = yield* SqlClient
      const submit = {
        text: `insert into tasks (suite_id, index, state)
               select $1, i, 0 from generate_series($2::int, $3::int) i`,
        params: ["together", 0, 9_999]
      }
      yield* store.append({
        stream: "together",
        expectedVersion: 0,
        events: [event("SuiteCreated"), event("TasksSubmitted")],
        writes: [suite("together", 2), submit]
      })
      const indexes = Array.from({ length: 10_000 }, (_, k) => k)
      yield* store.append({
        stream: "together",
        expectedVersion: 2,
        events: [event("AttemptsEnded")],
        writes: [
          {
            text: `update tasks t set state = 3, exit_code = u.exit_code, stdout = u.stdout
                   from unnest($2::int[], $3::int[], $4::text[]) as u (index, exit_code, stdout)
                   where t.ctid = (select x.ctid from tasks x where x.suite_id = $1 and x.index = u.index)`,
            params: [
              "together",
              Param.ints(indexes),
              Param.ints(indexes.map((k) => k % 7)),
              Param.texts(indexes.map((k) => (k % 2 === 0 ? `out $1 '${k}'` : null)))
            ]
          },
          { text: "update suites set version = $2, succeeded = $1 where id = $3", params: [10_000, 3, "together"] }
        ]
      })
      const [counts] = yield* sql`
        select count(*)::int as tasks, sum(exit_code)::int as codes, count(stdout)::int as outputs,
          (select succeeded from suites where id = 'together') as succeeded
        from tasks where suite_id = 'together' and state = 3`
      const codes = indexes.reduce((sum, k) => sum + (k % 7), 0)
      assert.deepStrictEqual(counts, { tasks: 10_000, codes, outputs: 5_000, succeeded: 10_000 })
    })
  )

  it.effect("keeps nothing when a write fails, and says that repeating is useless", () =>
    Effect.gen(function* () {
      const store = yield* EventStore.EventStore
      for (const sequential of [false, true]) {
        const error = yield* Effect.flip(
          store.append({
            stream: "broken",
            expectedVersion: 0,
            events: [event("A", "a")],
            writes: [suite("broken", 1), { text: "update suites set priority = $1::int / 0", params: [1] }],
            sequential
          })
        )
        assert.strictEqual(error._tag, "EventStoreError")
        if (error._tag === "EventStoreError") {
          assert.isFalse(error.retryable)
          assert.include(error.message, "division by zero")
        }
        assert.strictEqual(yield* store.lastVersion("broken"), 0)
      }
      const sql = yield* SqlClient
      assert.lengthOf(yield* sql`select from suites where id = 'broken'`, 0)
    })
  )

  it.effect("does not take another table's unique key for a lost race", () =>
    Effect.gen(function* () {
      const store = yield* EventStore.EventStore
      yield* store.append({ stream: "t1", expectedVersion: 0, events: [event("A")], writes: [suite("twice", 1)] })
      const error = yield* Effect.flip(
        store.append({ stream: "t2", expectedVersion: 0, events: [event("A")], writes: [suite("twice", 1)] })
      )
      assert.strictEqual(error._tag, "EventStoreError")
    })
  )

  it.effect("lets a write see the one before it when they run in sequence", () =>
    Effect.gen(function* () {
      const store = yield* EventStore.EventStore
      const sql = yield* SqlClient
      const add = { text: "update suites set total = total + $1 where id = 'steps'", params: [5] }
      const appended = yield* store.append({
        stream: "steps",
        expectedVersion: 0,
        events: [event("A"), event("B")],
        writes: [suite("steps", 1), add, add],
        sequential: true
      })
      assert.strictEqual(appended.version, 2)
      assert.strictEqual((yield* store.readStream("steps")).at(-1)?.position, appended.position)
      assert.deepStrictEqual(yield* sql`select total from suites where id = 'steps'`, [{ total: 10 }])
      const late = yield* Effect.flip(
        store.append({ stream: "steps", expectedVersion: 1, events: [event("C")], writes: [add], sequential: true })
      )
      assert.strictEqual(late._tag, "VersionConflict")
    })
  )

  it.effect("stores what Postgres cannot hold as U+FFFD", () =>
    Effect.gen(function* () {
      const store = yield* EventStore.EventStore
      const sql = yield* SqlClient
      const attempt = (index: number, stdout: unknown, output: unknown): EventStore.Write => ({
        text: `insert into attempts (suite_id, index, number, stdout, output)
               select 'odd', $1, 1, stdout, output from unnest($2::text[], $3::jsonb[]) as u (stdout, output)`,
        params: [index, stdout, output]
      })
      yield* store.append({
        stream: "odd",
        expectedVersion: 0,
        events: [event("AttemptsEnded", undefined, { stdout: "a\0b" })],
        writes: [attempt(1, Param.texts(["a\0b"]), Param.jsons([{ deep: ["c\0", { "k\0": "\ud800" }] }]))]
      })
      assert.deepStrictEqual(yield* sql`select stdout, output from attempts where suite_id = 'odd'`, [
        { stdout: "a\ufffdb", output: { deep: ["c\ufffd", { "k\ufffd": "\ufffd" }] } }
      ])
      assert.deepStrictEqual((yield* store.readStream("odd"))[0]?.data, { stdout: "a\0b" })
    })
  )
})

layer(storeLayer)("appending to Postgres when it fails", (it) => {
  const append = (stream: string, commandId: string) =>
    Effect.flatMap(EventStore.EventStore, (store) =>
      store.append({ stream, expectedVersion: 0, events: [event("Appended", commandId)] })
    )

  it.effect("may be repeated after its connection was killed in the middle", () =>
    Effect.gen(function* () {
      const blocker = yield* holdingTransaction(insertEvent("killed", "Blocker"))
      const blocked = yield* Effect.forkChild(append("killed", "c"), { startImmediately: true })
      const waiting = yield* eventually(waitingForLock, (rows) => rows.length === 1)
      yield* terminate(waiting.map(({ pid }) => pid))
      const error = yield* Effect.flip(Fiber.join(blocked))
      assert.strictEqual(error._tag, "EventStoreError")
      if (error._tag === "EventStoreError") assert.isTrue(error.retryable, String(error.cause))
      yield* Fiber.interrupt(blocker.fiber)
      assert.strictEqual((yield* append("killed", "c")).version, 1)
    })
  )

  it.effect("loses the race against a writer that commits while it waits", () =>
    Effect.gen(function* () {
      const other = yield* holdingTransaction(insertEvent("waits", "Other"))
      const blocked = yield* Effect.forkChild(append("waits", "c"), { startImmediately: true })
      yield* eventually(waitingForLock, (rows) => rows.length === 1)
      yield* other.commit
      const error = yield* Effect.flip(Fiber.join(blocked))
      assert.deepStrictEqual(error, new EventStore.VersionConflict({ stream: "waits", expected: 0 }))
    })
  )

  it.effect("may be repeated after it waited too long", () =>
    Effect.gen(function* () {
      const other = yield* holdingTransaction(insertEvent("slow", "Other"))
      const impatient = Muster.clientLayer({ statementTimeout: Muster.shortTimeout })
      const error = yield* Effect.flip(append("slow", "c")).pipe(
        Effect.provide(PgEventStore.layer.pipe(Layer.provide(impatient)), { local: true })
      )
      assert.strictEqual(error._tag, "EventStoreError")
      if (error._tag === "EventStoreError") assert.isTrue(error.retryable)
      yield* Fiber.interrupt(other.fiber)
    })
  )

  it.effect("goes on with new connections after all were killed while idle", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(
        PgEventStore.layer.pipe(Layer.provide(Muster.clientLayer({ applicationName: "victim" }))),
        scope
      )
      const victim = Effect.provideContext(context)
      yield* append("idle-1", "c").pipe(victim)
      const killed = yield* sql`
        select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'victim'`
      assert.isAbove(killed.length, 0)
      yield* eventually(
        sql`select from pg_stat_activity where application_name = 'victim'`,
        (rows) => rows.length === 0
      )
      // The first call may still meet the dead connection; that is an error to repeat after, never a defect.
      const outcome = yield* eventually(Effect.exit(append("idle-2", "c").pipe(victim)), Exit.isSuccess)
      assert.isTrue(Exit.isSuccess(outcome))
      yield* Scope.close(scope, Exit.void)
    })
  )

  it.effect("was done although its answer was lost: the same command says so", () =>
    Effect.gen(function* () {
      const { url } = yield* Postgres.TestDatabase
      const through = new URL(Redacted.value(url))
      const proxy = yield* CuttingProxy.make({ host: through.hostname, port: Number(through.port) })
      through.host = `127.0.0.1:${proxy.port}`
      const client = Database.layer(Muster.settings(Redacted.make(through.href)))
      yield* Effect.gen(function* () {
        yield* append("lost-0", "warm the connection")
        yield* proxy.cutNextAnswer
        const error = yield* Effect.flip(append("lost", "c"))
        assert.strictEqual(error._tag, "EventStoreError")
        if (error._tag === "EventStoreError") assert.isTrue(error.retryable, String(error.cause))
        const again = yield* Effect.flip(append("lost", "c"))
        assert.deepStrictEqual(again, new EventStore.CommandAlreadyHandled({ stream: "lost", commandIds: ["c"] }))
      }).pipe(Effect.provide(PgEventStore.layer.pipe(Layer.provide(client)), { local: true }))
    })
  )

  it.effect("is given up when the server has vanished", () =>
    Effect.gen(function* () {
      const { url } = yield* Postgres.TestDatabase
      const through = new URL(Redacted.value(url))
      const proxy = yield* CuttingProxy.make({ host: through.hostname, port: Number(through.port) })
      through.host = `127.0.0.1:${proxy.port}`
      const impatient = Layer.effect(EventStore.EventStore, PgEventStore.make(Muster.shortTimeout))
      yield* Effect.gen(function* () {
        yield* append("vanished-0", "warm the connection")
        yield* proxy.fallSilent
        const error = yield* Effect.flip(append("vanished", "c"))
        assert.strictEqual(error._tag, "EventStoreError")
        if (error._tag === "EventStoreError") assert.isTrue(error.retryable)
      }).pipe(
        Effect.provide(impatient.pipe(Layer.provide(Database.layer(Muster.settings(Redacted.make(through.href))))), {
          local: true
        })
      )
    })
  )
})
