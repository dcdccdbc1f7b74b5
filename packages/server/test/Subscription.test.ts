import { assert, layer } from "@effect/vitest"
import { Duration, Effect, Fiber, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import * as Checkpoints from "../src/Checkpoints.ts"
import * as EventStore from "../src/EventStore.ts"
import * as Param from "../src/Param.ts"
import * as PgEventStore from "../src/PgEventStore.ts"
import * as Subscription from "../src/Subscription.ts"
import { event } from "./support/EventStoreSuite.ts"
import { eventually } from "./support/Eventually.ts"
import * as Muster from "./support/Muster.ts"
import type { TestDatabase } from "./support/Postgres.ts"
import { untilVisible } from "./support/Visible.ts"

/** Counts events by type, in a table of its own. */
const counting = (name: string, version = 1): Subscription.Projection => ({
  name,
  version,
  tables: [name],
  eventTypes: ["Counted", "Counted too"],
  handle: (events) => [
    {
      text: `insert into ${name} (type, count) select type, count(*) from unnest($1::text[]) as type group by type
             on conflict (type) do update set count = ${name}.count + excluded.count`,
      params: [Param.texts(events.map(({ type }) => type))]
    }
  ]
})

const createTable = (name: string) =>
  Effect.flatMap(SqlClient, (sql) => sql.unsafe(`create table ${name} (type text primary key, count bigint not null)`))

const counted = (name: string) =>
  Effect.flatMap(SqlClient, (sql) =>
    Effect.map(sql.unsafe<{ type: string; count: number }>(`select type, count::int as count from ${name}`), (rows) =>
      Object.fromEntries(rows.map(({ count, type }) => [type, count]))
    )
  )

/** Looks until there is nothing left that could be seen now. */
const catchUp = (runner: Subscription.Runner): Effect.Effect<void, EventStore.EventStoreError> =>
  Effect.flatMap(runner.runOnce, (progress) => (progress === "advanced" ? catchUp(runner) : Effect.void))

/** Looks until the table is as wanted: the end of the log may be held back by other tests' transactions. */
const follow = (runner: Subscription.Runner, expected: Record<string, number>) =>
  eventually(Effect.andThen(catchUp(runner), counted(runner.projection.name)), (found) =>
    Object.entries(expected).every(([type, count]) => (found[type] ?? 0) >= count)
  )

const append = (stream: string, types: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const store = yield* EventStore.EventStore
    const expectedVersion = yield* store.lastVersion(stream)
    return yield* store.append({ stream, expectedVersion, events: types.map((type) => event(type)) })
  })

const small: Subscription.Settings = { ...Subscription.defaults, batch: 3, saveEvery: 10 }

const storeLayer = PgEventStore.layer.pipe(Layer.provideMerge(Muster.layer))

// Each use of this layer is a database of its own, so that the log holds what the test put there.
const test = (name: string, body: Effect.Effect<void, unknown, SqlClient | EventStore.EventStore | TestDatabase>) =>
  layer(Layer.fresh(storeLayer), { excludeTestServices: true })("a subscription", (it) => {
    it.effect(name, () => body)
  })

test(
  "counts each event once, in batches, and goes on where it was",
  Effect.gen(function* () {
    yield* createTable("steps")
    yield* append("a", ["Counted", "Other", "Counted", "Counted too", "Counted", "Other", "Other"])
    const runner = yield* Subscription.make(counting("steps"), small)
    assert.deepStrictEqual(yield* follow(runner, { Counted: 3 }), { Counted: 3, "Counted too": 1 })
    yield* append("b", ["Other", "Counted"])
    const other = yield* Subscription.make(counting("steps"), small)
    assert.deepStrictEqual(yield* follow(other, { Counted: 4 }), { Counted: 4, "Counted too": 1 })
  })
)

test(
  "writes nothing when nothing happens, and nothing for a few events without interest",
  Effect.gen(function* () {
    const sql = yield* SqlClient
    yield* createTable("quiet")
    const runner = yield* Subscription.make(counting("quiet"), small)
    yield* append("a", ["Counted"])
    yield* follow(runner, { Counted: 1 })
    const row = sql`select xmin::text as writer, ctid::text as place, position from checkpoints where name = 'quiet'`
    const before = yield* row
    yield* append(
      "a",
      Array.from({ length: 9 }, () => "Other")
    )
    yield* eventually(Effect.andThen(catchUp(runner), runner.lag), ({ events }) => events === 0)
    assert.strictEqual(yield* runner.runOnce, "idle")
    assert.deepStrictEqual(yield* row, before)
    yield* append("a", ["Other", "Other"])
    yield* eventually(Effect.andThen(catchUp(runner), row), (now) => now[0]?.["position"] !== before[0]?.["position"])
  })
)

test(
  "keeps neither rows nor checkpoint of a batch that fails, and repeats it",
  Effect.gen(function* () {
    yield* createTable("failing")
    const projection = counting("failing")
    let isBroken = true
    const runner = yield* Subscription.make({
      ...projection,
      handle: (events) => [
        ...projection.handle(events),
        ...(isBroken ? [{ text: "select 1 / $1::int", params: [0] }] : [])
      ]
    })
    yield* append("a", ["Counted", "Counted"])
    const error = yield* eventually(Effect.result(catchUp(runner)), (result) => result._tag === "Failure")
    assert.include(String(error._tag === "Failure" && error.failure.message), "division by zero")
    assert.deepStrictEqual(yield* counted("failing"), {})
    isBroken = false
    assert.deepStrictEqual(yield* follow(runner, { Counted: 2 }), { Counted: 2 })
  })
)

test(
  "is advanced by one of two runners; the other takes over when that one stops",
  Effect.gen(function* () {
    yield* createTable("two")
    const first = yield* Subscription.make(counting("two"))
    const second = yield* Subscription.make(counting("two"))
    yield* append("a", ["Counted"])
    yield* follow(first, { Counted: 1 })
    yield* eventually(second.runOnce, (progress) => progress === "idle")
    yield* append("a", ["Counted"])
    yield* untilVisible
    // Both know the same checkpoint and see the same event.
    const both = yield* eventually(
      Effect.all([first.runOnce, second.runOnce], { concurrency: "unbounded" }),
      (progress) => progress.includes("advanced")
    )
    assert.sameMembers(both, ["advanced", "standby"])
    assert.deepStrictEqual(yield* counted("two"), { Counted: 2 })
    const standby = both[0] === "standby" ? first : second
    yield* append("a", ["Counted"])
    const progress = yield* eventually(standby.runOnce, (now) => now !== "idle")
    assert.strictEqual(progress, "advanced")
    assert.deepStrictEqual(yield* counted("two"), { Counted: 3 })
  })
)

test(
  "counts each event once while runners and writers race",
  Effect.gen(function* () {
    yield* createTable("race")
    const runners = yield* Effect.forEach([1, 2, 3], () => Subscription.make(counting("race"), small))
    const writing = yield* Effect.forEach(
      ["a", "b", "c", "d"],
      (stream) => Effect.repeat(append(stream, ["Counted", "Other", "Counted too"]), { times: 24 }),
      { concurrency: "unbounded", discard: true }
    ).pipe(Effect.forkChild)
    const expected = { Counted: 100, "Counted too": 100 }
    const found = yield* Effect.all(
      runners.map((runner) => follow(runner, expected)),
      { concurrency: "unbounded" }
    )
    yield* Fiber.join(writing)
    for (const counts of found) assert.deepStrictEqual(counts, expected)
  })
)

test(
  "reads all again for a new version, and the old one stops",
  Effect.gen(function* () {
    yield* createTable("versions")
    const old = yield* Subscription.make(counting("versions"))
    yield* append("a", ["Counted", "Counted"])
    yield* follow(old, { Counted: 2 })
    const renewed = counting("versions", 2)
    const twice: Subscription.Projection = { ...renewed, handle: (all) => renewed.handle([...all, ...all]) }
    const next = yield* Subscription.make(twice)
    assert.deepStrictEqual(yield* follow(next, { Counted: 4 }), { Counted: 4 })
    yield* append("a", ["Counted"])
    assert.strictEqual(yield* eventually(old.runOnce, (progress) => progress !== "idle"), "superseded")
    assert.deepStrictEqual(yield* follow(next, { Counted: 6 }), { Counted: 6 })
    // `run` ends by itself.
    yield* old.run
  })
)

test(
  "reads all again after its checkpoint was reset",
  Effect.gen(function* () {
    const sql = yield* SqlClient
    yield* createTable("again")
    const runner = yield* Subscription.make(counting("again"))
    yield* append("a", ["Counted"])
    yield* follow(runner, { Counted: 1 })
    yield* sql`update again set count = 1000`
    yield* Checkpoints.reset(sql, "again")
    yield* append("a", ["Counted"])
    const found = yield* eventually(
      Effect.andThen(runner.runOnce, counted("again")),
      (now) => (now["Counted"] ?? 0) === 2
    )
    assert.deepStrictEqual(found, { Counted: 2 })
  })
)

test(
  "is woken by commits of its process, long before it would look by itself",
  Effect.gen(function* () {
    yield* createTable("woken")
    const patient = { ...Subscription.defaults, pollInterval: Duration.minutes(10) }
    const runner = yield* Subscription.make(counting("woken"), patient)
    yield* Effect.forkChild(runner.run)
    yield* eventually(
      Effect.flatMap(SqlClient, (sql) => Checkpoints.load(sql, "woken")),
      (checkpoint) => checkpoint !== undefined
    )
    // Repeated, because the first commit may not be visible yet when the runner looks.
    yield* eventually(Effect.andThen(append("a", ["Counted"]), counted("woken")), (now) => (now["Counted"] ?? 0) > 0)
  })
)

test(
  "sees what other processes commit at its next poll",
  Effect.gen(function* () {
    yield* createTable("polled")
    const quick = { ...Subscription.defaults, pollInterval: Duration.millis(20) }
    const runner = yield* Subscription.make(counting("polled"), quick)
    yield* Effect.forkChild(runner.run)
    const elsewhere = PgEventStore.layer.pipe(Layer.provide(Muster.clientLayer()))
    yield* append("a", ["Counted"]).pipe(Effect.provide(elsewhere, { local: true }))
    yield* eventually(counted("polled"), (now) => now["Counted"] === 1)
  })
)

test(
  "tells how far it is behind",
  Effect.gen(function* () {
    const sql = yield* SqlClient
    yield* createTable("lagging")
    const runner = yield* Subscription.make(counting("lagging"))
    assert.deepStrictEqual(yield* runner.lag, { events: 0, seconds: 0 })
    yield* append("a", ["Counted", "Other"])
    yield* sql`update events set recorded_at = now() - interval '5 minutes' where version = 1`
    const lag = yield* runner.lag
    assert.strictEqual(lag.events, 2)
    assert.isAtLeast(lag.seconds, 300)
    yield* follow(runner, { Counted: 1 })
    assert.deepStrictEqual(yield* runner.lag, { events: 0, seconds: 0 })
  })
)
