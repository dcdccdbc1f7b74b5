/**
 * Finds handlers in a module that a user wrote.
 */
import { resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { Data, Effect, Predicate } from "effect"
import * as Handler from "@muster/domain/Handler"

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
  const twice = firstTwice([...reserved, ...handlers])
  if (twice !== undefined) return yield* fail(`there is more than one handler with the name "${twice}"`)
  return handlers
})

const reasonOf = (cause: unknown): string =>
  cause instanceof Error ? (cause.message.split("\n", 1)[0] ?? "") : String(cause)
