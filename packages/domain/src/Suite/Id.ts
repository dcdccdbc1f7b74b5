import { Schema } from "effect"
import * as ShortId from "../ShortId.ts"

export const SuiteId = Schema.String.check(
  Schema.isPattern(ShortId.pattern, { expected: "a suite id (16 characters of 0-9 and a-z)" })
).pipe(Schema.brand("SuiteId"))
export type SuiteId = typeof SuiteId.Type

/** Place of a task in its suite, from 0 in the order of submission. */
export const TaskIndex = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 31 - 2 }))

/** `<suite id>.<index>`: a task is found without a look-up. */
export const TaskId = Schema.String.check(
  Schema.isPattern(/^[0-9a-hjkmnp-tv-z]{16}\.(?:0|[1-9]\d{0,9})$/, { expected: "a task id (<suite id>.<index>)" })
).pipe(Schema.brand("TaskId"))
export type TaskId = typeof TaskId.Type

export const taskId = (suite: SuiteId, index: number): TaskId => TaskId.make(`${suite}.${index}`)

export const parseTaskId = (id: TaskId): { readonly suiteId: SuiteId; readonly index: number } => ({
  suiteId: SuiteId.make(id.slice(0, 16)),
  index: Number(id.slice(17))
})

export const stream = (id: SuiteId) => `suite-${id}`
