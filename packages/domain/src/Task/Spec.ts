/**
 * What a user asks a task to do.
 */
import { Schema, SchemaIssue } from "effect"
import * as ByteSize from "../ByteSize.ts"
import * as Millis from "../Millis.ts"
import { Name, NonEmptyText, Tags, Text } from "../Text.ts"

/** Longest allowed text of one argument, variable or standard input: what Linux accepts for a single argument. */
const maxArgumentLength = 131_071

const Argument = Text.check(Schema.isMaxLength(maxArgumentLength))

const variableName = "the name of a variable: at least one character, no =, NUL or lone surrogate"

// A check and not a schema of the names: whoever reads without refusing unknown fields would drop what does not fit it.
const hasVariableNames = Schema.makeFilter<{ readonly [name: string]: string }>((env, _, options) => {
  const wrong = Object.keys(env).find((name) => !/^[^=\0]+$/.test(name) || !name.isWellFormed())
  return wrong === undefined
    ? true
    : { path: [wrong], issue: new SchemaIssue.InvalidValue({ expected: variableName }, wrong, options) }
})

/** Environment variables by name. */
export const Env = Schema.Record(Schema.String, Argument).check(hasVariableNames)
export type Env = typeof Env.Type

/** How often and how soon a task that failed runs again. */
export const RetryPolicy = Schema.Struct({
  /** Further attempts after the first failed one, 0 to 100. */
  limit: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 100 })),
  /** Wait before the first retry (default 1 s). */
  backoff: Schema.optionalKey(Millis.between(0, 86_400_000)),
  /** Each further wait is this many times longer (default 2). */
  factor: Schema.optionalKey(Schema.Finite.check(Schema.isBetween({ minimum: 1, maximum: 10 }))),
  /** The longest wait (default 60 s). */
  maxBackoff: Schema.optionalKey(Millis.between(0, 86_400_000)),
  /** Part of each wait that is random, 0 to 1 (default 0.2), so that tasks which failed together do not return together. */
  jitter: Schema.optionalKey(Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 })))
})
export type RetryPolicy = typeof RetryPolicy.Type

/** How much of a task's output is kept. */
export const OutputLimits = Schema.Struct({
  /** Bytes of the end of each stream that are kept in the result (default 4Ki). */
  tail: Schema.optionalKey(ByteSize.between(0, 64 * 1024)),
  /** Bytes of each stream that are kept in the log file; what comes after is dropped (default 64Mi). */
  limit: Schema.optionalKey(ByteSize.between(0, 16 * 1024 ** 3))
})
export type OutputLimits = typeof OutputLimits.Type

/** Settings that a suite may give for all of its tasks, and a task for itself. */
export const settings = {
  /** Environment variables on top of the manager's own. A task's win over its suite's. */
  env: Schema.optionalKey(Env),
  /** Working directory (default: a fresh one that is removed afterwards). */
  cwd: Schema.optionalKey(NonEmptyText),
  /** Longest run of one attempt (default: none). Then its whole process tree is ended. */
  timeout: Schema.optionalKey(Millis.between(1, 365 * 86_400_000)),
  /** Time between TERM and KILL when an attempt is ended (default 5 s). */
  grace: Schema.optionalKey(Millis.between(0, 3_600_000)),
  retry: Schema.optionalKey(RetryPolicy),
  output: Schema.optionalKey(OutputLimits)
}

const common = {
  ...settings,
  /** Order within the suite: higher first, then older (default 0). */
  priority: Schema.optionalKey(Schema.Int.check(Schema.isInt32())),
  /** For queries only; at most 64. */
  labels: Schema.optionalKey(Tags)
}

/** A program with its arguments. No shell is involved. */
export const CommandSpec = Schema.Struct({
  program: NonEmptyText.check(
    Schema.isMaxLength(4096, { expected: "the name or path of a program, at most 4096 characters" })
  ),
  args: Schema.optionalKey(Schema.Array(Argument).check(Schema.isMaxLength(65_536))),
  /** Text for standard input (default: none, reading gives end of file). */
  stdin: Schema.optionalKey(Text.check(Schema.isMaxLength(1024 ** 2))),
  ...common
})
export type CommandSpec = typeof CommandSpec.Type

/** A typed function that the workers have loaded, with its input as JSON. */
export const HandlerSpec = Schema.Struct({
  handler: Name,
  input: Schema.optionalKey(Schema.Json),
  ...common
})
export type HandlerSpec = typeof HandlerSpec.Type

/** What a task does: a command or a handler. */
export const TaskSpec = Schema.Union([CommandSpec, HandlerSpec])
export type TaskSpec = typeof TaskSpec.Type

export const isCommand = (spec: TaskSpec): spec is CommandSpec => "program" in spec

/** The settings of a suite that its tasks inherit. */
export const TaskDefaults = Schema.Struct(settings)
export type TaskDefaults = typeof TaskDefaults.Type

/** A task's settings with the suite's and then the system's defaults filled in. Times in milliseconds, sizes in bytes. */
export interface Resolved {
  readonly env: Env
  readonly cwd: string | undefined
  readonly timeout: number | undefined
  readonly grace: number
  readonly retry: Required<RetryPolicy>
  readonly output: Required<OutputLimits>
}

const noRetry = { limit: 0 }
const noEnv: Env = {}

/** Between TERM and KILL. Milliseconds. */
export const defaultGrace = 5_000

/** Completes a retry policy. */
export const resolveRetry = (policy: RetryPolicy = noRetry): Required<RetryPolicy> => ({
  limit: policy.limit,
  backoff: policy.backoff ?? 1_000,
  factor: policy.factor ?? 2,
  maxBackoff: policy.maxBackoff ?? 60_000,
  jitter: policy.jitter ?? 0.2
})

/** Completes a task's settings from its suite's and the system's. */
export const resolve = (spec: TaskSpec, defaults: TaskDefaults): Resolved => ({
  env: spec.env === undefined ? (defaults.env ?? noEnv) : { ...defaults.env, ...spec.env },
  cwd: spec.cwd ?? defaults.cwd,
  timeout: spec.timeout ?? defaults.timeout,
  grace: spec.grace ?? defaults.grace ?? defaultGrace,
  retry: resolveRetry(spec.retry ?? defaults.retry),
  output: {
    tail: spec.output?.tail ?? defaults.output?.tail ?? 4_096,
    limit: spec.output?.limit ?? defaults.output?.limit ?? 64 * 1024 ** 2
  }
})
