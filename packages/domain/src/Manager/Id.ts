import { Schema } from "effect"
import * as ShortId from "../ShortId.ts"

/** Names a machine's manager for good: kept in its directory, so it survives restarts. */
export const ManagerId = Schema.String.check(Schema.isPattern(ShortId.pattern, { expected: "a manager id" })).pipe(
  Schema.brand("ManagerId")
)
export type ManagerId = typeof ManagerId.Type

/**
 * The number of a manager's session: rises with each new manager process. What arrives under an old epoch is kept as
 * evidence and changes nothing.
 */
export const Epoch = Schema.Int.pipe(Schema.brand("Epoch"))
export type Epoch = typeof Epoch.Type

export const stream = (id: ManagerId) => `manager-${id}`
