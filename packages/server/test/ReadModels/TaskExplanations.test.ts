import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { decider as poolDecider } from "@muster/domain/Coordinator/Decider"
import { replay } from "@muster/domain/Decider"
import * as Explain from "@muster/domain/Explanation/Explain"
import type { SuiteEvent } from "@muster/domain/Suite/Events"
import { stream, taskId } from "@muster/domain/Suite/Id"
import { decider } from "@muster/domain/Suite/Decider"
import type { EndedAttempt } from "@muster/domain/Task/Attempt"
import { EventStore } from "../../src/EventStore.ts"
import type { NewEvent } from "../../src/EventStore.ts"
import * as LogEvent from "../../src/LogEvent.ts"
import * as PgEventStore from "../../src/PgEventStore.ts"
import * as TaskExplanations from "../../src/ReadModels/TaskExplanations.ts"
import * as TaskQueries from "../../src/ReadModels/TaskQueries.ts"
import * as SuiteRows from "../../src/Projections/SuiteRows.ts"
import * as StreamStates from "../../src/StreamStates.ts"
import { Timings } from "../../src/Timings.ts"
import * as Actors from "../support/Actors.ts"
import * as Muster from "../support/Muster.ts"
import * as SuiteLife from "../support/SuiteLife.ts"

const Live = TaskExplanations.layer.pipe(
  Layer.provideMerge(TaskQueries.layer),
  Layer.provideMerge(PgEventStore.layer),
  Layer.provideMerge(Muster.layer)
)

const toStore = (event: { readonly _tag: string }): NewEvent => ({
  ...LogEvent.encode(event),
  metadata: { actor: "test", schemaVersion: 1 }
})

/** Stores events of a suite as one append each, recorded a second apart, the first at `from`. */
const store = Effect.fnUntraced(function* (
  suite: string,
  appends: ReadonlyArray<ReadonlyArray<SuiteEvent>>,
  from: number
) {
  const events = yield* EventStore
  const sql = yield* SqlClient
  let version = yield* events.lastVersion(suite)
  for (const [second, batch] of appends.entries()) {
    if (batch.length === 0) continue
    yield* events.append({ stream: suite, expectedVersion: version, events: batch.map(toStore) })
    const at = new Date(from + second * 1_000)
    yield* sql.unsafe("update events set recorded_at = $1 where stream = $2 and version > $3", [at, suite, version])
    version += batch.length
  }
})

/** The explanation from the whole of a suite's stream, event by event, without any query. */
const reference = Effect.fnUntraced(function* (suite: string, index: number, at: number) {
  const events = yield* EventStore
  const noted = (yield* events.readStream(suite))
    .filter(({ recordedAt }) => recordedAt <= at)
    .map((recorded) => ({
      event: LogEvent.decode<SuiteEvent>(recorded),
      version: recorded.version,
      recordedAt: recorded.recordedAt,
      actor: recorded.metadata.actor
    }))
  const state = replay(
    decider,
    noted.map(({ event }) => event)
  )
  if (state._tag === "Missing" || !state.tasks.has(index)) return undefined
  const spec = noted.flatMap(({ event }) => (event._tag === "TasksSubmitted" ? event.tasks : []))[index]
  if (spec === undefined) return undefined
  const { linger } = yield* Timings
  const known = { at, suite: state, index, spec, events: noted, pool: poolDecider.initial(), linger }
  const managers = new Map(Explain.concerned(known).map((id) => [id, { _tag: "Unknown" as const }]))
  return Explain.explain({ ...known, managers, workers: [] })
})

const hour = 3_600_000

layer(Live, { excludeTestServices: true, timeout: "30 seconds" })("explanations", (it) => {
  it.effect("are what the whole stream comes to, of each task at any time, with and without a snapshot", () =>
    Effect.gen(function* () {
      const explanations = yield* TaskExplanations.TaskExplanations
      const events = yield* EventStore
      let compared = 0
      for (const seed of [1, 2, 3]) {
        const id = Actors.suiteId(seed)
        const life = SuiteLife.make(id, seed)
        const appends = Array.from({ length: 40 }, () => life.next(2))
        const from = Date.now() - hour
        yield* store(stream(id), appends, from)
        const times = [3, 9, 17, 25.5, 39].map((second) => from + second * 1_000)
        for (const round of ["without", "with"]) {
          if (round === "with") {
            // In the middle: later than some of the times.
            const upTo = yield* events.versionAt(stream(id), from + 17_000)
            const before = yield* events.readStream(stream(id), { upTo })
            const state = StreamStates.suite.snapshot.encode(replay(decider, before.map(StreamStates.suite.decode)))
            assert.isDefined(state)
            const { schemaVersion } = StreamStates.suite.snapshot
            yield* events.saveSnapshot(stream(id), { version: upTo, schemaVersion, state })
          }
          for (const at of times) {
            for (let index = 0; index < 12; index++) {
              const expected = yield* reference(stream(id), index, at)
              if (expected === undefined) continue
              const found = yield* explanations.explain(taskId(id, index), new Date(at).toISOString())
              assert.deepStrictEqual(found, expected)
              compared++
            }
          }
        }
      }
      assert.isAbove(compared, 100)
    })
  )

  it.effect("count what was recorded up to that millisecond, that one included", () =>
    Effect.gen(function* () {
      const explanations = yield* TaskExplanations.TaskExplanations
      const id = Actors.suiteId(10)
      const from = Date.now() - hour
      const lease = { manager: Actors.managerId(1), epoch: Actors.epoch(1), at: from }
      yield* store(
        stream(id),
        [
          [{ _tag: "SuiteCreated", id, spec: {}, at: from }],
          [{ _tag: "TasksSubmitted", firstIndex: 0, tasks: [{ program: "true" }], at: from }],
          [{ _tag: "TasksLeased", ...lease, leases: [[0, 0, 1]] }],
          [{ _tag: "TasksStarted", ...lease, tasks: [[0, 1, from]] }]
        ],
        from
      )
      const stateAt = (after: number) =>
        Effect.map(explanations.explain(taskId(id, 0), new Date(from + after).toISOString()), ({ state }) => state)
      assert.strictEqual(yield* stateAt(1_000), "queued")
      assert.strictEqual(yield* stateAt(1_999), "queued")
      assert.strictEqual(yield* stateAt(2_000), "assigned")
      assert.strictEqual(yield* stateAt(3_000), "running")
      const before = yield* Effect.flip(explanations.explain(taskId(id, 0), new Date(from + 999).toISOString()))
      // Its row would say when it came; here it has none.
      assert.strictEqual(before._tag, "TaskNotFound")
      const future = yield* explanations.explain(taskId(id, 0), "2999-01-01")
      assert.strictEqual(future.state, "running")
      assert.isBelow(Date.parse(future.at), Date.now() + 1_000)
    })
  )

  it.effect("find one task among others that are named alike, or named in an output", () =>
    Effect.gen(function* () {
      const explanations = yield* TaskExplanations.TaskExplanations
      const id = Actors.suiteId(11)
      const from = Date.now() - hour
      const session = { manager: Actors.managerId(1), epoch: Actors.epoch(1), at: from }
      const end = (index: number, stdout: string): EndedAttempt => ({
        index,
        attempt: 1,
        outcome: "succeeded",
        exitCode: 0,
        startedAt: from,
        finishedAt: from + 5,
        duration: 5,
        stdout,
        next: "succeeded"
      })
      const tasks = Array.from({ length: 30 }, () => ({ program: "true" }))
      const ends = Array.from({ length: 200 }, (_, k) => k % 29).filter((index, k, all) => all.indexOf(index) === k)
      yield* store(
        stream(id),
        [
          [{ _tag: "SuiteCreated", id, spec: {}, at: from }],
          [{ _tag: "TasksSubmitted", firstIndex: 0, tasks, at: from }],
          [{ _tag: "TasksLeased", ...session, leases: [[0, 29, 1]] }],
          ...ends.map((index): ReadonlyArray<SuiteEvent> => [
            { _tag: "AttemptsEnded", ...session, attempts: [end(index, `[29,1,0,"index":29,`)] }
          ]),
          [{ _tag: "AttemptsEnded", ...session, attempts: [end(29, "mine")] }]
        ],
        from
      )
      const found = yield* explanations.explain(taskId(id, 29))
      assert.strictEqual(found.state, "succeeded")
      assert.deepStrictEqual(
        found.history.map(({ type }) => type),
        ["TasksSubmitted", "TasksLeased", "AttemptsEnded"]
      )
      assert.strictEqual(found.attempts[0]?.stdout, "mine")
    })
  )

  it.effect("name the time from which on there is something to explain", () =>
    Effect.gen(function* () {
      const explanations = yield* TaskExplanations.TaskExplanations
      const events = yield* EventStore
      const id = Actors.suiteId(12)
      const at = Date.now()
      const brought: ReadonlyArray<SuiteEvent> = [
        { _tag: "SuiteCreated", id, spec: {}, at },
        { _tag: "TasksSubmitted", firstIndex: 0, tasks: [{ program: "true" }], at }
      ]
      const rows = SuiteRows.rows()
      let state = decider.initial()
      for (const [place, event] of brought.entries()) {
        rows.add(state, { event, version: place + 1 })
        state = decider.evolve(state, event)
      }
      yield* events.append({
        stream: stream(id),
        expectedVersion: 0,
        events: brought.map(toStore),
        ...rows.writes(state)
      })
      const early = yield* Effect.flip(explanations.explain(taskId(id, 0), "1h"))
      assert.deepInclude(early, { _tag: "InvalidInput", field: "at", value: '"1h"' })
      assert.include(early.message, `a time from ${new Date(at).toISOString()} on`)
      const never = yield* Effect.flip(explanations.explain(taskId(id, 1), "1h"))
      assert.strictEqual(never._tag, "TaskNotFound")
      const none = yield* Effect.flip(explanations.explain(taskId(Actors.suiteId(13), 0)))
      assert.strictEqual(none._tag, "TaskNotFound")
      const wrong = yield* Effect.flip(explanations.explain(taskId(id, 0), "yesterday"))
      assert.deepInclude(wrong, { _tag: "InvalidInput", field: "at", value: '"yesterday"' })
    })
  )
})
