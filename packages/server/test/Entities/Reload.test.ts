/**
 * A suite outlives its actor: what the next one answers, what it starts from, and what becomes of one that does not know
 * that it is not the only one.
 */
import { assert, layer } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { stream } from "@muster/domain/Suite/Id"
import type { SuiteId } from "@muster/domain/Suite/Id"
import * as LogEvent from "../../src/LogEvent.ts"
import type { SuiteEvent } from "@muster/domain/Suite/Events"
import * as EventStore from "../../src/EventStore.ts"
import { Suites } from "../../src/Suites.ts"
import * as Actors from "../support/Actors.ts"
import * as SuiteReference from "../support/SuiteReference.ts"
import * as SuiteTables from "../support/SuiteTables.ts"

const { alone, command, ended, fresh, leased } = Actors

const events = (suiteId: SuiteId) => Actors.stored(stream(suiteId))

const view = (suiteId: SuiteId) => Effect.flatMap(Suites, (suites) => suites.resume({ suiteId, ...fresh() }))

/** One command after the other, always under the same ids. */
const script = Effect.fnUntraced(function* (suiteId: SuiteId) {
  const suites = yield* Suites
  const session = Actors.session(suiteId)
  const as = (commandId: string) => ({ suiteId, commandId, actor: "test" })
  const tasks = ["a", "b", "c", "d"].map((name) => ({ ...command(name), retry: { limit: 0 } }))
  const { createdAt } = yield* suites.create({ ...as("create"), spec: { name: "script" } })
  const submitted = yield* suites.submit({ ...as("submit"), tasks })
  const first = yield* session.lease(2, 0, "lease")
  const reported = yield* session.report({ ended: [ended(0), ended(1, 1, "failed")] }, "report")
  const { retriedTasks } = yield* suites.retry({ ...as("retry"), tasks: "failed" })
  const { cancelledTasks } = yield* suites.cancelTasks({ ...as("cancel"), tasks: [2, 3], reason: "" })
  const again = yield* session.lease(5, 0, "lease again")
  return { createdAt, submitted, first: leased(first), reported, retriedTasks, cancelledTasks, again: leased(again) }
})

const expected: Omit<Effect.Success<ReturnType<typeof script>>, "createdAt"> = {
  submitted: { firstIndex: 0, count: 4 },
  first: [
    [0, 1, "a"],
    [1, 1, "b"]
  ],
  reported: { accepted: 2, repeated: 0, late: 0 },
  retriedTasks: 1,
  cancelledTasks: 2,
  again: [[1, 2, "b"]]
}

layer(Actors.storeLayer, { excludeTestServices: true })("a suite whose actor goes", (it) => {
  it.effect("gives every command that is repeated its first answer, and stores nothing", () =>
    Effect.gen(function* () {
      const suiteId = Actors.suiteId(1)
      const first = yield* alone(script(suiteId))
      assert.deepInclude(first, expected)
      const before = yield* events(suiteId)
      assert.deepStrictEqual(yield* alone(script(suiteId)), first)
      assert.deepStrictEqual(yield* events(suiteId), before)
    })
  )

  it.effect("gives a lease that is repeated its first answer at once, though nothing is left to hand out", () =>
    Effect.gen(function* () {
      const suiteId = Actors.suiteId(2)
      const session = Actors.session(suiteId)
      yield* alone(Effect.andThen(script(suiteId), session.lease(5)))
      const [reply, empty] = yield* alone(
        Effect.all([session.lease(2, 60_000, "lease"), session.lease(0, 0, "never asked")]).pipe(
          Effect.timeout("5 seconds")
        )
      )
      assert.deepStrictEqual(leased(reply), expected.first)
      assert.deepStrictEqual(empty, { leases: [], ended: false })
    })
  )

  it.effect("goes on from a snapshot, and from the log when there is none that can be read", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const suiteId = Actors.suiteId(3)
      const name = stream(suiteId)
      yield* alone(script(suiteId))
      const { length } = yield* events(suiteId)
      const [saved] = yield* sql<{ version: number }>`select version from snapshots where stream = ${name}`
      assert.strictEqual(saved?.version, length)
      const fromSnapshot = yield* alone(view(suiteId))
      assert.deepInclude(fromSnapshot.tasks, { total: 4, succeeded: 1, cancelled: 2, assigned: 1 })
      // The log is not needed for it: without its beginning nothing is missed.
      yield* sql`update events set stream = 'hidden' where stream = ${name} and version < ${length}`
      assert.deepStrictEqual(yield* alone(view(suiteId)), fromSnapshot)
      yield* sql`update events set stream = ${name} where stream = 'hidden'`
      for (const state of [new Uint8Array(), new TextEncoder().encode("something else entirely")]) {
        yield* sql`update snapshots set state = ${state} where stream = ${name}`
        assert.deepStrictEqual(yield* alone(view(suiteId)), fromSnapshot)
      }
      yield* sql`delete from snapshots where stream = ${name}`
      assert.deepStrictEqual(yield* alone(view(suiteId)), fromSnapshot)
      const reply = yield* alone(Actors.session(suiteId, Actors.managerId(1)).report({ ended: [ended(1, 2)] }))
      assert.strictEqual(reply.accepted, 1)
    })
  )

  it.effect("has one history, though two coordinators believe that they own it", () =>
    Effect.gen(function* () {
      const suiteId = Actors.suiteId(4)
      const submit = (name: string) =>
        Effect.flatMap(Suites, (suites) => suites.submit({ suiteId, ...fresh(), tasks: [command(name)] }))
      const turns = yield* Effect.forEach([1, 2, 3, 4], () => Deferred.make<void>())
      const [first, second, third, fourth] = turns
      if (first === undefined || second === undefined || third === undefined || fourth === undefined) return
      const one = alone(
        Effect.gen(function* () {
          const suites = yield* Suites
          yield* suites.create({ suiteId, ...fresh(), spec: {} })
          yield* submit("one")
          yield* Deferred.succeed(first, undefined)
          yield* Deferred.await(second)
          // It believes that it is where it was, is refused, forgets all that, and finds what the other one wrote.
          const answer = yield* submit("three")
          yield* Deferred.succeed(third, undefined)
          yield* Deferred.await(fourth)
          return answer.firstIndex
        })
      )
      const other = alone(
        Effect.gen(function* () {
          yield* Deferred.await(first)
          const answer = yield* submit("two")
          yield* Deferred.succeed(second, undefined)
          yield* Deferred.await(third)
          const answers = yield* Effect.all(
            ["four", "five"].map((name) => submit(name)),
            { concurrency: "unbounded" }
          )
          yield* Deferred.succeed(fourth, undefined)
          return [answer, ...answers].map(({ firstIndex }) => firstIndex)
        })
      )
      const running = yield* Effect.forkChild(one)
      assert.deepStrictEqual(yield* other, [1, 3, 4])
      assert.strictEqual(yield* Fiber.join(running), 2)
      const store = yield* EventStore.EventStore
      const log = yield* store.readStream(stream(suiteId))
      assert.deepStrictEqual(
        log.map(({ version }) => version),
        [1, 2, 3, 4, 5, 6]
      )
      assert.deepStrictEqual(
        yield* SuiteTables.rowsOf(suiteId),
        SuiteReference.rowsOf(log.map((recorded) => LogEvent.decode<SuiteEvent>(recorded)))
      )
    })
  )
})
