import { Schema, SchemaIssue } from "effect"
import * as Lease from "../Lease.ts"
import * as Millis from "../Millis.ts"
import { Name, Tags, Text } from "../Text.ts"
import { TaskDefaults } from "../Task/Spec.ts"

/**
 * What becomes of running tasks when their machine is cut off: `keep` lets them go on, so that one may run in two places
 * for a while; `stop` has the machine end them before anybody else gets them.
 */
export const OnDisconnect = Schema.Literals(["keep", "stop"])
export type OnDisconnect = typeof OnDisconnect.Type

/** The fields of a suite's spec. With them goes `leaseNeedsStop`. */
export const specFields = {
  name: Schema.optionalKey(Name),
  description: Schema.optionalKey(Text.check(Schema.isMaxLength(4096))),
  /** A manager may run the suite when it has all of these tags. */
  tags: Schema.optionalKey(Tags),
  /** For queries only. */
  labels: Schema.optionalKey(Tags),
  /** Higher first, then older (default 0). */
  priority: Schema.optionalKey(Schema.Int.check(Schema.isInt32())),
  /** Workers that each manager starts for the suite (default: the manager's own number). */
  workers: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 256 }))),
  /** After this many failed tasks what is queued is cancelled (default: never). */
  maxFails: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 2 ** 31 - 1 }))),
  /** What becomes of running tasks when their machine is cut off (default `keep`). */
  onDisconnect: Schema.optionalKey(OnDisconnect),
  /** With `stop`: how long a machine that is cut off may go on (default 120 s). */
  leaseDuration: Schema.optionalKey(Millis.between(Lease.shortest, Lease.longest)),
  /** What tasks inherit. */
  defaults: Schema.optionalKey(TaskDefaults)
}

export interface LeaseTerms {
  readonly onDisconnect?: OnDisconnect
  readonly leaseDuration?: number
}

/** Refuses a length of a lease where there is no lease. */
export const leaseNeedsStop = Schema.makeFilter<LeaseTerms>(({ leaseDuration, onDisconnect }, _, options) =>
  leaseDuration === undefined || onDisconnect === "stop"
    ? true
    : {
        path: ["leaseDuration"],
        issue: new SchemaIssue.InvalidValue(
          { expected: 'nothing without onDisconnect: "stop"' },
          leaseDuration,
          options
        )
      }
)

/** What a user gives to create a suite. */
export const SuiteSpec = Schema.Struct(specFields).check(leaseNeedsStop)
export type SuiteSpec = typeof SuiteSpec.Type

/** The lease that managers have who run a suite, if it asks for one. */
export const leaseOf = ({ leaseDuration, onDisconnect }: LeaseTerms): Lease.Lease | undefined =>
  onDisconnect === "stop" ? Lease.make(leaseDuration ?? Lease.defaultDuration) : undefined

/** A suite's states. Only `cancelled` is final; `docs/states/suite.md` says what moves a suite in and out of each. */
export const SuiteState = Schema.Literals(["open", "closed", "complete", "cancelled"])
export type SuiteState = typeof SuiteState.Type

/** `graceful` lets running tasks finish, `force` ends them. */
export const CancelMode = Schema.Literals(["graceful", "force"])
export type CancelMode = typeof CancelMode.Type

/** Number of tasks by state. `pending` = queued + assigned + running. */
export const TaskCounts = Schema.Struct({
  total: Schema.Int,
  pending: Schema.Int,
  queued: Schema.Int,
  assigned: Schema.Int,
  running: Schema.Int,
  succeeded: Schema.Int,
  failed: Schema.Int,
  cancelled: Schema.Int
})
export type TaskCounts = typeof TaskCounts.Type
