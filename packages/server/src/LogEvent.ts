/**
 * Events as the deciders know them, and as the log holds them.
 */
import type { Recorded } from "@muster/domain/Recorded"
import type { SuiteEvent } from "@muster/domain/Suite/Events"
import { pack, unpackEnded } from "@muster/domain/Task/Packed"
import type { Packed } from "@muster/domain/Task/Packed"

/** An event as it is stored: results of attempts, of which one event may hold thousands, are packed. */
interface Stored {
  readonly type: string
  readonly data: unknown
}

type AttemptsEnded = Extract<SuiteEvent, { readonly _tag: "AttemptsEnded" }>

const attemptsEnded: AttemptsEnded["_tag"] = "AttemptsEnded"

const isAttemptsEnded = (event: { readonly _tag: string }): event is AttemptsEnded => event._tag === attemptsEnded

export const encode = (event: { readonly _tag: string }): Stored => {
  if (isAttemptsEnded(event)) {
    const { _tag: type, attempts, ...data } = event
    return { type, data: { ...data, packed: attempts.map(pack) } }
  }
  const { _tag: type, ...data } = event
  return { type, data }
}

/** What the log holds, as everybody but the log knows it. */
const readableData = ({ data, type }: Stored): unknown => {
  if (type !== attemptsEnded) return data
  // Only `encode` writes such events.
  const { packed, ...rest } = data as { readonly packed?: ReadonlyArray<Packed> }
  return packed === undefined ? data : { ...rest, attempts: packed.map(unpackEnded) }
}

/**
 * An event of the log in the shape that its decider gave it. Today's shapes are the only ones so far; a later one brings
 * an upcaster, which belongs between the two.
 */
// The caller says whose stream it reads; nothing in a recorded event could tell the compiler.
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters
export const decode = <Event extends { readonly _tag: string }>(recorded: Stored): Event =>
  // Only this system writes the log, and it writes what a decider gave: `_tag` as the type, all else as the data.
  ({ _tag: recorded.type, ...(readableData(recorded) as object) }) as Event

/** An event of the log for people to read. */
export const readable = (recorded: Recorded): Recorded => ({
  ...recorded,
  // The same JSON, differently arranged.
  data: readableData(recorded) as Recorded["data"]
})
