/**
 * Read models against the events that they came from.
 */
import * as Finding from "./Finding.ts"
import { few, plural } from "./Numbers.ts"

export interface Compared {
  /** Of the read model. */
  readonly name: string
  /** Streams that were looked at, and all that there are. */
  readonly streams: number
  readonly of: number
  /** Streams that a sample passes over because they are long, or because time was up. */
  readonly passedOver: number
  readonly events: number
  readonly rows: number
  readonly differing: number
  /** The first ones, such as `tasks {"suite_id": …}`. */
  readonly examples: ReadonlyArray<string>
  readonly isSample: boolean
}

const say = Finding.about("read models")

export const judge = (found: ReadonlyArray<Compared>): ReadonlyArray<Finding.Finding> =>
  found.map((compared) => {
    const { differing, events, examples, isSample, name, of, passedOver, rows, streams } = compared
    const size =
      (isSample ? `a sample of ${streams} of ${plural(of, "stream")}` : `all ${plural(streams, "stream")}`) +
      ` (${plural(events, "event")}, ${plural(rows, "row")}` +
      (passedOver === 0 ? ")" : `; ${passedOver} passed over: long, or time was up)`)
    return differing === 0
      ? say.ok(
          "projections.equal",
          `${name}: ${size} are what the events say${isSample ? "; --full compares all" : ""}`
        )
      : say.error(
          "projections.equal",
          `${name}: ${plural(differing, "row")} in ${size} are not what the events say: ${few(examples, 3)}`,
          "`muster admin rebuild` makes the read models anew; then report this as a bug with the examples"
        )
  })
