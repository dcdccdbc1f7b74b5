/**
 * Lists of items and results as they cross the socket between a manager and its worker: nearly all are of one suite, so it
 * is named once, and results are packed (`Task/Packed.ts`). A flood of small tasks is mostly this.
 */
import { Effect, Result, Schema, SchemaIssue, SchemaTransformation } from "effect"
import { SuiteId } from "../Suite/Id.ts"
import type { AttemptResult } from "../Task/Attempt.ts"
import { pack, unpackAll } from "../Task/Packed.ts"
import type { TaskSpec } from "../Task/Spec.ts"

/** A task that the worker shall run now. */
export interface WorkItem {
  readonly suiteId: SuiteId
  readonly index: number
  readonly attempt: number
  readonly spec: TaskSpec
}

/** How an item ended. */
export interface WorkResult {
  readonly suiteId: SuiteId
  readonly result: AttemptResult
}

type Group = readonly [suiteId: SuiteId, parts: unknown]

const isSuiteId = Schema.is(SuiteId)

const isGroup = (value: unknown): value is Group => Array.isArray(value) && value.length === 2 && isSuiteId(value[0])

/**
 * A list that is in JSON a list of suites with what there is of each; neighbours of one suite stand together. By hand and
 * not by a schema of pairs: this is on the way of every single task, where an interpreter's first steps are half of it.
 */
const bySuite = <Item extends { readonly suiteId: SuiteId }>(
  partOf: (item: Item) => unknown,
  itemsOf: (suiteId: SuiteId, parts: unknown) => Result.Result<ReadonlyArray<Item>, SchemaIssue.Issue>
) =>
  Schema.declare((_): _ is ReadonlyArray<Item> => true, {
    toCodecJson: () =>
      Schema.link<ReadonlyArray<Item>>()(
        Schema.Any,
        SchemaTransformation.transformEffect<ReadonlyArray<Item>, unknown>({
          decode: (groups) => Effect.fromResult(decode(groups, itemsOf)),
          encode: (items) => Effect.succeed(encode(items, partOf))
        })
      )
  })

const decode = <Item>(
  groups: unknown,
  itemsOf: (suiteId: SuiteId, parts: unknown) => Result.Result<ReadonlyArray<Item>, SchemaIssue.Issue>
): Result.Result<ReadonlyArray<Item>, SchemaIssue.Issue> => {
  const malformed = new SchemaIssue.InvalidValue({ expected: "suites, each with a list" }, groups)
  if (!Array.isArray(groups)) return Result.fail(malformed)
  const all: Array<Item> = []
  for (const group of groups) {
    if (!isGroup(group)) return Result.fail(malformed)
    const items = itemsOf(group[0], group[1])
    if (Result.isFailure(items)) return items
    for (const item of items.success) all.push(item)
  }
  return Result.succeed(all)
}

const encode = <Item extends { readonly suiteId: SuiteId }>(
  items: ReadonlyArray<Item>,
  partOf: (item: Item) => unknown
): ReadonlyArray<Group> => {
  const groups: Array<readonly [SuiteId, Array<unknown>]> = []
  for (const item of items) {
    const last = groups.at(-1)
    if (last?.[0] === item.suiteId) last[1].push(partOf(item))
    else groups.push([item.suiteId, [partOf(item)]])
  }
  return groups
}

/** The specs pass as they are: they were checked when they were submitted. */
export const WorkItems = bySuite<WorkItem>(
  ({ attempt, index, spec }) => [index, attempt, spec],
  (suiteId, rows) =>
    Result.succeed(
      // Only a manager sends this, to a worker of its own.
      (rows as ReadonlyArray<readonly [index: number, attempt: number, spec: TaskSpec]>).map(
        ([index, attempt, spec]) => ({ suiteId, index, attempt, spec })
      )
    )
)

export const WorkResults = bySuite<WorkResult>(
  ({ result }) => pack(result),
  (suiteId, rows) => Result.map(unpackAll(rows), (results) => results.map((result) => ({ suiteId, result })))
)
