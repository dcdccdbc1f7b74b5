/** Conditions that are real, in a real Postgres, and what the doctor says of them. */
import { PgClient } from "@effect/sql-pg"
import { assert, layer } from "@effect/vitest"
import { Context, Duration, Effect, Layer, Redacted } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { CoordinatorEvent } from "@muster/domain/Coordinator/Events"
import type { Finding, Severity } from "@muster/domain/Doctor/Finding"
import * as Server from "@muster/domain/Doctor/Server"
import { Epoch, ManagerId } from "@muster/domain/Manager/Id"
import { SuiteId } from "@muster/domain/Suite/Id"
import * as Doctor from "../../src/Doctor/Database.ts"
import * as FromOutside from "../../src/Doctor/FromOutside.ts"
import * as ServerFacts from "../../src/Doctor/ServerFacts.ts"
import { EventStore } from "../../src/EventStore.ts"
import * as Migrations from "../../src/Migrations.ts"
import * as PgEventStore from "../../src/PgEventStore.ts"
import * as Muster from "../support/Muster.ts"
import { eventually } from "../support/Eventually.ts"
import * as Postgres from "../support/Postgres.ts"

const examine = (full = false) =>
  Effect.flatMap(PgClient.PgClient, (client) => Doctor.examine(client, { full, connections: 10 }))

const severities = (found: ReadonlyArray<Finding>, check: string): ReadonlyArray<Severity> =>
  found.filter((finding) => finding.check === check).map(({ severity }) => severity)

const first = (found: ReadonlyArray<Finding>, check: string, severity: Severity): Finding => {
  const finding = found.find((one) => one.check === check && one.severity === severity)
  if (finding === undefined) throw new Error(`no ${severity} of ${check} in ${JSON.stringify(found, undefined, 1)}`)
  return finding
}

/** As another role, or on another database, of the same server. */
const urlWith = (change: (url: URL) => void) =>
  Effect.map(Postgres.TestDatabase, ({ url }) => {
    const changed = new URL(Redacted.value(url))
    change(changed)
    return Redacted.make(changed.href)
  })

/** Roles are shared by all databases of the test's server. */
const withRole = (name: string, options: string) =>
  Effect.acquireRelease(
    Effect.flatMap(SqlClient, (sql) => sql.unsafe(`create role ${name} login password 'secret' ${options}`).unprepared),
    () =>
      Effect.orDie(
        Effect.flatMap(SqlClient, (sql) =>
          Effect.andThen(sql.unsafe(`drop owned by ${name}`).unprepared, sql.unsafe(`drop role ${name}`).unprepared)
        )
      )
  )

const asRole = (name: string) =>
  urlWith((url) => {
    url.username = name
    url.password = "secret"
  })

/** A session of somebody else, open as long as the scope. */
const connect = (url: Redacted.Redacted, applicationName: string) =>
  Effect.map(Layer.build(Layer.fresh(PgClient.layer({ url, applicationName, maxConnections: 1 }))), (context) =>
    Context.get(context, PgClient.PgClient)
  )

const services = Layer.fresh(PgEventStore.layer.pipe(Layer.provideMerge(Muster.layer)))

/** One database for all: each plants what the others do not look at. */
layer(services, { excludeTestServices: true })("the doctor", (it) => {
  it.effect("calls what is well well, and what the test's server leaves out for speed an error", () =>
    Effect.gen(function* () {
      const found = yield* examine()
      assert.deepStrictEqual(severities(found, "database.fsync"), ["error"])
      assert.deepStrictEqual(severities(found, "database.full_page_writes"), ["error"])
      // Our sessions ask for it.
      assert.deepStrictEqual(severities(found, "database.synchronous_commit"), ["warning"])
      const notDurable = new Set(["database.fsync", "database.full_page_writes", "database.synchronous_commit"])
      const others = found.filter(({ check, severity }) => severity !== "ok" && !notDurable.has(check))
      assert.deepStrictEqual(
        others.filter(({ check }) => check !== "database.transactions"),
        []
      )
      for (const check of ["work.leases", "projections.equal", "log.subscriptions", "database.migrations"]) {
        assert.include(severities(found, check), "ok", check)
      }
    })
  )

  it.effect("sees what a role's own settings do to a session that asks for nothing", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const sql = yield* SqlClient
        yield* withRole("doctor_careless", "")
        yield* sql.unsafe("alter role doctor_careless set synchronous_commit = off").unprepared
        const url = yield* asRole("doctor_careless")
        const facts = yield* ServerFacts.gather(10).pipe(Effect.provide(PgClient.layer({ url }), { local: true }))
        const setting = facts.durability.find(({ name }) => name === "synchronous_commit")
        assert.deepStrictEqual(setting?.plain, { value: "off", source: "user" })
        // This client does not ask for it either, as one behind a pooler that drops what is asked for.
        const finding = first(Server.judge(facts), "database.synchronous_commit", "error")
        assert.strictEqual(finding.next, 'alter role "doctor_careless" reset synchronous_commit')
      })
    )
  )

  it.effect("misses rights, and the right to see others", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const sql = yield* SqlClient
        yield* withRole("doctor_poor", "")
        yield* sql.unsafe("grant usage on schema muster to doctor_poor").unprepared
        yield* sql.unsafe("grant select on all tables in schema muster to doctor_poor").unprepared
        const settings = Muster.settings(yield* asRole("doctor_poor"))
        const found = yield* FromOutside.examine({ settings, full: false, cluster: false })
        const { what } = first(found, "database.rights", "error")
        assert.include(what, "create on schema muster")
        assert.match(what, /insert, update, delete, truncate on \w+/)
        assert.deepStrictEqual(severities(found, "database.monitor"), ["warning"])
      })
    )
  )

  it.effect("counts what a role's limit leaves", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const sql = yield* SqlClient
        yield* withRole("doctor_limited", "connection limit 3")
        yield* sql.unsafe("grant pg_monitor to doctor_limited").unprepared
        const url = yield* asRole("doctor_limited")
        // One that is not the doctor's.
        const other = yield* connect(url, "other")
        yield* other.unsafe("select 1")
        const facts = yield* ServerFacts.gather(10).pipe(
          Effect.provide(PgClient.layer({ url, maxConnections: 1, applicationName: "muster doctor" }), { local: true })
        )
        const found = Server.judge(facts)
        assert.include(first(found, "database.connections", "error").what, "2 connections of 3 are left for the role")
      })
    )
  )

  it.effect("knows a database of another encoding", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const sql = yield* SqlClient
        const { name } = yield* Postgres.TestDatabase
        const ascii = `${name}_ascii`
        yield* Effect.acquireRelease(
          sql.unsafe(`create database "${ascii}" encoding 'SQL_ASCII' locale 'C' template template0`).unprepared,
          () => Effect.orDie(sql.unsafe(`drop database "${ascii}" with (force)`).unprepared)
        )
        const url = yield* urlWith((changed) => {
          changed.pathname = `/${ascii}`
        })
        const found = yield* FromOutside.examine({ settings: Muster.settings(url), full: false, cluster: true })
        assert.include(first(found, "database.encoding", "error").what, "SQL_ASCII")
        // Nothing has been migrated there, and no coordinator is there.
        assert.deepStrictEqual(severities(found, "database.migrations"), ["warning"])
        assert.deepStrictEqual(severities(found, "cluster.coordinators"), ["error"])
      })
    )
  )

  it.effect("says that a database cannot be reached, or is not there", () =>
    Effect.gen(function* () {
      const missing = yield* urlWith((url) => {
        url.pathname = "/no-such-database"
      })
      const nobody = Redacted.make("postgres://nobody@127.0.0.1:9/nothing")
      for (const url of [missing, nobody]) {
        // Whatever a coordinator would wait for.
        const settings = Muster.settings(url, { waitFor: Duration.minutes(5) })
        const [elapsed, found] = yield* Effect.timed(FromOutside.examine({ settings, full: false, cluster: true }))
        assert.deepStrictEqual(severities(found, "database.reachable"), ["error"])
        assert.isBelow(Duration.toMillis(elapsed), 15_000)
      }
    })
  )

  const hours = 3_600_000

  it.effect("sees transactions that others leave open, and that readers of the log wait for", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { url } = yield* Postgres.TestDatabase
        const open = (applicationName: string, text: string) =>
          Effect.gen(function* () {
            const client = yield* connect(url, applicationName)
            const connection = yield* client.reserve
            yield* connection.executeUnprepared("begin", [], undefined)
            yield* connection.executeUnprepared(text, [], undefined)
          })
        // As text: the driver takes the bytes of what it does not know for letters.
        yield* open("doctor-test-writer", "select pg_current_xact_id()::text")
        yield* open("doctor-test-reader", "select 1")
        const ours = (found: Effect.Success<typeof ServerFacts.gatherTransactions>) =>
          ["doctor-test-writer", "doctor-test-reader"].map((name) => found.find(({ who }) => who.includes(name)))
        // A server process says that it is idle only after it has answered.
        const [writer, reader] = ours(
          yield* eventually(ServerFacts.gatherTransactions, (found) => ours(found).every((one) => one?.isIdle === true))
        )
        assert.deepInclude(writer, { isIdle: true, holdsLog: true })
        assert.deepInclude(reader, { isIdle: true, holdsLog: false })
        assert.isBelow(writer?.milliseconds ?? Infinity, hours)
        // An hour later.
        const later = [writer, reader].flatMap((one) =>
          one === undefined ? [] : [{ ...one, milliseconds: one.milliseconds + hours }]
        )
        assert.deepStrictEqual(
          Server.judgeTransactions(later).map(({ severity }) => severity),
          ["error", "warning"]
        )
      })
    )
  )

  const managerId = ManagerId.make("0123456789abcdef")
  const suiteId = SuiteId.make("fedcba9876543210")

  const plantManager = (change: { readonly epoch: number; readonly state: string; readonly ago: string }) =>
    Effect.flatMap(SqlClient, (sql) =>
      sql.unsafe(
        `insert into managers (id, name, workers, version, host, state, epoch, connected, updated_at, stream_version)
       values ($1, 'm', 1, '0', '{}', $2, ${change.epoch}, false, now() - $3::interval, 1)
       on conflict (id) do update set epoch = excluded.epoch, state = excluded.state, updated_at = excluded.updated_at`,
        [managerId, change.state, change.ago]
      )
    )

  const plantSuite = Effect.flatMap(SqlClient, (sql) =>
    sql.unsafe(
      `insert into suites (id, spec, state, created_at, version) values ($1, '{}', 'open', now() - interval '1 day', 1) on conflict do nothing`,
      [suiteId]
    )
  )

  it.effect("finds leases that are held by sessions that are over", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      yield* plantSuite
      yield* plantManager({ epoch: 3, state: "idle", ago: "10 minutes" })
      yield* sql.unsafe(`insert into leases values ($1, $2, 2, '{[0,5),[7,9)}')`, [suiteId, managerId])
      yield* sql.unsafe(`insert into tasks (suite_id, index, state, manager, epoch) values ($1, 11, 2, $2, 2)`, [
        suiteId,
        managerId
      ])
      // Of the session that is open: as it should be.
      yield* sql.unsafe(`insert into leases values ($1, $2, 3, '{[20,30)}')`, [suiteId, managerId])
      const { what } = first(yield* examine(), "work.leases", "error")
      assert.include(what, `8 tasks of suite ${suiteId} are leased to session 2 of manager ${managerId}`)
      yield* sql`update managers set updated_at = now()`
      assert.deepStrictEqual(severities(yield* examine(), "work.leases"), ["ok"], "it takes a while to take them back")
      yield* sql`delete from managers`
      assert.deepStrictEqual(
        severities(yield* examine(), "work.leases"),
        ["error", "error"],
        "nobody knows the manager"
      )
    })
  )

  it.effect("finds assignments to sessions that are over", () =>
    Effect.gen(function* () {
      const store = yield* EventStore
      const at = Date.now()
      const epoch = Epoch.make(2)
      const events: ReadonlyArray<CoordinatorEvent> = [
        { _tag: "SuiteQueued", suiteId, tags: [], priority: 0, createdAt: at, queued: 1, pending: 1, at },
        { _tag: "ManagerAvailable", managerId, epoch, tags: [], workers: 1, at },
        { _tag: "SuiteAssigned", managerId, epoch, suiteId, slots: 1, refused: [], at }
      ]
      yield* store.append({
        stream: "coordinator-main",
        expectedVersion: 0,
        events: events.map(({ _tag, ...data }) => ({ type: _tag, data, metadata: { actor: "test", schemaVersion: 1 } }))
      })
      yield* plantManager({ epoch: 2, state: "offline", ago: "5 minutes" })
      const { what } = first(yield* examine(), "work.assignments", "warning")
      assert.include(what, `${suiteId} to session 2 of manager ${managerId}, `.slice(0, -2))
    })
  )

  it.effect("finds tasks that take long to be cancelled", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      yield* plantSuite
      yield* plantManager({ epoch: 1, state: "executing", ago: "1 minute" })
      yield* sql.unsafe(
        `insert into tasks (suite_id, index, state, manager, epoch, cancel_requested) values ($1, 0, 2, $2, 1, true)`,
        [suiteId, managerId]
      )
      yield* sql.unsafe(
        `insert into events (stream, version, type, data, metadata, recorded_at)
       values ('suite-' || $1, 1, 'TaskCancellationRequested', '{}', '{}', now() - interval '2 hours')`,
        [suiteId]
      )
      assert.include(first(yield* examine(), "work.cancelling", "warning").what, "2 h ago")
    })
  )

  it.effect("finds histories that stand still", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      yield* sql`insert into checkpoints (name, version, transaction_id, position) values ('throughput', 1, '0', 0)`
      yield* sql`update events set recorded_at = now()`
      const append = (version: number, type: string) => sql`
        insert into events (stream, version, type, data, metadata, recorded_at)
        values ('other-1', ${version}, ${type}, '{}', '{}', now() - interval '3 hours')`
      // What a history does not want keeps it from nothing, however long it stays before its checkpoint.
      yield* append(1, "Other")
      assert.notInclude(severities(yield* examine(), "log.subscriptions"), "error")
      yield* append(2, "AttemptsEnded")
      assert.match(
        first(yield* examine(), "log.subscriptions", "error").what,
        /^history throughput is 1 event \(3 h\) behind$/
      )
      yield* sql`update checkpoints set version = 99`
      assert.include(first(yield* examine(), "log.subscriptions", "warning").what, "version 99")
    })
  )

  it.effect("says of each part that cannot be looked at why, and goes on", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      yield* sql`drop table leases`
      const found = yield* examine()
      assert.match(first(found, "database.asked", "error").what, /^leases could not be looked at: .*"leases"/)
      assert.include(severities(found, "database.version"), "ok")
    })
  )

  it.effect("knows steps that are pending, changed, or of a newer program", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      yield* sql`update schema_migrations set checksum = 'other' where version = 3`
      assert.include(first(yield* examine(), "database.migrations", "error").what, "3 histories")
      yield* sql`update schema_migrations set checksum = ${Migrations.checksum(
        Migrations.migrations[2] ?? { version: 0, name: "", up: [], down: [] }
      )} where version = 3`
      yield* Migrations.migrateTo(Migrations.supported - 1)
      const pending = yield* examine()
      assert.deepStrictEqual(severities(pending, "database.migrations"), ["warning"])
      assert.deepStrictEqual(severities(pending, "projections.equal"), [], "tables of another version are not read")
      yield* Migrations.migrate
      yield* sql`insert into schema_migrations (version, name, checksum) values (99, 'later', '')`
      assert.include(first(yield* examine(), "database.migrations", "error").what, "version 99")
    })
  )
})
