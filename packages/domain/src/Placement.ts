/**
 * Who runs what, as a pure function from how things are to what should change, with the reason for everything that
 * should not.
 */
import { Schema } from "effect"
import { Timestamp } from "./Millis.ts"
import { SuiteId } from "./Suite/Id.ts"

/**
 * Why a manager does not get a suite.
 *
 * | reason | meaning |
 * |---|---|
 * | `NotSelected` | the suite names its managers, and this one is not among them |
 * | `TagsMissing` | the manager lacks these tags of the suite |
 * | `Draining` | the manager shall take no more work |
 * | `NotReady` | the manager has not said that it is ready, or is suspected |
 * | `Busy` | the manager has another suite, or is giving this one back |
 * | `GivenBack` | the manager gave the suite back unasked and is not offered it again before `until` |
 * | `NoTaskWaiting` | no task of the suite could be handed out |
 * | `EnoughSlots` | the managers that have the suite can run all of its `pending` tasks at once |
 */
export const Reason = Schema.Union([
  Schema.TaggedStruct("NotSelected", {}),
  Schema.TaggedStruct("TagsMissing", { tags: Schema.Array(Schema.String) }),
  Schema.TaggedStruct("Draining", {}),
  Schema.TaggedStruct("NotReady", {}),
  Schema.TaggedStruct("Busy", { suiteId: SuiteId }),
  Schema.TaggedStruct("GivenBack", { until: Timestamp }),
  Schema.TaggedStruct("NoTaskWaiting", {}),
  Schema.TaggedStruct("EnoughSlots", { slots: Schema.Int, pending: Schema.Int })
])
export type Reason = typeof Reason.Type
