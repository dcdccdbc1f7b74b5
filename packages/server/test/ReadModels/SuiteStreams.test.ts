import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Ref, Stream } from "effect"
import { TestClock } from "effect/testing"
import type { SuiteView } from "@muster/domain/Suite/View"
import { EventStore } from "../../src/EventStore.ts"
import * as MemoryEventStore from "../../src/MemoryEventStore.ts"
import { Settlements } from "../../src/ReadModels/Settlements.ts"
import { SuiteQueries } from "../../src/ReadModels/SuiteQueries.ts"
import * as SuiteStreams from "../../src/ReadModels/SuiteStreams.ts"
import { stream } from "@muster/domain/Suite/Id"
import { newSuiteId } from "../Http/TestIds.ts"

const unplanned = () => Effect.die(new Error("not planned in this test"))

const suiteId = newSuiteId()

const view: SuiteView = {
  id: suiteId,
  name: null,
  description: null,
  tags: [],
  labels: [],
  priority: 0,
  workers: null,
  maxFails: null,
  state: "open",
  paused: false,
  tasks: { total: 1, pending: 1, queued: 1, assigned: 0, running: 0, succeeded: 0, failed: 0, cancelled: 0 },
  createdAt: "2026-01-31T00:00:00.000Z",
  lastSubmittedAt: null,
  completedAt: null,
  version: 1
}

/** Streams over one suite that the test changes, with the number of questions that they ask. */
const harness = Effect.gen(function* () {
  const suite = yield* Ref.make(view)
  const questions = yield* Ref.make(0)
  const store = yield* EventStore
  const streams = yield* SuiteStreams.make.pipe(
    Effect.provideService(
      SuiteQueries,
      SuiteQueries.of({
        get: () =>
          Effect.andThen(
            Ref.update(questions, (n) => n + 1),
            Ref.get(suite)
          ),
        detail: unplanned,
        list: unplanned
      })
    ),
    Effect.provideService(Settlements, Settlements.of({ after: unplanned, requeues: unplanned, attempts: unplanned }))
  )
  const seen = yield* Ref.make<ReadonlyArray<number>>([])
  const watch = streams.watch(suiteId, 100).pipe(
    Stream.runForEach(({ version }) => Ref.update(seen, (versions) => [...versions, version])),
    Effect.forkChild({ startImmediately: true })
  )
  const change = (version: number, pending = 1) =>
    Ref.set(suite, { ...view, version, tasks: { ...view.tasks, pending } })
  const commit = store.append({
    stream: stream(suiteId),
    expectedVersion: 0,
    events: [{ type: "Any", data: {}, metadata: { actor: "test", schemaVersion: 1 } }]
  })
  return { watch, change, commit, seen: Ref.get(seen), questions: Ref.get(questions) }
})

describe("watching a suite", () => {
  it.effect("shows each change after a poll at the latest, and ends when nothing is pending", () =>
    Effect.gen(function* () {
      const { change, seen, watch } = yield* harness
      const watching = yield* watch
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* seen, [1])
      yield* change(2)
      yield* TestClock.adjust("1 second")
      yield* change(3, 0)
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(watching)
      assert.deepStrictEqual(yield* seen, [1, 2, 3])
    }).pipe(Effect.provide(MemoryEventStore.layerMemory))
  )

  it.effect("asks four times a second while nothing happens, and not at all when nobody watches", () =>
    Effect.gen(function* () {
      const { questions, watch } = yield* harness
      const watching = yield* watch
      yield* TestClock.adjust("1 second")
      const before = yield* questions
      yield* TestClock.adjust("10 seconds")
      const asked = (yield* questions) - before
      assert.isAtMost(asked, 40)
      assert.isAtLeast(asked, 30)
      yield* Fiber.interrupt(watching)
      const after = yield* questions
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* questions, after)
    }).pipe(Effect.provide(MemoryEventStore.layerMemory))
  )

  it.effect("does not wait for the poll when the change was committed here", () =>
    Effect.gen(function* () {
      const { change, commit, seen, watch } = yield* harness
      yield* watch
      yield* TestClock.adjust("101 millis")
      yield* change(2)
      yield* commit
      yield* TestClock.adjust("21 millis")
      assert.deepStrictEqual(yield* seen, [1, 2])
    }).pipe(Effect.provide(MemoryEventStore.layerMemory))
  )
})
