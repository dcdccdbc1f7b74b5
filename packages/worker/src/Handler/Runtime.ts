/**
 * The copy of Effect that a handler's module uses.
 *
 * A bundled worker carries a copy of its own, and the module of a user finds another one in its `node_modules`. A schema
 * of one copy is not understood by the other in all its parts (what marks a failed check, for one, is a symbol of each),
 * so everything that belongs to a handler is done with the handler's copy. Run from sources, both are the same.
 */
import { createRequire } from "node:module"
import { resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { Cause, Effect, Exit, Option, Schema } from "effect"

/** The worker's own. */
export const own = { Cause, Effect, Exit, Option, Schema }

export type Runtime = typeof own

/** What `import "effect"` means in a module, or the worker's own where it means nothing. */
export const ofModule = (path: string): Effect.Effect<Runtime> =>
  Effect.tryPromise((): Promise<Runtime> => {
    const { resolve: find } = createRequire(pathToFileURL(resolve(path)))
    return import(pathToFileURL(find("effect")).href)
  }).pipe(Effect.catch(() => Effect.succeed(own)))
