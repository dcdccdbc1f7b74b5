/**
 * Two coordinators on one database, as real processes: one dies, or freezes and wakes again, and the other one goes on
 * with everything.
 */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Stream } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { Directive } from "@muster/domain/Manager/Directive"
import type { SuiteEvent } from "@muster/domain/Suite/Events"
import { stream } from "@muster/domain/Suite/Id"
import type { SuiteId } from "@muster/domain/Suite/Id"
import * as LogEvent from "../../src/LogEvent.ts"
import * as EventStore from "../../src/EventStore.ts"
import * as Inline from "../../src/Projections/Inline.ts"
import * as Rebuild from "../../src/Rebuild.ts"
import * as Actors from "../support/Actors.ts"
import * as Coordinators from "../support/Coordinators.ts"
import type { Coordinator } from "../support/Coordinators.ts"
import { eventually } from "../support/Eventually.ts"
import * as ScriptedManager from "../support/ScriptedManager.ts"

const { command, ended, epoch, fresh, leased, managerId } = Actors

/** So many that both coordinators are sure to have some of them. */
const suites = Array.from({ length: 16 }, (_, k) => Actors.suiteId(k + 1))

const id = managerId(1)
const session = { managerId: id, epoch: epoch(1) }

const commandId = () => fresh().commandId

const submit = ({ client }: Coordinator, suiteId: SuiteId, names: ReadonlyArray<string>, as = commandId()) =>
  client.SubmitTasks({ suiteId, commandId: as, tasks: names.map(command) })

const lease = ({ manager }: Coordinator, suiteId: SuiteId, max: number) =>
  manager.LeaseTasks({ ...session, suiteId, commandId: commandId(), max, wait: 0 })

const report = ({ manager }: Coordinator, suiteId: SuiteId, indexes: ReadonlyArray<number>, as = commandId()) =>
  manager.ReportTasks({
    ...session,
    suiteId,
    commandId: as,
    started: [],
    ended: indexes.map((index) => ended(index)),
    returned: []
  })

const inAll = <A, E, R>(effect: (suiteId: SuiteId, k: number) => Effect.Effect<A, E, R>) =>
  Effect.forEach(suites, effect, { concurrency: "unbounded" })

/** How long something took, in milliseconds. */
const timed = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const began = performance.now()
    return Effect.map(effect, (answer) => [Math.round(performance.now() - began), answer] as const)
  })

const events = Effect.fnUntraced(function* (suiteId: SuiteId) {
  const store = yield* EventStore.EventStore
  const recorded = yield* store.readStream(stream(suiteId))
  assert.deepStrictEqual(
    recorded.map(({ version }) => version),
    recorded.map((_, k) => k + 1)
  )
  return recorded.map(LogEvent.decode<SuiteEvent>)
})

const named = <Tag extends SuiteEvent["_tag"]>(all: ReadonlyArray<SuiteEvent>, tag: Tag) =>
  all.filter((event): event is Extract<SuiteEvent, { readonly _tag: Tag }> => event._tag === tag)

/** Names of the tasks as the log has them, and how often the end of each was recorded. */
const summary = Effect.fnUntraced(function* (suiteId: SuiteId) {
  const all = yield* events(suiteId)
  const names = named(all, "TasksSubmitted").flatMap(({ tasks }) =>
    tasks.flatMap((task) => ("args" in task ? (task.args ?? []) : []))
  )
  const ends = named(all, "AttemptsEnded").flatMap(({ attempts }) => attempts.map(({ index }) => index))
  return { names: names.toSorted((a, b) => a.localeCompare(b)), ends: ends.toSorted((a, b) => a - b) }
})

/** Coordinators that hold shards now. */
const owners = Effect.gen(function* () {
  const sql = yield* SqlClient
  const rows = yield* sql<{ pid: number; shards: number }>`
    select pid, count(*)::int as shards from pg_locks
    where locktype = 'advisory' and objsubid = 2 and granted
      and database = (select oid from pg_database where datname = current_database())
    group by pid`
  return rows
})

/** Opens the manager's session over its connection to a coordinator, which then lets it speak. */
const open = Effect.fnUntraced(function* ({ manager }: Coordinator) {
  const isOpen = yield* Deferred.make<void>()
  yield* manager.Connect({ managerId: id, instance: "process", spec: ScriptedManager.spec() }).pipe(
    Stream.runForEach(({ _tag }) => (_tag === "Welcome" ? Deferred.succeed(isOpen, undefined) : Effect.void)),
    // The session moves to the newest connection.
    Effect.ignore,
    Effect.forkScoped
  )
  yield* Deferred.await(isOpen)
})

/** Two coordinators that share the work. */
const pair = Effect.gen(function* () {
  const [one, two] = yield* Effect.all([Coordinators.start(), Coordinators.start()], { concurrency: 2 })
  yield* eventually(owners, (all) => all.length === 2 && all.every(({ shards }) => shards > 20))
  yield* open(one)
  yield* open(two)
  return { one, two }
})

const rowsAreRight = Effect.gen(function* () {
  for (const projection of Inline.projections) {
    const { tables } = yield* Rebuild.check(projection)
    assert.deepStrictEqual(
      tables.flatMap(({ differences }) => differences),
      []
    )
  }
})

const provided = Effect.provide(Actors.storeLayer, { local: true })

describe("a cluster of two coordinators", () => {
  it.live(
    "goes on when one is killed, with nothing lost and nothing settled twice",
    () =>
      Effect.gen(function* () {
        const { one, two } = yield* pair
        const told: Array<Directive> = []
        yield* two.manager.Connect({ managerId: id, instance: "process", spec: ScriptedManager.spec() }).pipe(
          Stream.runForEach((directive) => Effect.sync(() => told.push(directive))),
          Effect.forkScoped
        )
        yield* eventually(
          Effect.sync(() => told[0]),
          (first) => first?._tag === "Welcome"
        )
        yield* two.manager.Ready(session)
        yield* inAll((suiteId) => one.client.CreateSuite({ suiteId, commandId: commandId(), spec: {} }))
        yield* inAll((suiteId, k) => submit(k % 2 === 0 ? one : two, suiteId, ["a", "b", "c"]))
        yield* inAll((suiteId) => lease(two, suiteId, 2))

        // Some of these are on their way to the one that dies, and are answered by the other one all the same.
        const inFlight = yield* Effect.forkChild(inAll((suiteId, k) => submit(two, suiteId, ["d"], `in flight ${k}`)))
        yield* one.signal("SIGKILL")
        yield* one.exited
        const times = yield* inAll((suiteId) =>
          timed(
            Effect.gen(function* () {
              yield* submit(two, suiteId, ["e"])
              const reply = yield* lease(two, suiteId, 10)
              const answer = yield* report(two, suiteId, [0, 1, ...leased(reply).map(([index]) => index)])
              return answer.accepted
            })
          )
        )
        const longest = Math.max(...times.map(([millis]) => millis))
        yield* Effect.logInfo(`takeover after kill -9: a submit, a lease and a report took ${longest} ms at most`)
        assert.isBelow(longest, 10_000)
        yield* Fiber.join(inFlight)
        // What had died with it is asked again, and is found to have been done.
        yield* inAll((suiteId, k) => submit(two, suiteId, ["d"], `in flight ${k}`))
        yield* inAll((suiteId) =>
          Effect.gen(function* () {
            const reply = yield* lease(two, suiteId, 10)
            if (reply.leases.length > 0)
              yield* report(
                two,
                suiteId,
                leased(reply).map(([index]) => index)
              )
          })
        )
        for (const suiteId of suites) {
          const { ends, names } = yield* summary(suiteId)
          assert.deepStrictEqual(names, ["a", "b", "c", "d", "e"])
          assert.deepStrictEqual(ends, [0, 1, 2, 3, 4])
          assert.strictEqual((yield* two.client.GetSuite({ suiteId })).state, "complete")
        }
        // The manager's session is the same, whichever coordinator had it.
        yield* eventually(
          Effect.exit(two.manager.Heartbeat({ ...session, activity: "idle", running: 0, buffered: 0 })),
          (exit) => exit._tag === "Success"
        )
        for (const directive of told) if (directive._tag === "Welcome") assert.strictEqual(directive.epoch, 1)
        yield* rowsAreRight
      }).pipe(Effect.scoped, provided),
    60_000
  )

  it.live(
    "goes on at once when one is asked to stop, which does not take long",
    () =>
      Effect.gen(function* () {
        const { one, two } = yield* pair
        yield* inAll((suiteId) => one.client.CreateSuite({ suiteId, commandId: commandId(), spec: {} }))
        const waiting = yield* Effect.forkChild(
          inAll((suiteId) =>
            two.manager.LeaseTasks({ ...session, suiteId, commandId: commandId(), max: 1, wait: 20_000 })
          )
        )
        yield* one.signal("SIGTERM")
        const [stopped, times] = yield* Effect.all(
          [timed(one.exited), inAll((suiteId) => timed(submit(two, suiteId, ["a"])))],
          { concurrency: 2 }
        )
        const longest = Math.max(...times.map(([millis]) => millis))
        yield* Effect.logInfo(`stopped within ${stopped[0]} ms; a submit took ${longest} ms at most`)
        assert.isBelow(stopped[0], 5_000)
        assert.isBelow(longest, 5_000)
        for (const reply of yield* Fiber.join(waiting)) assert.deepStrictEqual(leased(reply), [[0, 1, "a"]])
        assert.notMatch(one.output(), /ERROR|FATAL|    at /)
      }).pipe(Effect.scoped, provided),
    60_000
  )

  it.live(
    "takes no harm from one that freezes, is replaced, and wakes",
    () =>
      Effect.gen(function* () {
        const { one, two } = yield* pair
        yield* inAll((suiteId) => one.client.CreateSuite({ suiteId, commandId: commandId(), spec: {} }))
        yield* inAll((suiteId) => submit(one, suiteId, ["a"]))
        yield* inAll((suiteId) => lease(one, suiteId, 1))
        yield* one.signal("SIGSTOP")
        const frozenAt = performance.now()
        // It finds these when it wakes, and believes that it is still to answer them.
        const stale = yield* Effect.forkChild(
          inAll((suiteId, k) =>
            Effect.all([submit(one, suiteId, ["b"], `b ${k}`), report(one, suiteId, [0], `report ${k}`)], {
              concurrency: 2
            })
          )
        )
        const times = yield* inAll((suiteId, k) =>
          timed(
            Effect.gen(function* () {
              yield* submit(two, suiteId, ["c"])
              yield* submit(two, suiteId, ["b"], `b ${k}`)
              const { accepted } = yield* report(two, suiteId, [0], `report ${k}`)
              assert.strictEqual(accepted, 1)
            })
          )
        )
        const longest = Math.max(...times.map(([millis]) => millis))
        yield* Effect.logInfo(`takeover from a frozen coordinator: two submits and a report took ${longest} ms at most`)
        yield* eventually(
          Effect.sync(() => performance.now() - frozenAt),
          (elapsed) => elapsed > 9_500
        )
        yield* one.signal("SIGCONT")
        yield* inAll((suiteId) => submit(two, suiteId, ["d"]))
        for (const [submitted, reported] of yield* Fiber.join(stale)) {
          assert.strictEqual(submitted.count, 1)
          assert.deepStrictEqual(reported, { accepted: 1, repeated: 0, late: 0 })
        }
        // Both are of use again.
        yield* eventually(owners, (all) => all.length === 2 && all.every(({ shards }) => shards > 20))
        yield* inAll((suiteId, k) => submit(k % 2 === 0 ? one : two, suiteId, ["e"]))
        for (const suiteId of suites) {
          const { ends, names } = yield* summary(suiteId)
          assert.deepStrictEqual(names, ["a", "b", "c", "d", "e"])
          assert.deepStrictEqual(ends, [0])
        }
        yield* rowsAreRight
      }).pipe(Effect.scoped, provided),
    60_000
  )
})
