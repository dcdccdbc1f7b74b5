/**
 * Typed handlers: the second kind of task. A module exports them, managers load the module in their workers, and the
 * client library submits inputs to them by the same definition, so both ends agree on types.
 */
import { Effect, Schema } from "effect"

/** What a handler may know of the attempt that it runs in. */
export interface HandlerContext {
  readonly taskId: string
  readonly suiteId: string
  readonly attempt: number
  /** Aborted when the attempt is cancelled or over its timeout. */
  readonly signal: AbortSignal
}

/** A typed handler. `Input`, `Output` and `Failure` travel as JSON. */
export interface Handler<Name extends string, Input, Output, Failure = never> {
  readonly _tag: "MusterHandler"
  readonly name: Name
  readonly input: Schema.Codec<Input, unknown>
  readonly output: Schema.Codec<Output, unknown>
  readonly failure: Schema.Codec<Failure, unknown>
  /** How many may run at once in one worker (default 1). */
  readonly concurrency: number
  readonly run: (input: Input, context: HandlerContext) => Effect.Effect<Output, Failure>
}

// A handler takes its input and gives its output, so no type but `any` holds all of them.
// oxlint-disable-next-line typescript/no-explicit-any
export type Any = Handler<string, any, any, any>

/**
 * Defines a handler. `run` gives an Effect, a promise or a plain value; a thrown error or a rejected promise is an
 * attempt that failed with its message.
 */
export const make = <const Name extends string, Input, Output, Failure = never>(options: {
  readonly name: Name
  readonly input: Schema.Codec<Input, unknown>
  readonly output: Schema.Codec<Output, unknown>
  readonly failure?: Schema.Codec<Failure, unknown>
  readonly concurrency?: number
  readonly run: (input: Input, context: HandlerContext) => Effect.Effect<Output, Failure> | Promise<Output> | Output
}): Handler<Name, Input, Output, Failure> => ({
  _tag: "MusterHandler",
  name: options.name,
  input: options.input,
  output: options.output,
  failure: options.failure ?? Schema.Never,
  concurrency: options.concurrency ?? 1,
  run: (input, context) =>
    Effect.suspend(() => {
      const result = options.run(input, context)
      if (Effect.isEffect(result)) return result
      if (!(result instanceof Promise)) return Effect.succeed(result)
      // A promise cannot be stopped, only asked to by `context.signal`. Until it has ended the handler is running: whoever
      // interrupts it waits, and so finds out whether it heeds.
      return Effect.uninterruptible(Effect.promise(() => result))
    })
})

/** Whether an exported value is a handler. */
export const isHandler = (value: unknown): value is Any =>
  typeof value === "object" && value !== null && "_tag" in value && value._tag === "MusterHandler"
