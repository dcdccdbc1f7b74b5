/**
 * Runs handlers: typed functions of a user's module, inside this process.
 *
 * A handler that ends within its call costs no timer, no abort controller and, if it gives an effect that is already done,
 * no fiber either.
 */
import { Effect } from "effect"
import type { Cause, Exit, Fiber, Schema } from "effect"
import * as InputProblem from "@muster/domain/Api/InputProblem"
import * as Lease from "@muster/domain/Lease"
import type * as Handler from "@muster/domain/Handler"
import { taskId } from "@muster/domain/Suite/Id"
import type { AttemptResult, HandlerSpec, Outcome } from "@muster/domain/Task"
import { finishedAt, toMicroseconds } from "@muster/domain/Task/Packed"
import * as Text from "@muster/domain/Text"
import type { Announcement, Attempt, Progress } from "./Executor.ts"
import { notStarted } from "./Executor.ts"
import * as ExitCode from "@muster/domain/WorkerExit"
import * as Module from "./Handler/Module.ts"
import { noopHandler } from "./Handler/Noop.ts"
import { refuse } from "@muster/domain/Task/Output"
import * as Runtime from "./Handler/Runtime.ts"
import { Replacement } from "./Replacement.ts"
import * as Timer from "./Timer.ts"
import { WorkerConfig } from "./WorkerConfig.ts"

/** Lines of a stack that help; what follows is the runtime's own. */
const stackLines = 12

/** Longest message in characters: one line for people. */
const maxMessage = 500

/** Loads the configured module. One that cannot be loaded is no reason not to run what does not need it. */
export const make = Effect.fnUntraced(function* () {
  const { handlers: path } = yield* WorkerConfig
  const replacement = yield* Replacement
  const loaded = path === undefined ? nothing : yield* load(path)
  return new HandlerExecutor({
    handlers: loaded.handlers,
    runtime: loaded.runtime,
    problem: loaded.problem,
    replacement
  })
})

/** There in every worker. */
const builtIn: ReadonlyArray<Handler.Any> = [noopHandler]

interface Loaded {
  /** Those of the module. */
  readonly handlers: ReadonlyArray<Handler.Any>
  /** What they are run with. */
  readonly runtime: Runtime.Runtime
  /** Why there are none. */
  readonly problem: string | undefined
}

const nothing: Loaded = { handlers: [], runtime: Runtime.own, problem: undefined }

const load = (path: string): Effect.Effect<Loaded> =>
  Effect.all([Module.load(path, builtIn), Runtime.ofModule(path)]).pipe(
    Effect.map(([handlers, runtime]) => ({ handlers, runtime, problem: undefined })),
    Effect.tapError((error) => Effect.logError(error.message, error.cause)),
    Effect.catch((error) => Effect.succeed({ ...nothing, problem: error.message }))
  )

interface Parts extends Loaded {
  readonly replacement: Replacement["Service"]
}

/** A handler with its schemas compiled. */
interface Prepared {
  readonly handler: Handler.Any
  readonly runtime: Runtime.Runtime
  readonly decodeInput: Coder<unknown>
  readonly encodeOutput: Coder<Schema.Json>
  readonly encodeFailure: Coder<Schema.Json>
}

type Coder<A> = (value: unknown) => Exit.Exit<A, Schema.SchemaError>

/** What is declared as any JSON has been checked as such on its way here. */
const jsonDecoder = ({ Exit, Schema }: Runtime.Runtime, schema: Schema.Codec<unknown, unknown>): Coder<unknown> =>
  schema === Schema.Json
    ? Exit.succeed
    : Schema.decodeUnknownExit(Schema.toCodecJson(schema), InputProblem.parseOptions)

const jsonEncoder = ({ Schema }: Runtime.Runtime, schema: Schema.Codec<unknown, unknown>): Coder<Schema.Json> =>
  Schema.encodeUnknownExit(Schema.toCodecJson(schema), InputProblem.parseOptions)

const prepare = (runtime: Runtime.Runtime, handler: Handler.Any): Prepared => ({
  handler,
  runtime,
  decodeInput: jsonDecoder(runtime, handler.input),
  encodeOutput: jsonEncoder(runtime, handler.output),
  encodeFailure: jsonEncoder(runtime, handler.failure)
})

/** A handler that did not end within its call. */
interface Running {
  readonly attempt: Attempt
  readonly fiber: Fiber.Fiber<unknown, unknown>
  readonly context: RunContext
  readonly conclude: (outcome: Outcome | undefined, exit: Exit.Exit<unknown, unknown>) => void
  readonly abandon: () => void
  ending: Extract<Outcome, "timed_out" | "cancelled" | "lease_lost"> | undefined
}

export class HandlerExecutor {
  readonly handlers: ReadonlyArray<Announcement>
  private readonly parts: Parts
  private readonly prepared: ReadonlyMap<string, Prepared>
  private readonly running = new Map<Attempt, Running>()

  constructor(parts: Parts) {
    this.parts = parts
    const prepared = [
      ...builtIn.map((handler) => prepare(Runtime.own, handler)),
      ...parts.handlers.map((handler) => prepare(parts.runtime, handler))
    ]
    this.handlers = prepared.map(({ handler: { concurrency, name } }) => ({ name, concurrency }))
    this.prepared = new Map(prepared.map((one) => [one.handler.name, one]))
  }

  /** How many of this handler may run at once. One that is not known takes no time. */
  concurrency(name: string): number {
    return this.prepared.get(name)?.handler.concurrency ?? Number.POSITIVE_INFINITY
  }

  start(attempt: Attempt, spec: HandlerSpec, { abandon, settle }: Pick<Progress, "settle" | "abandon">): void {
    const prepared = this.prepared.get(spec.handler)
    if (prepared === undefined) return settle(notStarted(attempt, this.unknown(spec.handler)))
    // JSON has no word for "nothing": what is absent is null, which is also how a codec of JSON writes undefined.
    const { Exit } = prepared.runtime
    const input = prepared.decodeInput(spec.input ?? null)
    if (Exit.isFailure(input)) return settle(notStarted(attempt, explain(prepared.runtime, input.cause)))
    const context = new RunContext(attempt)
    const startedAt = Date.now()
    const since = performance.now()
    attempt.startedAt = startedAt
    const times = () => timesOf(attempt, startedAt, since)
    const finish = (exit: Exit.Exit<unknown, unknown>) =>
      settle({ ...times(), ...conclusion(prepared, exit, attempt.settings.output.tail) })
    const effect = call(prepared, input.value, context)
    if (Exit.isExit(effect)) return finish(effect)
    const fiber = prepared.runtime.Effect.runFork(effect)
    const exit = fiber.pollUnsafe()
    if (exit !== undefined) return finish(exit)
    this.follow({
      attempt,
      fiber,
      context,
      conclude: (outcome, how) => {
        if (outcome === undefined) return finish(how)
        settle({ ...times(), outcome, ...(outcome === "lease_lost" ? { message: Lease.lostMessage } : {}) })
      },
      abandon,
      ending: undefined
    })
  }

  cancel(attempt: Attempt): void {
    const running = this.running.get(attempt)
    if (running !== undefined) this.end(running, "cancelled")
  }

  /** Interrupts it. If it does not heed that, its worker is about to end. */
  expire(attempt: Attempt): void {
    const running = this.running.get(attempt)
    if (running === undefined || running.ending !== undefined) return
    running.ending = "lease_lost"
    running.context.abort()
    running.fiber.interruptUnsafe()
  }

  /** Interrupts what runs. Does not wait: the end of the process ends what does not heed that. */
  get endAll(): Effect.Effect<void> {
    return Effect.sync(() => {
      for (const { context, fiber } of this.running.values()) {
        context.abort()
        fiber.interruptUnsafe()
      }
    })
  }

  private follow(running: Running): void {
    const { attempt, fiber } = running
    const { timeout } = attempt.settings
    this.running.set(attempt, running)
    const cancelTimer = timeout === undefined ? undefined : Timer.after(timeout, () => this.end(running, "timed_out"))
    fiber.addObserver((exit) => {
      cancelTimer?.()
      // Otherwise it was given up before.
      if (this.running.delete(attempt)) running.conclude(running.ending, exit)
    })
  }

  private end(running: Running, outcome: "timed_out" | "cancelled"): void {
    if (running.ending !== undefined) return
    running.ending = outcome
    const { attempt, context, fiber } = running
    const cancelTimer = Timer.after(attempt.settings.grace, () => {
      if (!this.running.delete(attempt)) return
      running.abandon()
      this.parts.replacement.request({
        exitCode: ExitCode.handlerHangs,
        message: `a handler did not heed its interruption within ${attempt.settings.grace} ms`
      })
    })
    fiber.addObserver(cancelTimer)
    context.abort()
    fiber.interruptUnsafe()
  }

  private unknown(name: string): string {
    const known = this.handlers.map((handler) => handler.name).join(", ")
    const reason = this.parts.problem === undefined ? "" : `; ${this.parts.problem}`
    return `no handler "${name}" is loaded here (there are: ${known}${reason})`
  }
}

const call = ({ handler, runtime }: Prepared, input: unknown, context: RunContext): Effect.Effect<unknown, unknown> => {
  try {
    return handler.run(input, context)
  } catch (error) {
    return runtime.Exit.die(error)
  }
}

/** What a handler sees of its attempt. Made for each, so what few look at is made when they do. */
class RunContext implements Handler.HandlerContext {
  private readonly item: Attempt["item"]
  private controller: AbortController | undefined
  private isAborted = false

  constructor({ item }: Attempt) {
    this.item = item
  }

  get taskId(): string {
    return taskId(this.item.suiteId, this.item.index)
  }

  get suiteId(): string {
    return this.item.suiteId
  }

  get attempt(): number {
    return this.item.attempt
  }

  get signal(): AbortSignal {
    this.controller ??= new AbortController()
    if (this.isAborted) this.controller.abort()
    return this.controller.signal
  }

  abort(): void {
    this.isAborted = true
    this.controller?.abort()
  }
}

const timesOf = ({ item: { attempt, index } }: Attempt, startedAt: number, since: number) => {
  const duration = toMicroseconds(performance.now() - since)
  return { index, attempt, startedAt, finishedAt: finishedAt(startedAt, duration), duration }
}

/** What a handler's end means. */
const conclusion = (
  { encodeFailure, encodeOutput, handler, runtime }: Prepared,
  exit: Exit.Exit<unknown, unknown>,
  tail: number
): Pick<AttemptResult, "outcome" | "output" | "message" | "stderr"> => {
  const { Cause, Exit, Option } = runtime
  const explainFor = (cause: Cause.Cause<Schema.SchemaError>) => explain(runtime, cause)
  if (Exit.isSuccess(exit)) {
    return answer(encodeOutput(exit.value), explainFor, "succeeded", `output of handler "${handler.name}"`)
  }
  const failure = Cause.findErrorOption(exit.cause)
  if (Option.isSome(failure)) {
    const { value } = failure
    return answer(encodeFailure(value), explainFor, "failed", `failure of handler "${handler.name}"`, value)
  }
  const defect = Cause.squash(exit.cause)
  const stack = defect instanceof Error ? (defect.stack ?? "") : ""
  const stderr = Text.toCarriable(stack.split("\n").slice(0, stackLines).join("\n").slice(0, tail))
  return { outcome: "failed", message: lineOf(defect), ...(stderr === "" ? {} : { stderr }) }
}

const answer = (
  encoded: Exit.Exit<Schema.Json, Schema.SchemaError>,
  explainFor: (cause: Cause.Cause<Schema.SchemaError>) => string,
  outcome: "succeeded" | "failed",
  what: string,
  failure?: unknown
): Pick<AttemptResult, "outcome" | "output" | "message"> => {
  if (encoded._tag === "Failure") {
    // An error outside of the schema says more than that it is outside.
    const inner = failure === undefined ? "" : `: ${lineOf(failure)}`
    return { outcome: "failed", message: `${what} does not fit its schema: ${explainFor(encoded.cause)}${inner}` }
  }
  const { value: output } = encoded
  // A handler that returns nothing has no output.
  if (output === undefined) return { outcome }
  const problem = refuse(output)
  if (problem !== undefined) return { outcome: "failed", message: `${what} ${problem}` }
  return outcome === "succeeded" ? { outcome, output } : { outcome, output, message: lineOf(failure) }
}

/** A schema's refusal in one line that names the field. */
const explain = ({ Cause, Option }: Runtime.Runtime, cause: Cause.Cause<Schema.SchemaError>): string => {
  const error = Cause.findErrorOption(cause)
  return Option.isNone(error) ? lineOf(Cause.squash(cause)) : InputProblem.fromSchemaError(error.value, "input").message
}

/** One line for people out of whatever was thrown. */
const lineOf = (thrown: unknown): string => {
  const text = thrown instanceof Error && thrown.message !== "" ? `${thrown.name}: ${thrown.message}` : inspect(thrown)
  return Text.toCarriable(text.split("\n", 1)[0]?.slice(0, maxMessage) ?? "")
}

const inspect = (thrown: unknown): string => {
  try {
    return typeof thrown === "string" ? thrown : (JSON.stringify(thrown) ?? String(thrown))
  } catch {
    return Object.prototype.toString.call(thrown)
  }
}
