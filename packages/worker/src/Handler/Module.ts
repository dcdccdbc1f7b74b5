/**
 * Finds handlers in a module that a user wrote.
 */
import { resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { Cause, Data, Effect, Exit, Option, Predicate, Schema } from "effect"
import * as InputProblem from "@muster/domain/Api/InputProblem"
import * as Handler from "@muster/domain/Handler"
import { Name } from "@muster/domain/Text"

/** The module could not be loaded, or does not contain what it should. */
export class HandlerModuleError extends Data.TaggedError("HandlerModuleError")<{
  readonly path: string
  readonly reason: string
  readonly cause?: unknown
}> {
  override get message() {
    return `handlers cannot be loaded from ${this.path}: ${this.reason}`
  }
}

/** A module that takes longer waits for something that does not come. */
const loadLimit = "30 seconds"

/** More than this at once in one worker would be many small tasks in one: then give them in one task. */
const maxConcurrency = 10_000

/** Handlers may be exports of their own, or together in an exported array or object. */
const handlersIn = (exported: Readonly<Record<string, unknown>>): Array<Handler.Any> => {
  const found = new Set<Handler.Any>()
  for (const value of Object.values(exported)) {
    if (Handler.isHandler(value)) found.add(value)
    else if (Predicate.isObjectOrArray(value)) {
      for (const inner of Object.values(value)) if (Handler.isHandler(inner)) found.add(inner)
    }
  }
  return [...found]
}

const Definition = Schema.Struct({
  name: Name,
  concurrency: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: maxConcurrency }))
})

const decodeDefinition = Schema.decodeUnknownExit(Definition, { reportInput: true })

/** What is wrong with a handler that did not come from `Handler.make`, or was given what types cannot refuse. */
const flawOf = (handler: Handler.Any): string | undefined => {
  const decoded = decodeDefinition(handler)
  if (Exit.isSuccess(decoded)) return undefined
  const error = Cause.findErrorOption(decoded.cause)
  return Option.isNone(error) ? "it is no handler" : InputProblem.fromSchemaError(error.value).message
}

const firstTwice = (handlers: ReadonlyArray<Handler.Any>): string | undefined => {
  const names = new Set<string>()
  for (const { name } of handlers) {
    if (names.has(name)) return name
    names.add(name)
  }
  return undefined
}

/** Loads a module (TypeScript or JavaScript) and gives its handlers. */
export const load = Effect.fn("HandlerModule.load")(function* (path: string, reserved: ReadonlyArray<Handler.Any>) {
  const fail = (reason: string) => new HandlerModuleError({ path, reason })
  const exported = yield* Effect.tryPromise({
    try: (): Promise<Readonly<Record<string, unknown>>> => import(pathToFileURL(resolve(path)).href),
    catch: (cause) => new HandlerModuleError({ path, reason: reasonOf(cause), cause })
  }).pipe(Effect.timeoutOrElse({ duration: loadLimit, orElse: () => Effect.fail(fail("it does not finish loading")) }))
  const handlers = handlersIn(exported)
  if (handlers.length === 0) return yield* fail("it exports no handler")
  for (const handler of handlers) {
    const flaw = flawOf(handler)
    if (flaw !== undefined) return yield* fail(`of handler "${handler.name}" ${flaw}`)
  }
  const twice = firstTwice([...reserved, ...handlers])
  if (twice !== undefined) return yield* fail(`there is more than one handler with the name "${twice}"`)
  return handlers
})

const reasonOf = (cause: unknown): string =>
  cause instanceof Error ? (cause.message.split("\n", 1)[0] ?? "") : String(cause)
