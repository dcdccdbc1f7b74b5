/**
 * Many tasks on their way to a suite: cut into batches that fit a message, several under way at once.
 */
import { Effect, Predicate, Result, Stream } from "effect"
import type { InvalidInput } from "@muster/domain/Errors"
import type { TaskSpec } from "@muster/domain/Task/Spec"
import { decodeTasks } from "./Input.ts"

/** Tasks in one request: enough to make its cost small, few enough that one decision stays short. */
export const defaultSize = 1_000
/** Requests under way at once: while one is being decided the next are on the wire. */
export const defaultConcurrency = 4
/** Characters in one request, so that large inputs make small batches and no message comes near its limit. */
const maxWeight = 4 * 1024 ** 2
/** A producer that is slower than this gets its tasks sent in smaller batches. */
const longestWait = "50 millis"

/** Indexes that a coordinator gave to tasks, in the order in which it took them. */
export interface IndexRange {
  readonly firstIndex: number
  readonly count: number
}

/** What became of a submission. */
export interface Submitted {
  readonly count: number
  /** In the order of the input; neighbours are joined, so usually there is one. */
  readonly ranges: ReadonlyArray<IndexRange>
}

/** The index of the `place`-th task of a submission (from 0). */
export const indexAt = ({ ranges }: Submitted, place: number): number | undefined => {
  let before = 0
  for (const range of ranges) {
    if (place < before + range.count) return range.firstIndex + place - before
    before += range.count
  }
  return undefined
}

/** Adds a range, joined to the last one if it continues it. */
export const append = (submitted: Submitted, range: IndexRange): Submitted => {
  const last = submitted.ranges.at(-1)
  const ranges =
    last !== undefined && last.firstIndex + last.count === range.firstIndex
      ? [...submitted.ranges.slice(0, -1), { firstIndex: last.firstIndex, count: last.count + range.count }]
      : [...submitted.ranges, range]
  return { count: submitted.count + range.count, ranges }
}

export const nothing: Submitted = { count: 0, ranges: [] }

const weigh = (value: unknown): number => {
  if (typeof value === "string") return value.length
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + weigh(item), 0)
  if (!Predicate.isObject(value)) return 8
  let sum = 0
  for (const key in value) sum += key.length + weigh(value[key])
  return sum
}

/** Cuts a batch where it becomes too heavy. A single task that is too heavy stays alone and meets the server's limit. */
export const split = (tasks: ReadonlyArray<TaskSpec>): ReadonlyArray<ReadonlyArray<TaskSpec>> => {
  const batches: Array<ReadonlyArray<TaskSpec>> = []
  let start = 0
  let weight = 0
  for (const [place, task] of tasks.entries()) {
    const own = weigh(task)
    if (place > start && weight + own > maxWeight) {
      batches.push(tasks.slice(start, place))
      start = place
      weight = 0
    }
    weight += own
  }
  if (start < tasks.length) batches.push(tasks.slice(start))
  return batches
}

export interface Options {
  /** Tasks per request, 1 to 10,000 (default 1,000). */
  readonly batchSize?: number
  /** Requests under way at once (default 4). With 1, indexes follow the order of the input for certain. */
  readonly concurrency?: number
  /** Told after each batch that is durable. */
  readonly onSubmitted?: (soFar: Submitted) => Effect.Effect<void>
}

/** Several tasks, there already or still coming. */
export type Many<A, E = never, R = never> = Iterable<A> | Stream.Stream<A, E, R>

export const toStream = <A, E, R>(many: Many<A, E, R>): Stream.Stream<A, E, R> =>
  Stream.isStream(many) ? many : Stream.fromIterable(many, { chunkSize: defaultSize })

/** Checks and sends tasks in batches. The field of an error names the task's place, such as `tasks[3].args`. */
export const submit = <E, R, E2>(
  tasks: Many<unknown, E, R>,
  send: (tasks: ReadonlyArray<TaskSpec>) => Effect.Effect<IndexRange, E2>,
  options: Options = {}
): Effect.Effect<Submitted, E | E2 | InvalidInput, R> =>
  Effect.suspend(() => {
    const { batchSize = defaultSize, concurrency = defaultConcurrency } = options
    const add = (soFar: Submitted, range: IndexRange) => {
      const next = append(soFar, range)
      return Effect.as(options.onSubmitted?.(next) ?? Effect.void, next)
    }
    const inOrder = (batches: Stream.Stream<ReadonlyArray<TaskSpec>, E | InvalidInput, R>) =>
      batches.pipe(
        Stream.mapEffect(send, { concurrency }),
        Stream.runFoldEffect(() => nothing, add)
      )

    // Few tasks that are all there are one request, and should not cost more than that.
    if (Array.isArray(tasks) && tasks.length <= batchSize) {
      const checked = decodeTasks(tasks, 0)
      if (Result.isFailure(checked)) return Effect.fail(checked.failure)
      const [first = [], ...others] = split(checked.success)
      if (first.length === 0) return Effect.succeed(nothing)
      return others.length > 0
        ? inOrder(Stream.fromIterable([first, ...others]))
        : Effect.flatMap(send(first), (range) => add(nothing, range))
    }

    let place = 0
    return toStream(tasks).pipe(
      Stream.groupedWithin(batchSize, longestWait),
      Stream.mapEffect((batch) => {
        const first = place
        place += batch.length
        return Effect.fromResult(decodeTasks(batch, first))
      }),
      Stream.map(split),
      Stream.flattenIterable,
      inOrder
    )
  })
