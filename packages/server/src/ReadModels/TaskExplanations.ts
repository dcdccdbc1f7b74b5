/**
 * Why a task is in its state, now or at a past time: from the events alone. The streams of its suite, its pool and the
 * managers concerned are folded up to that time, and `domain/Explanation` says what they come to.
 */
import { Clock, Context, Effect, Layer, Semaphore } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { defaultPool, stream as poolStream } from "@muster/domain/Coordinator/Id"
import { InvalidInput, Unavailable } from "@muster/domain/Errors"
import * as Explain from "@muster/domain/Explanation/Explain"
import type { TaskExplanation } from "@muster/domain/Explanation/View"
import { stream as managerStream } from "@muster/domain/Manager/Id"
import type { ManagerId } from "@muster/domain/Manager/Id"
import * as Moment from "@muster/domain/Moment"
import type { SuiteNotFound } from "@muster/domain/Suite/Errors"
import { TaskNotFound } from "@muster/domain/Suite/Errors"
import { parseTaskId, stream as suiteStream } from "@muster/domain/Suite/Id"
import type { TaskId } from "@muster/domain/Suite/Id"
import { specPlace } from "@muster/domain/Suite/State"
import { EventStore } from "../EventStore.ts"
import type { EventStoreError } from "../EventStore.ts"
import * as StreamStates from "../StreamStates.ts"
import { Timings } from "../Timings.ts"
import * as Past from "./Past.ts"
import * as Query from "./Query.ts"
import * as TaskEvents from "./TaskEvents.ts"
import { TaskQueries } from "./TaskQueries.ts"

export class TaskExplanations extends Context.Service<
  TaskExplanations,
  {
    /** `at`: a time, or how long ago, as `Moment` reads it (default: now). */
    readonly explain: (
      id: TaskId,
      at?: string
    ) => Effect.Effect<TaskExplanation, SuiteNotFound | TaskNotFound | InvalidInput | Unavailable>
  }
>()("@muster/server/ReadModels/TaskExplanations") {}

/** Explanations that are worked out at once: each may fold a suite of a million tasks, beside the actors' own work. */
const atOnce = 2

/** Streams of managers that are read at once. */
const managersAtOnce = 4

const unavailable = (error: EventStoreError) =>
  error.retryable ? Effect.fail(new Unavailable({ reason: error.message })) : Effect.die(error)

const workerStreamsText = `
  select stream from events where version = 1 and stream > $1 and starts_with(stream, $1) order by stream`

export const make = Effect.gen(function* () {
  const sql = yield* SqlClient
  const store = yield* EventStore
  const tasks = yield* TaskQueries
  const { linger } = yield* Timings
  const semaphore = yield* Semaphore.make(atOnce)

  /** A manager's state at a time, and those of its workers. */
  const managerAt = (id: ManagerId, time: number | undefined) =>
    Effect.map(Past.at(managerStream(id), StreamStates.manager, time), (state) => [id, state] as const)

  const workersAt = Effect.fnUntraced(function* (id: ManagerId, time: number | undefined) {
    const streams = yield* Query.run<{ readonly stream: string }>(sql, workerStreamsText, [`worker-${id}.`])
    return yield* Effect.forEach(streams, ({ stream }) => Past.at(stream, StreamStates.worker, time))
  })

  /** What to answer about a task that was not there yet: when it came, or that it never did. */
  const notYet = (id: TaskId, at: string) =>
    Effect.flatMap(tasks.detail(id), ({ submittedAt }) =>
      Effect.fail(
        new InvalidInput({
          field: "at",
          value: JSON.stringify(at),
          expected: `a time from ${submittedAt} on, when task ${id} was submitted`
        })
      )
    )

  const explain = Effect.fn("TaskExplanations.explain")(
    function* (id: TaskId, given?: string) {
      const now = yield* Clock.currentTimeMillis
      const asked = given === undefined ? now : Moment.parse(given, now)
      if (asked === undefined) {
        const value = JSON.stringify(given)
        return yield* new InvalidInput({ field: "at", value, expected: Moment.expected })
      }
      // What is asked of the future is answered of now. And now is all that there is, whatever the database's clock says.
      const time = asked < now ? asked : undefined
      const { index, suiteId } = parseTaskId(id)
      const version = yield* Past.versionAt(suiteStream(suiteId), time)
      const suite = yield* Past.fold(suiteStream(suiteId), StreamStates.suite, version)
      if (suite._tag === "Missing" || !suite.tasks.has(index)) {
        return yield* time === undefined ? new TaskNotFound({ taskId: id }) : notYet(id, given ?? "")
      }
      const place = specPlace(suite, index)
      const events = yield* TaskEvents.find(suiteId, { index, submission: place.version }, version)
      const submission = events.find((noted) => noted.version === place.version)?.event
      const spec = submission?._tag === "TasksSubmitted" ? submission.tasks[place.offset] : undefined
      if (spec === undefined) return yield* Effect.die(new Error(`${id} has no spec at version ${place.version}`))
      const known = {
        at: Math.max(asked < now ? asked : now, ...(time === undefined ? events.map((noted) => noted.recordedAt) : [])),
        suite,
        index,
        spec,
        events,
        pool: yield* Past.at(poolStream(defaultPool), StreamStates.pool, time),
        linger
      }
      const holder = Explain.holderOf(known)
      const managers = yield* Effect.forEach(Explain.concerned(known), (manager) => managerAt(manager, time), {
        concurrency: managersAtOnce
      })
      const workers = holder === undefined ? [] : yield* workersAt(holder, time)
      return Explain.explain({ ...known, managers: new Map(managers), workers })
    },
    Effect.catchTag("EventStoreError", unavailable),
    Effect.provideService(SqlClient, sql),
    Effect.provideService(EventStore, store),
    (explaining) => semaphore.withPermit(explaining)
  )

  return TaskExplanations.of({ explain })
})

export const layer: Layer.Layer<TaskExplanations, never, SqlClient | EventStore | TaskQueries> = Layer.effect(
  TaskExplanations,
  make
)
