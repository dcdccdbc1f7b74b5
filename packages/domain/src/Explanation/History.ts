/**
 * A task's history: the events of its suite that speak of it, and what they come to, attempt by attempt. The reasons of
 * decisions are not stored with them; they follow from the rules of `Suite/Decider.ts` and from what came before.
 */
import type { Epoch, ManagerId } from "../Manager/Id.ts"
import { crashLimit } from "../Suite/Decider.ts"
import type { SuiteEvent } from "../Suite/Events.ts"
import { maxAttempts } from "../Task/Attempt.ts"
import type { AttemptResult, EndedAttempt } from "../Task/Attempt.ts"
import type { RetryPolicy } from "../Task/Spec.ts"
import { span } from "./Words.ts"

/** A stored event of a suite. */
export interface Noted {
  readonly event: SuiteEvent
  readonly version: number
  /** Milliseconds since 1970, by the database's clock. */
  readonly recordedAt: number
  readonly actor: string
}

/** What an event says of one task. */
export type Said =
  | { readonly _tag: "Submitted" }
  | { readonly _tag: "Leased"; readonly manager: ManagerId; readonly epoch: Epoch; readonly attempt: number }
  | {
      readonly _tag: "Started"
      readonly manager: ManagerId
      readonly epoch: Epoch
      readonly attempt: number
      readonly startedAt: number
    }
  | { readonly _tag: "Ended"; readonly manager: ManagerId; readonly epoch: Epoch; readonly result: EndedAttempt }
  | { readonly _tag: "Returned"; readonly manager: ManagerId; readonly reason: "returned" | "manager_lost" }
  | { readonly _tag: "Late"; readonly manager: ManagerId; readonly result: AttemptResult }
  | { readonly _tag: "Cancelled"; readonly reason: string }
  | { readonly _tag: "CancellationRequested"; readonly reason: string }
  | { readonly _tag: "Requeued" }

/** Whether a task waits in the queue afterwards, unless it has ended for good. */
export const bringsToQueue = ({ _tag }: Said): boolean =>
  _tag === "Submitted" || _tag === "Returned" || _tag === "Requeued" || _tag === "Ended"

const isIn = (ranges: ReadonlyArray<readonly [number, number, ...unknown[]]>, index: number): boolean =>
  ranges.some(([first, last]) => first <= index && index <= last)

/** What an event says of the task at an index, if anything. */
export const saidOf = (event: SuiteEvent, index: number): Said | undefined => {
  switch (event._tag) {
    case "TasksSubmitted":
      return event.firstIndex <= index && index < event.firstIndex + event.tasks.length
        ? { _tag: "Submitted" }
        : undefined
    case "TasksLeased": {
      const lease = event.leases.find(([first, last]) => first <= index && index <= last)
      return lease && { _tag: "Leased", manager: event.manager, epoch: event.epoch, attempt: lease[2] }
    }
    case "TasksStarted": {
      const task = event.tasks.find(([started]) => started === index)
      const { epoch, manager } = event
      return task && { _tag: "Started", manager, epoch, attempt: task[1], startedAt: task[2] }
    }
    case "AttemptsEnded": {
      const result = event.attempts.find((attempt) => attempt.index === index)
      return result && { _tag: "Ended", manager: event.manager, epoch: event.epoch, result }
    }
    case "LeasesReturned":
      return isIn(event.ranges, index) ? { _tag: "Returned", manager: event.manager, reason: event.reason } : undefined
    case "LateResultsRecorded": {
      const result = event.attempts.find((attempt) => attempt.index === index)
      return result && { _tag: "Late", manager: event.manager, result }
    }
    case "TasksCancelled":
      return isIn(event.ranges, index) ? { _tag: "Cancelled", reason: event.reason } : undefined
    case "TaskCancellationRequested":
      return isIn(event.ranges, index) ? { _tag: "CancellationRequested", reason: event.reason } : undefined
    case "TasksRequeued":
      return isIn(event.ranges, index) ? { _tag: "Requeued" } : undefined
    case "SuiteCreated":
    case "SuitePaused":
    case "SuiteResumed":
    case "SuiteClosed":
    case "SuiteCompleted":
    case "SuiteReopened":
    case "SuiteCancelled":
    case "SuiteStopped":
      return undefined
  }
}

/** One thing that was said of the task. */
export interface Entry extends Omit<Noted, "event"> {
  readonly type: SuiteEvent["_tag"]
  readonly said: Said
}

/** The entries of a task, in order, from events of its suite among which are all that speak of it. */
export const entries = (events: ReadonlyArray<Noted>, index: number): ReadonlyArray<Entry> =>
  events.flatMap(({ event, ...noted }) => {
    const said = saidOf(event, index)
    return said === undefined ? [] : [{ ...noted, type: event._tag, said }]
  })

/** One attempt, from its lease to its end. */
export interface Attempt {
  readonly number: number
  readonly manager: ManagerId
  readonly epoch: Epoch
  readonly leasedAt: number | undefined
  readonly startedAt: number | undefined
  readonly ended: { readonly result: EndedAttempt; readonly recordedAt: number; readonly why: string } | undefined
}

/** How often a task has failed by its own doing, and how often through its worker or manager. */
interface Failures {
  readonly own: number
  readonly crashes: number
}

const isCrash = ({ outcome }: AttemptResult): boolean =>
  outcome === "crashed" || outcome === "lost" || outcome === "cancelled"

/** Why a task went the way that it did after an attempt. */
const reasonOf = (
  result: EndedAttempt,
  before: Failures,
  policy: Required<RetryPolicy>,
  situation: { readonly recordedAt: number; readonly cancellation: boolean; readonly suiteCancelled: boolean }
): string => {
  switch (result.next) {
    case "succeeded":
      return "there was nothing more to do"
    case "cancelled":
      return "it was not tried again, because its cancellation had been asked for"
    case "retry": {
      if (result.outcome === "lease_lost") {
        return "neither the task nor anything that it did was the reason, so it went back to the queue at once and uncounted"
      }
      if (isCrash(result)) {
        const times = `${before.crashes + 1} of at most ${crashLimit - 1} times`
        return `that was not its own doing, so it went back to the queue at once, not counted against its retries (${times})`
      }
      const left = policy.limit - before.own - 1
      const wait = Math.max((result.retryAt ?? situation.recordedAt) - situation.recordedAt, 0)
      const leftOver =
        left === 0 ? "the last of its retries" : `with ${left} of its ${policy.limit} retries left after that`
      return `it was to be tried again after ${span(wait)}, ${policy.limit === 1 ? "its only retry" : leftOver}`
    }
    case "failed": {
      if (isCrash(result)) {
        return result.attempt >= maxAttempts
          ? `it was not tried again: ${maxAttempts} attempts are the most that a task can have`
          : `it was not tried again: that was the ${crashLimit}rd time that its worker or manager went, and it may be what ends them`
      }
      if (situation.suiteCancelled && before.own < policy.limit) {
        return "it was not tried again, because the suite had been cancelled"
      }
      if (result.attempt >= maxAttempts) {
        return `it was not tried again: ${maxAttempts} attempts are the most that a task can have`
      }
      return policy.limit === 0
        ? "it was not tried again: it has no retries"
        : `it was not tried again: its ${policy.limit === 1 ? "one retry was" : `${policy.limit} retries were`} used up`
    }
  }
}

/**
 * The attempts of a task. A task that was returned unstarted was not attempted; one that is held now has an attempt without
 * an end.
 */
export const attempts = (
  events: ReadonlyArray<Noted>,
  index: number,
  policy: Required<RetryPolicy>
): ReadonlyArray<Attempt> => {
  const found: Array<Attempt> = []
  let open: Attempt | undefined
  let failures: Failures = { own: 0, crashes: 0 }
  let cancellation = false
  let suiteCancelled = false
  for (const { event, recordedAt } of events) {
    if (event._tag === "SuiteCancelled") suiteCancelled = true
    const said = saidOf(event, index)
    switch (said?._tag) {
      case "Leased":
        open = {
          number: said.attempt,
          manager: said.manager,
          epoch: said.epoch,
          leasedAt: recordedAt,
          startedAt: undefined,
          ended: undefined
        }
        break
      case "Started":
        if (open !== undefined) open = { ...open, startedAt: said.startedAt }
        break
      case "Returned":
        open = undefined
        break
      case "CancellationRequested":
        cancellation = true
        break
      case "Ended": {
        const { result } = said
        const earlier = found.findIndex(({ number }) => number === result.attempt)
        // A result after all takes the place of the loss that was recorded.
        if (earlier >= 0) {
          found.splice(earlier, 1)
          failures = { ...failures, crashes: Math.max(failures.crashes - 1, 0) }
        }
        const why = reasonOf(result, failures, policy, { recordedAt, cancellation, suiteCancelled })
        const of = open?.number === result.attempt ? open : undefined
        found.push({
          number: result.attempt,
          manager: said.manager,
          epoch: said.epoch,
          leasedAt: of?.leasedAt,
          startedAt: result.startedAt ?? of?.startedAt,
          ended: { result, recordedAt, why }
        })
        if (result.outcome !== "lease_lost" && (result.next === "retry" || result.next === "failed")) {
          failures = isCrash(result)
            ? { ...failures, crashes: failures.crashes + 1 }
            : { ...failures, own: failures.own + 1 }
        }
        cancellation = false
        open = undefined
        break
      }
      case "Cancelled":
        cancellation = false
        break
      case "Requeued":
        failures = { own: 0, crashes: 0 }
        break
      case "Submitted":
      case "Late":
      case undefined:
        break
    }
  }
  return open === undefined ? found : [...found, open]
}
