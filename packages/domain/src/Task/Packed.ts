/**
 * Results of attempts as they cross a wire and stand in an event: a short row of numbers each, and the rest by name only
 * where there is a rest. A flood of small tasks is then 30 bytes a task instead of 150, which is what a fifth of its cost
 * was: writing, reading, compressing and copying the names of fields.
 *
 * ```
 * [index, attempt, outcome, startedAt, duration]
 * [index, attempt, outcome, startedAt, duration, { exitCode, stdout, … }]
 * ```
 *
 * `outcome` is the place in the literals of `Outcome`; `startedAt` and `duration` are null where nothing was started.
 * `finishedAt` stands in the rest unless it is `startedAt` plus the whole milliseconds of `duration`, as workers tell it.
 */
import { Effect, Predicate, Result, Schema, SchemaIssue, SchemaTransformation } from "effect"
import { AttemptResult, maxAttempts, maxIndex, Outcome } from "./Attempt.ts"
import type { EndedAttempt } from "./Attempt.ts"

export type Packed = readonly [
  index: number,
  attempt: number,
  outcome: number,
  startedAt: number | null,
  duration: number | null,
  rest?: Rest
]

type Rest = Partial<Omit<EndedAttempt, "index" | "attempt" | "outcome" | "startedAt" | "duration">>

const outcomeNumber = new Map(Outcome.literals.map((outcome, number) => [outcome, number]))

/**
 * When an attempt ended, by its start and how long it took: never later than the next one in its place began. Milliseconds;
 * a clock that jumps meanwhile does not matter.
 */
export const finishedAt = (startedAt: number, duration: number): number => startedAt + Math.floor(duration)

/** Milliseconds without what no clock here can tell: a number with few digits. */
export const toMicroseconds = (millis: number): number => Math.round(millis * 1_000) / 1_000

const restNames = [
  "exitCode",
  "signal",
  "stdout",
  "stderr",
  "stdoutBytes",
  "stderrBytes",
  "output",
  "peakMemory",
  "message",
  "retryAt"
] as const

type Fields = { -readonly [Name in keyof Rest]: Rest[Name] }

const restOf = (result: AttemptResult & Partial<EndedAttempt>): Rest | undefined => {
  const { duration, next, outcome, startedAt } = result
  let rest: Fields | undefined
  for (const name of restNames) {
    // One value after the other of a record whose values have different types.
    if (result[name] !== undefined) rest = { ...rest, [name]: result[name] }
  }
  if (next !== undefined && !(next === "succeeded" && outcome === "succeeded")) rest = { ...rest, next }
  const isTold =
    startedAt !== undefined && duration !== undefined && result.finishedAt === finishedAt(startedAt, duration)
  return isTold ? rest : { ...rest, finishedAt: result.finishedAt }
}

export const pack = (result: AttemptResult & Partial<EndedAttempt>): Packed => {
  const { attempt, duration, index, outcome, startedAt } = result
  const rest = restOf(result)
  const number = outcomeNumber.get(outcome) ?? 0
  return rest === undefined
    ? [index, attempt, number, startedAt ?? null, duration ?? null]
    : [index, attempt, number, startedAt ?? null, duration ?? null, rest]
}

/** The result of a row. */
export const unpack = (row: Packed): AttemptResult => {
  const [index, attempt, number, startedAt, duration, rest] = row
  const outcome = Outcome.literals[number] ?? "lost"
  if (startedAt !== null && duration !== null) {
    const told = { index, attempt, outcome, startedAt, finishedAt: finishedAt(startedAt, duration), duration }
    return rest === undefined ? told : { ...told, ...rest }
  }
  return {
    index,
    attempt,
    outcome,
    finishedAt: Number.NaN, // told in the rest
    ...(startedAt === null ? {} : { startedAt }),
    ...(duration === null ? {} : { duration }),
    ...rest
  }
}

/** The ended attempt of a row in an event. What becomes of its task is told in the rest, except of a success. */
export const unpackEnded = (row: Packed): EndedAttempt => ({ next: "succeeded", ...unpack(row) })

const isCount = (value: unknown, least: number, most: number): boolean =>
  typeof value === "number" && Number.isInteger(value) && value >= least && value <= most

const isNumberOrNull = (value: unknown): boolean => value === null || typeof value === "number"

/** Whether it has the form of a row. What its rest holds is another matter. */
const isRow = (row: unknown): row is Packed =>
  Array.isArray(row) &&
  (row.length === 5 || (row.length === 6 && Predicate.isObject(row[5]))) &&
  // They are calculated with, and an object may not even be able to say that it is no number.
  isNumberOrNull(row[3]) &&
  isNumberOrNull(row[4]) &&
  isCount(row[2], 0, Outcome.literals.length - 1)

/** An output is any JSON, and this came out of JSON. */
const isOnlyOutput = (rest: Rest): boolean => {
  for (const name in rest) if (name !== "output") return false
  return true
}

/** Whether all is in order of a row that says no more than an output, as nearly all do. */
const isPlain = ([index, attempt, , startedAt, duration, rest]: Packed): boolean =>
  (rest === undefined || isOnlyOutput(rest)) &&
  isCount(index, 0, maxIndex) &&
  isCount(attempt, 1, maxAttempts) &&
  Number.isSafeInteger(startedAt) &&
  Number.isSafeInteger(finishedAt(startedAt ?? 0, duration ?? Number.NaN))

const decodeResult = Schema.decodeUnknownResult(AttemptResult)

/** The result of a row that somebody else packed. */
const unpackUnknown = (row: unknown): Result.Result<AttemptResult, SchemaIssue.Issue> => {
  if (!isRow(row)) return Result.fail(new SchemaIssue.InvalidValue({ expected: "a packed result" }, row))
  const result = unpack(row)
  return isPlain(row) ? Result.succeed(result) : Result.mapError(decodeResult(result), (error) => error.issue)
}

/** The results of rows that somebody else packed. */
export const unpackAll = (rows: unknown): Result.Result<ReadonlyArray<AttemptResult>, SchemaIssue.Issue> => {
  if (!Array.isArray(rows)) {
    return Result.fail(new SchemaIssue.InvalidValue({ expected: "an array of packed results" }, rows))
  }
  const results: Array<AttemptResult> = []
  for (const [place, row] of rows.entries()) {
    const result = unpackUnknown(row)
    if (Result.isFailure(result)) return Result.fail(new SchemaIssue.Pointer([place], result.failure))
    results.push(result.success)
  }
  return Result.succeed(results)
}

/** Results of any number of attempts. In JSON they are packed. */
export const AttemptResults = Schema.declare((_): _ is ReadonlyArray<AttemptResult> => true, {
  expected: "results of attempts",
  toCodecJson: () =>
    Schema.link<ReadonlyArray<AttemptResult>>()(
      Schema.Any,
      SchemaTransformation.transformEffect<ReadonlyArray<AttemptResult>, unknown>({
        decode: (rows) => Effect.fromResult(unpackAll(rows)),
        encode: (results) => Effect.succeed(results.map(pack))
      })
    )
})
export type AttemptResults = typeof AttemptResults.Type
