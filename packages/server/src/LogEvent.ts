/**
 * Events of the log as the deciders know them.
 */
import type { Recorded } from "@muster/domain/Recorded"

/**
 * An event of the log in the shape that its decider gave it. Today's shapes are the only ones so far; a later one brings
 * an upcaster, which belongs between the two.
 */
// The caller says whose stream it reads; nothing in a recorded event could tell the compiler.
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters
export const decode = <Event extends { readonly _tag: string }>(recorded: Recorded): Event =>
  // Only this system writes the log, and it writes what a decider gave: `_tag` as the type, all else as the data.
  ({ _tag: recorded.type, ...(recorded.data as object) }) as Event
