import { Schema } from "effect"
import { Name, Tags, Text } from "../Text.ts"
import { TaskDefaults } from "../Task/Spec.ts"

/** What a user gives to create a suite. */
export const SuiteSpec = Schema.Struct({
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
  /** What tasks inherit. */
  defaults: Schema.optionalKey(TaskDefaults)
})
export type SuiteSpec = typeof SuiteSpec.Type

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
