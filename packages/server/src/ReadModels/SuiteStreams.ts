/**
 * What changes, as it changes: a suite's state and its results.
 */
import { Context, Effect, Layer, Option, Stream } from "effect"
import type { Unavailable } from "@muster/domain/Errors"
import type { SuiteNotFound } from "@muster/domain/Suite/Errors"
import type { Range } from "@muster/domain/Suite/Events"
import { stream as streamOf, taskId } from "@muster/domain/Suite/Id"
import type { SuiteId } from "@muster/domain/Suite/Id"
import { instant } from "@muster/domain/Suite/View"
import type { SuiteView, TaskResult } from "@muster/domain/Suite/View"
import type { EndedAttempt } from "@muster/domain/Task/Attempt"
import { EventStore } from "../EventStore.ts"
import { Settlements } from "./Settlements.ts"
import type { Requeue, Settlement } from "./Settlements.ts"
import { SuiteQueries } from "./SuiteQueries.ts"
import * as Wakeup from "./Wakeup.ts"

export class SuiteStreams extends Context.Service<
  SuiteStreams,
  {
    /** The suite now and after each change, with a pause of `interval` milliseconds. Ends when nothing is pending. */
    readonly watch: (suiteId: SuiteId, interval: number) => Stream.Stream<SuiteView, SuiteNotFound | Unavailable>
    /**
     * Settled tasks in the order in which that was decided, from the first on; with `follow` until nothing is pending.
     *
     * A task is there once, with how it ended. What was put back into the queue before the stream began is left out, as
     * long as it has not settled again; what is put back while the stream is being read comes a second time, when it has.
     */
    readonly results: (
      suiteId: SuiteId,
      options: { readonly follow: boolean }
    ) => Stream.Stream<TaskResult, SuiteNotFound | Unavailable>
  }
>()("@muster/server/ReadModels/SuiteStreams") {}

/** Results in one message at most: with the largest output that can be kept, a message still fits. */
const maxChunk = 256

/** Tasks of one cancellation that are looked up at once. */
const cancelledAtOnce = 1_000

export const make = Effect.gen(function* () {
  const suites = yield* SuiteQueries
  const settlements = yield* Settlements
  const store = yield* EventStore

  const watch = (suiteId: SuiteId, interval: number) =>
    Stream.unwrap(
      Effect.map(Wakeup.make(store, streamOf(suiteId)), (wakeup) => {
        const changed = Effect.fnUntraced(function* (shown: number | undefined) {
          for (;;) {
            const view = yield* suites.get(suiteId)
            if (view.version !== shown) return view
            yield* wakeup.wait
          }
        })
        return Stream.paginate<number | undefined, SuiteView, SuiteNotFound | Unavailable>(undefined, (shown) =>
          Effect.gen(function* () {
            if (shown !== undefined) yield* Effect.sleep(interval)
            const view = yield* changed(shown)
            return [[view], view.tasks.pending === 0 ? Option.none() : Option.some(view.version)]
          })
        )
      })
    )

  /** The settlements from the first on; at the end of the log `atEnd` says whether that was all, or waits. */
  const settled = (suiteId: SuiteId, atEnd: (upTo: number) => Effect.Effect<boolean, SuiteNotFound | Unavailable>) =>
    Stream.paginate<number, Settlement, SuiteNotFound | Unavailable>(0, (version) =>
      Effect.gen(function* () {
        const batch = yield* settlements.after(suiteId, version)
        const isOver = batch.settlements.length === 0 && (yield* atEnd(batch.upTo))
        return [batch.settlements, isOver ? Option.none() : Option.some(batch.upTo)]
      })
    )

  const results = (suiteId: SuiteId, { follow }: { readonly follow: boolean }) =>
    Stream.unwrap(
      Effect.gen(function* () {
        const wakeup = yield* Wakeup.make(store, streamOf(suiteId))
        yield* suites.get(suiteId)
        const wasPutBack = laterRequeue(yield* settlements.requeues(suiteId))
        const atEnd = Effect.fnUntraced(function* (upTo: number) {
          if (!follow) return true
          const { tasks, version } = yield* suites.get(suiteId)
          if (tasks.pending > 0) yield* wakeup.wait
          // What the counters say may already include events that were not read yet.
          return tasks.pending === 0 && version <= upTo
        })
        return Stream.flatMap(settled(suiteId, atEnd), ({ event, version }) =>
          event._tag === "AttemptsEnded"
            ? inChunks(
                event.attempts.flatMap((attempt) =>
                  attempt.next === "retry" || wasPutBack(attempt.index, version) ? [] : [toResult(suiteId, attempt)]
                )
              )
            : Stream.fromIterable(event.ranges).pipe(
                Stream.flatMap((range) => Stream.fromIterable(pieces(range))),
                Stream.mapEffect((range) =>
                  settlements.attempts(suiteId, range).pipe(Effect.map((had) => ({ had, range })))
                ),
                Stream.flatMap(({ had, range }) =>
                  inChunks(
                    indexesOf(range).flatMap((index) =>
                      wasPutBack(index, version)
                        ? []
                        : [cancelledInQueue(suiteId, index, had.get(index) ?? 0, event.reason, event.at)]
                    )
                  )
                )
              )
        )
      })
    )

  return SuiteStreams.of({ watch, results })
})

/** Whether a task was put back into the queue after a version. */
const laterRequeue =
  (requeues: ReadonlyArray<Requeue>) =>
  (index: number, version: number): boolean =>
    requeues.some(
      (requeue) => requeue.version > version && requeue.ranges.some(([first, last]) => first <= index && index <= last)
    )

const inChunks = (results: ReadonlyArray<TaskResult>): Stream.Stream<TaskResult> => {
  const chunks: Array<ReadonlyArray<TaskResult>> = []
  for (let from = 0; from < results.length; from += maxChunk) chunks.push(results.slice(from, from + maxChunk))
  return Stream.fromArrays(...chunks)
}

const pieces = ([first, last]: Range): ReadonlyArray<Range> => {
  const found: Array<Range> = []
  for (let from = first; from <= last; from += cancelledAtOnce) {
    found.push([from, Math.min(from + cancelledAtOnce - 1, last)])
  }
  return found
}

const indexesOf = ([first, last]: Range): ReadonlyArray<number> =>
  Array.from({ length: last - first + 1 }, (_, k) => first + k)

const toResult = (suiteId: SuiteId, attempt: EndedAttempt): TaskResult => ({
  id: taskId(suiteId, attempt.index),
  index: attempt.index,
  state: attempt.next === "retry" ? "queued" : attempt.next,
  attempt: attempt.attempt,
  outcome: attempt.outcome,
  exitCode: attempt.exitCode ?? null,
  signal: attempt.signal ?? null,
  startedAt: attempt.startedAt === undefined ? null : instant(attempt.startedAt),
  finishedAt: instant(attempt.finishedAt),
  duration: attempt.duration ?? null,
  stdout: attempt.stdout ?? "",
  stderr: attempt.stderr ?? "",
  output: attempt.output ?? null,
  message: attempt.message ?? null
})

/** A task that was cancelled while it waited: `attempt` is the number of those before. */
const cancelledInQueue = (
  suiteId: SuiteId,
  index: number,
  attempt: number,
  reason: string,
  at: number
): TaskResult => ({
  id: taskId(suiteId, index),
  index,
  state: "cancelled",
  attempt,
  outcome: "cancelled",
  exitCode: null,
  signal: null,
  startedAt: null,
  finishedAt: instant(at),
  duration: null,
  stdout: "",
  stderr: "",
  output: null,
  message: reason
})

export const layer: Layer.Layer<SuiteStreams, never, SuiteQueries | Settlements | EventStore> = Layer.effect(
  SuiteStreams,
  make
)
