import { Schema } from "effect"

/** A pool of managers and suites that are planned together. */
export const Pool = Schema.String.check(
  Schema.isPattern(/^[a-z0-9][a-z0-9-]{0,62}$/, { expected: "a pool name (1 to 63 of a-z, 0-9 and -)" })
).pipe(Schema.brand("Pool"))
export type Pool = typeof Pool.Type

/** The pool of everything that names no other. */
export const defaultPool = Pool.make("main")

export const stream = (pool: Pool) => `coordinator-${pool}`
