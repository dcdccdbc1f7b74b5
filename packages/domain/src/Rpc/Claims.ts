/**
 * What managers say of tasks, workers and themselves, checked where it arrives. Behind this nobody looks again, and all of
 * it ends up in events and rows.
 *
 * Pure: gives what was said, or why it cannot be.
 */
import { Result, Schema } from "effect"
import * as InputProblem from "../Api/InputProblem.ts"
import { InvalidInput } from "../Errors.ts"
import { Epoch, ManagerId } from "../Manager/Id.ts"
import type { LieKind } from "../Manager/Lies.ts"
import { Activity } from "../Manager/Spec.ts"
import { SuiteId } from "../Suite/Id.ts"
import { maxAttempts, maxIndex } from "../Task/Attempt.ts"
import type { AttemptResult } from "../Task/Attempt.ts"
import { refuse } from "../Task/Output.ts"
import { unpackAll } from "../Task/Packed.ts"
import { CommandId, Text } from "../Text.ts"
import type { LeaseTasks, ReportTasks, ReportWorkers, Heartbeat } from "./ManagerRpcs.ts"

export interface Refusal {
  readonly kind: LieKind
  readonly error: InvalidInput
}

type Claim<A> = Result.Result<A, Refusal>

export type Report = (typeof ReportTasks)["payloadSchema"]["Type"]
export type Lease = (typeof LeaseTasks)["payloadSchema"]["Type"]
export type Workers = (typeof ReportWorkers)["payloadSchema"]["Type"]
export type Beat = (typeof Heartbeat)["payloadSchema"]["Type"]

/** Results in one report: a manager sends a thousand. */
export const maxResults = 10_000

/** Tasks that a manager may hold at once, which it may all give back together. */
export const maxHeld = 100_000

/** Places for workers on one machine. */
const maxSlots = 256

/** Changes of workers in one message. */
const maxChanges = 4_096

/** How far a manager's clock may be ahead. It may well be wrong; a year is no clock any more. Milliseconds. */
const aheadAtMost = 366 * 86_400_000

/** Ten years. Milliseconds. */
const longest = 3_653 * 86_400_000

/** Characters of the end of an output: four times the largest tail, since each byte may have become U+FFFD. */
const maxTail = 4 * 64 * 1024

const maxMessage = 64 * 1024
const maxSignal = 32

/** What an `int` of the database holds. */
const int = { least: -(2 ** 31), most: 2 ** 31 - 1 }

const refused = (kind: LieKind, field: string, value: unknown, expected: string): Result.Result<never, Refusal> =>
  Result.fail({ kind, error: new InvalidInput({ field, value: shown(value), expected }) })

const shown = (value: unknown): string => {
  if (typeof value === "number" || typeof value === "boolean" || value === null || value === undefined) {
    return String(value)
  }
  if (typeof value === "string") return JSON.stringify(value.slice(0, 100))
  return Array.isArray(value) ? `a list of ${value.length}` : "an object"
}

/** Passes a schema's word on. Only for small things. */
const decoder = <A>(schema: Schema.Codec<A, unknown>) => {
  const decode = Schema.decodeUnknownResult(schema)
  return (raw: unknown): Claim<A> =>
    Result.mapError(decode(raw), (error) => ({ kind: "malformed", error: InputProblem.fromSchemaError(error) }))
}

const between = (least: number, most: number) => Schema.Int.check(Schema.isBetween({ minimum: least, maximum: most }))

const AnEpoch = Epoch.check(Schema.isBetween({ minimum: 1, maximum: int.most }))
const session = { managerId: ManagerId, epoch: AnEpoch }

const decodeReport = decoder(
  Schema.Struct({
    ...session,
    suiteId: SuiteId,
    commandId: CommandId,
    started: Schema.Array(Schema.Any),
    ended: Schema.Array(Schema.Any),
    returned: Schema.Array(Schema.Any)
  })
)

const isIndex = (value: unknown): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= maxIndex

const isAttempt = (value: unknown): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= maxAttempts

const isTime = (value: number, now: number): boolean =>
  Number.isSafeInteger(value) && value >= 0 && value <= now + aheadAtMost

const isInt = (value: number | undefined): boolean =>
  value === undefined || (Number.isInteger(value) && value >= int.least && value <= int.most)

const isCount = (value: number | undefined): boolean =>
  value === undefined || (Number.isSafeInteger(value) && value >= 0)

/** Why a result cannot be; nothing if it can. Nearly all have no more than the first few fields. */
const wrongIn = (result: AttemptResult, now: number): [LieKind, string, unknown, string] | undefined => {
  const { duration, finishedAt, startedAt } = result
  if (duration !== undefined && !(duration >= 0 && duration <= longest)) {
    return ["impossible_duration", "duration", duration, "milliseconds from 0 to ten years"]
  }
  if (startedAt !== undefined && !isTime(startedAt, now)) {
    return ["impossible_time", "startedAt", startedAt, "a time since 1970, at most a year ahead"]
  }
  if (!isTime(finishedAt, now)) {
    return ["impossible_time", "finishedAt", finishedAt, "a time since 1970, at most a year ahead"]
  }
  const { exitCode, message, output, peakMemory, signal, stderr, stderrBytes, stdout, stdoutBytes } = result
  if (!isInt(exitCode)) return ["malformed", "exitCode", exitCode, "a whole number of 32 bits"]
  if (!isCount(stdoutBytes)) return ["malformed", "stdoutBytes", stdoutBytes, "a number of bytes"]
  if (!isCount(stderrBytes)) return ["malformed", "stderrBytes", stderrBytes, "a number of bytes"]
  if (!isCount(peakMemory)) return ["malformed", "peakMemory", peakMemory, "a number of bytes"]
  if (signal !== undefined && signal.length > maxSignal)
    return ["too_large", "signal", signal, `${maxSignal} characters`]
  if (message !== undefined && message.length > maxMessage) {
    return ["too_large", "message", message, `at most ${maxMessage} characters`]
  }
  if (stdout !== undefined && stdout.length > maxTail)
    return ["too_large", "stdout", stdout, `at most ${maxTail} characters`]
  if (stderr !== undefined && stderr.length > maxTail)
    return ["too_large", "stderr", stderr, `at most ${maxTail} characters`]
  if (output !== undefined) {
    const problem = refuse(output)
    if (problem !== undefined) return ["too_large", "output", output, `JSON as workers let through; this ${problem}`]
  }
  return undefined
}

/** `tuple` must hold an index, the number of an attempt and, with `times`, when it began. */
const wrongTuple = (
  tuple: unknown,
  field: string,
  now: number | undefined
): Result.Result<never, Refusal> | undefined => {
  const length = now === undefined ? 2 : 3
  if (!Array.isArray(tuple) || tuple.length !== length) {
    return refused("malformed", field, tuple, `a list of ${length} numbers`)
  }
  const [index, attempt, time]: ReadonlyArray<unknown> = tuple
  if (!isIndex(index)) return refused("malformed", `${field}[0]`, index, `the index of a task (0 to ${maxIndex})`)
  if (!isAttempt(attempt)) {
    return refused("malformed", `${field}[1]`, attempt, `the number of an attempt (1 to ${maxAttempts})`)
  }
  if (now === undefined) return undefined
  if (typeof time !== "number" || !Number.isSafeInteger(time))
    return refused("malformed", `${field}[2]`, time, "a time")
  return isTime(time, now)
    ? undefined
    : refused("impossible_time", `${field}[2]`, time, "a time since 1970, at most a year ahead")
}

const tooMany = (field: string, list: ReadonlyArray<unknown>, most: number) =>
  list.length > most ? refused("too_many", field, list, `at most ${most}`) : undefined

/** What a manager reports of its tasks, as it came out of JSON. `now`: milliseconds since 1970. */
export const report = (raw: unknown, now: number): Claim<Report> => {
  const decoded = decodeReport(raw)
  if (Result.isFailure(decoded)) return Result.fail(decoded.failure)
  const { ended: rows, returned, started, ...rest } = decoded.success
  const many =
    tooMany("ended", rows, maxResults) ?? tooMany("started", started, maxHeld) ?? tooMany("returned", returned, maxHeld)
  if (many !== undefined) return many
  for (let place = 0; place < started.length; place++) {
    const wrong = wrongTuple(started[place], `started[${place}]`, now)
    if (wrong !== undefined) return wrong
  }
  for (let place = 0; place < returned.length; place++) {
    const wrong = wrongTuple(returned[place], `returned[${place}]`, undefined)
    if (wrong !== undefined) return wrong
  }
  const ended = unpackAll(rows)
  if (Result.isFailure(ended)) {
    return refused("malformed", "ended", rows, "packed results: index, attempt, outcome, start, duration, rest")
  }
  for (let place = 0; place < ended.success.length; place++) {
    const result = ended.success[place]
    const wrong = result === undefined ? undefined : wrongIn(result, now)
    if (wrong !== undefined) {
      const [kind, field, value, expected] = wrong
      return refused(kind, `ended[${place}].${field}`, value, expected)
    }
  }
  // Their elements were looked at above, one by one.
  return Result.succeed({ ...rest, started, returned, ended: ended.success })
}

export const lease: (raw: unknown) => Claim<Lease> = decoder(
  Schema.Struct({
    ...session,
    suiteId: SuiteId,
    commandId: CommandId,
    /** None: what the same command was given before, if it was. */
    max: between(0, maxHeld),
    /** Milliseconds. */
    wait: between(0, 10 * 60_000)
  })
)

const beats = between(0, 10_000_000)

export const heartbeat: (raw: unknown) => Claim<Beat> = decoder(
  Schema.Struct({
    ...session,
    activity: Activity,
    running: beats,
    buffered: beats,
    prefetchHits: Schema.optionalKey(beats),
    prefetchMisses: Schema.optionalKey(beats),
    renews: Schema.optionalKey(Schema.Boolean)
  })
)

const decodeWorkers = decoder(
  Schema.Struct({
    ...session,
    changes: Schema.Array(
      Schema.Struct({
        slot: between(0, maxSlots - 1),
        change: Schema.Literals(["started", "crashed", "stopped"]),
        pid: between(0, int.most),
        exitCode: Schema.optionalKey(between(int.least, int.most)),
        signal: Schema.optionalKey(Text.check(Schema.isMaxLength(maxSignal))),
        at: Schema.Int
      })
    )
  })
)

const countOf = (raw: unknown): number =>
  typeof raw === "object" && raw !== null && "changes" in raw && Array.isArray(raw.changes) ? raw.changes.length : 0

export const workers = (raw: unknown, now: number): Claim<Workers> => {
  if (countOf(raw) > maxChanges) return refused("too_many", "changes", countOf(raw), `at most ${maxChanges}`)
  return Result.flatMap(decodeWorkers(raw), (decoded): Claim<Workers> => {
    const place = decoded.changes.findIndex(({ at }) => !isTime(at, now))
    return place < 0
      ? Result.succeed(decoded)
      : refused(
          "impossible_time",
          `changes[${place}].at`,
          decoded.changes[place]?.at,
          "a time since 1970, at most a year ahead"
        )
  })
}

/** The sessions that were opened over a connection, by their managers. */
export type Sessions = ReadonlyMap<ManagerId, Epoch>

/**
 * Whether a connection may speak for a session: for one that was opened over it, or an earlier one of the same manager,
 * whose results a later process hands in.
 */
export const identity = (
  sessions: Sessions,
  { epoch, managerId }: { readonly managerId: ManagerId; readonly epoch: Epoch }
): Refusal | undefined => {
  const own = sessions.get(managerId)
  if (own === undefined) {
    const error = new InvalidInput({
      field: "managerId",
      value: managerId,
      expected: `the manager that has connected here (${[...sessions.keys()].slice(0, 3).join(", ")})`
    })
    return { kind: "other_manager", error }
  }
  return epoch <= own
    ? undefined
    : {
        kind: "other_epoch",
        error: new InvalidInput({
          field: "epoch",
          value: String(epoch),
          expected: `the session's own, ${own}, or an earlier one`
        })
      }
}
