/**
 * How far two clocks are apart, from questions to the other one. An answer that came between `sent` and `received` was
 * given somewhere between the two, so each question bounds the distance; several questions bound it more tightly.
 *
 * Muster never compares clocks of two machines to decide who may run what. But retries and times in events go by the clock
 * of the coordinator that decides, so after a takeover they jump by as much as clocks differ.
 */
import { Schema } from "effect"
import * as Finding from "./Finding.ts"
import { span } from "./Numbers.ts"

/** Milliseconds since 1970: by the own clock, except `there`. */
export interface Sample {
  readonly sent: number
  readonly there: number
  readonly received: number
}

/** How far the own clock is ahead of the other one: `ahead` plus or minus `uncertainty`. Milliseconds. */
export const Offset = Schema.Struct({ ahead: Schema.Finite, uncertainty: Schema.Finite })
export type Offset = typeof Offset.Type

/**
 * The bounds that hold for all samples; nothing without samples. Samples that contradict each other mean that a clock was
 * set in between: then the tightest one counts. Clocks that tell whole milliseconds are up to one behind.
 */
export const offsetOf = (samples: ReadonlyArray<Sample>, resolution = 1): Offset | undefined => {
  const bounds = samples.map(({ received, sent, there }) => ({
    least: sent - there - resolution,
    most: received - there + resolution
  }))
  const first = bounds.toSorted((a, b) => a.most - a.least - (b.most - b.least))[0]
  if (first === undefined) return undefined
  const least = Math.max(...bounds.map((bound) => bound.least))
  const most = Math.min(...bounds.map((bound) => bound.most))
  return least <= most ? middle(least, most) : middle(first.least, first.most)
}

const middle = (least: number, most: number): Offset => ({
  ahead: (least + most) / 2,
  uncertainty: (most - least) / 2
})

/** How far one clock is ahead of another, both measured against the same third one. */
export const between = (one: Offset, other: Offset): Offset => ({
  ahead: one.ahead - other.ahead,
  uncertainty: one.uncertainty + other.uncertainty
})

/** Certain distances from which on it is worth a word, and from which on it is wrong. Milliseconds. */
const tolerable = 1_000
const wrong = 60_000

const describe = ({ ahead, uncertainty }: Offset): string =>
  `${span(Math.abs(ahead))} ± ${span(uncertainty)} ${ahead < 0 ? "behind" : "ahead of"}`

const advice =
  "have both machines' clocks set by NTP (`timedatectl set-ntp true`, `chronyc tracking` shows how it does)"

/** Judges the clock of `subject` against another one, by what is certain of their distance. */
export const judge = (check: string, subject: string, other: string, offset: Offset | undefined): Finding.Finding => {
  const say = Finding.about(subject)
  if (offset === undefined) {
    return say.warning(
      check,
      `its clock could not be compared with that of ${other}`,
      `see why ${other} does not answer`
    )
  }
  const certain = Math.max(0, Math.abs(offset.ahead) - offset.uncertainty)
  const what = `its clock is ${describe(offset)} that of ${other}`
  if (certain >= wrong) return say.error(check, what, advice)
  if (certain >= tolerable) return say.warning(check, what, advice)
  if (offset.uncertainty >= wrong) {
    return say.warning(check, what, "answers take so long that nothing can be said of the clock: look at the network")
  }
  return say.ok(check, what)
}
