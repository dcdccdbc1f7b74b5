/**
 * Suites whose actors went with their coordinator: whoever takes over finds them by their rows, and they go on by
 * themselves.
 */
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { SuiteCommand } from "@muster/domain/Suite/Commands"
import { decider, idleCloseAfter } from "@muster/domain/Suite/Decider"
import { schemaVersion } from "@muster/domain/Suite/Events"
import { stream } from "@muster/domain/Suite/Id"
import type { SuiteId } from "@muster/domain/Suite/Id"
import * as Aggregate from "../../src/Aggregate.ts"
import * as LogEvent from "../../src/LogEvent.ts"
import type { SuiteEvent } from "@muster/domain/Suite/Events"
import * as SuiteRows from "../../src/Projections/SuiteRows.ts"
import * as Actors from "../support/Actors.ts"
import { eventually } from "../support/Eventually.ts"

const { alone, command, epoch, managerId } = Actors

/** What happened to a suite at a coordinator that is gone, and that told nobody. */
const before = Effect.fnUntraced(function* (suiteId: SuiteId, commands: ReadonlyArray<SuiteCommand>) {
  const aggregate = yield* Aggregate.make({
    stream: stream(suiteId),
    decider,
    schemaVersion,
    decode: LogEvent.decode<SuiteEvent>,
    rows: SuiteRows.rows
  })
  for (const asked of commands) {
    yield* aggregate.ask({ command: () => asked, actor: "test", answer: () => undefined })
  }
}, Effect.scoped)

/** What the pool has been told of a suite that has work: how much, and when. */
const announced = Effect.fnUntraced(function* (suiteId: SuiteId) {
  const sql = yield* SqlClient
  return yield* sql<{ queued: number; pending: number; at: number }>`
    select (data ->> 'queued')::int as queued, (data ->> 'pending')::int as pending, (data ->> 'at')::float8 as at
    from events
    where stream = 'coordinator-main' and type = 'SuiteQueued' and data ->> 'suiteId' = ${suiteId} order by version`
})

const types = (suiteId: SuiteId) => Effect.map(Actors.stored(stream(suiteId)), Actors.types)

const manager = managerId(1)

layer(Actors.storeLayer, { excludeTestServices: true })("suites without a coordinator", (it) => {
  it.effect("are found by the next one, and say what work they have", () =>
    Effect.gen(function* () {
      const now = Date.now()
      const create = (id: SuiteId, at = now): SuiteCommand => ({ _tag: "CreateSuite", id, spec: {}, now: at })
      const submit = (retry: { readonly limit: number; readonly backoff: number }, at = now): SuiteCommand => ({
        _tag: "SubmitTasks",
        tasks: [{ ...command("t"), retry: { ...retry, jitter: 0 } }],
        now: at
      })
      const lease: SuiteCommand = { _tag: "LeaseTasks", manager, epoch: epoch(1), max: 1, now }
      const report = (outcome: "succeeded" | "failed"): SuiteCommand => ({
        _tag: "ReportTasks",
        manager,
        epoch: epoch(1),
        started: [],
        ended: [{ index: 0, attempt: 1, outcome, finishedAt: now }],
        returned: [],
        random: 0,
        now
      })
      const once = { limit: 0, backoff: 0 }
      const backoff = 1_500
      const [waiting, idle, recent, delayed, done, empty, paused] = [1, 2, 3, 4, 5, 6, 7].map(Actors.suiteId)
      if (!waiting || !idle || !recent || !delayed || !done || !empty || !paused) return
      const longAgo = now - idleCloseAfter - 1
      yield* before(waiting, [create(waiting), submit(once), submit(once)])
      yield* before(idle, [create(idle, longAgo), submit(once, longAgo)])
      yield* before(recent, [create(recent, longAgo), submit(once, now - idleCloseAfter + 60_000)])
      yield* before(delayed, [create(delayed), submit({ limit: 1, backoff }), lease, report("failed")])
      yield* before(done, [create(done), submit(once), lease, report("succeeded")])
      yield* before(empty, [create(empty)])
      yield* before(paused, [create(paused), submit(once), { _tag: "PauseSuite", now }])
      const untouched = yield* Effect.forEach([done, empty, paused, recent], types)

      yield* alone(
        Effect.gen(function* () {
          const [work] = yield* eventually(announced(waiting), (all) => all.length > 0)
          assert.deepInclude(work, { queued: 2, pending: 2 })
          // Three minutes without a submission and with work left.
          yield* eventually(types(idle), (all) => all.at(-1) === "SuiteClosed")
          yield* eventually(announced(idle), (all) => all.length > 0)
          yield* eventually(announced(recent), (all) => all.length > 0)
          // What may not run yet is work when its time has come, whoever kept the time before.
          const [later] = yield* eventually(announced(delayed), (all) => all.length > 0)
          assert.deepInclude(later, { queued: 1, pending: 1 })
          assert.isAtLeast(later?.at ?? 0, now + backoff)
        })
      )
      assert.deepStrictEqual(yield* Effect.forEach([done, empty, paused, recent], types), untouched)
      for (const suiteId of [done, empty, paused]) assert.deepStrictEqual(yield* announced(suiteId), [])
    })
  )
})
