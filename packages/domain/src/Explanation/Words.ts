/** The words of explanations. */
import * as Millis from "../Millis.ts"
import type { Reason } from "../Placement.ts"
import type { AttemptResult } from "../Task/Attempt.ts"

const second = 1_000
const minute = 60_000
const hour = 3_600_000
const day = 86_400_000

/** A length of time as one says it: `320ms`, `12s`, `3m20s`, `2h5m`, `3d4h`. */
export const span = (millis: number): string => {
  const rounded = (unit: number) => Millis.format(Math.round(millis / unit) * unit)
  if (millis < second) return rounded(1)
  if (millis < 10 * minute) return rounded(second)
  return rounded(millis < day ? minute : hour)
}

/** A run time, which mostly is short: `19.7ms`, `1.25s`, else as `span`. */
export const runTime = (millis: number): string => {
  if (millis < second) return `${Number(millis.toPrecision(3))}ms`
  return millis < 10 * second ? `${(millis / second).toFixed(2)}s` : span(millis)
}

/** A time to the second; explanations have the milliseconds in their fields. */
export const clock = (time: number): string => `${new Date(time).toISOString().slice(0, 19)}Z`

/** `1,234,567`. */
const digits = (number: number): string => String(number).replaceAll(/\B(?=(\d{3})+$)/g, ",")

/** `3 tasks`, `1 task`. */
export const plural = (number: number, noun: string): string => `${digits(number)} ${noun}${number === 1 ? "" : "s"}`

/** `1st`, `2nd`, `11th`. */
export const ordinal = (number: number): string => {
  const rest = number % 100
  const ending = rest >= 11 && rest <= 13 ? "th" : (["th", "st", "nd", "rd"][number % 10] ?? "th")
  return `${number}${ending}`
}

/** `a, b and c`. */
export const list = (items: ReadonlyArray<string>, and = "and"): string =>
  items.length < 2 ? (items[0] ?? "") : `${items.slice(0, -1).join(", ")} ${and} ${items.at(-1)}`

/** `is`, `are`; `was`, `were`. */
export const are = (number: number): string => (number === 1 ? "is" : "are")
export const were = (number: number): string => (number === 1 ? "was" : "were")

/** Names that are said in one sentence before it only counts. */
const namesAtMost = 4

/** `vm and big`, or `12 managers` when they are too many to name. */
export const names = (managers: ReadonlyArray<string>): string =>
  managers.length > namesAtMost ? plural(managers.length, "manager") : list(managers)

/** What is known of a manager that is suspected: the rest of a sentence that begins with it. */
export const silence = (reason: "silent" | "disconnected"): string =>
  reason === "silent" ? "has not been heard from" : "has been without its connection"

/** Why one or several managers do not get a suite: the rest of a sentence that begins with them. */
export const refusal = (reason: Reason, several: boolean, now: number): string => {
  const [is, lacks, was] = several ? ["are", "lack", "were"] : ["is", "lacks", "was"]
  switch (reason._tag) {
    case "NotSelected":
      return `${is} not among the managers that the suite names`
    case "TagsMissing":
      return `${lacks} the ${reason.tags.length === 1 ? "tag" : "tags"} ${list(reason.tags)} that the suite asks for`
    case "Draining":
      return `${is} draining: no new work, as an operator asked`
    case "NotReady":
      return `${is} not ready: just connected and not done with what came before, or suspected to be gone`
    case "Busy":
      return `${is} taken by suite ${reason.suiteId}`
    case "GivenBack":
      return `gave the suite back unasked and ${is} not offered it again for ${span(Math.max(reason.until - now, 0))}`
    case "NoTaskWaiting":
      return `${was} not needed: no task of the suite could be handed out just then`
    case "EnoughSlots":
      return `${is} not needed: the managers that work on the suite have ${plural(reason.slots, "worker")} for its ${plural(reason.pending, "unfinished task")}`
  }
}

/** How an attempt ended: the rest of a sentence that begins with it. */
export const ending = ({
  duration,
  exitCode,
  message,
  outcome,
  signal
}: Pick<AttemptResult, "outcome" | "exitCode" | "signal" | "duration" | "message">): string => {
  const after = duration === undefined ? "" : ` after ${runTime(duration)}`
  const how = signal === undefined ? (exitCode === undefined ? "" : ` with exit code ${exitCode}`) : ` by ${signal}`
  const more = message === undefined || message === "" ? "" : ` (${message})`
  switch (outcome) {
    case "succeeded":
      return `succeeded${after}${more}`
    case "failed":
      return `${signal === undefined ? "failed" : "was ended"}${how}${after}${more}`
    case "timed_out":
      return `ran into its timeout and was ended${how}${after}${more}`
    case "not_started":
      return `could not be started${more}`
    case "crashed":
      return `lost its worker, which ended under it${how}${after}${more}`
    case "lost":
      return `was given up, because its manager was lost while it ran${more}`
    case "lease_lost":
      return `was ended by its own machine${how}${after}${more}`
    case "cancelled":
      return `was cancelled and ended${how}${after}${more}`
  }
}
