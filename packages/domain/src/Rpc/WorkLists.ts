/**
 * Lists of items and results as they cross the socket between a manager and its worker: nearly all are of one suite, so it
 * is named once, and results are packed (`Task/Packed.ts`). A flood of small tasks is mostly this.
 */
import { Schema, SchemaTransformation } from "effect"
import { SuiteId } from "../Suite/Id.ts"
import type { AttemptResult } from "../Task/Attempt.ts"
import { AttemptResults } from "../Task/Packed.ts"
import type { TaskSpec } from "../Task/Spec.ts"
import { trusted } from "./Trusted.ts"

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

/** A list that is in JSON a list of suites with what there is of each; neighbours of one suite stand together. */
const bySuite = <Item extends { readonly suiteId: SuiteId }, Part>(
  Parts: Schema.Codec<ReadonlyArray<Part>, unknown>,
  partOf: (item: Item) => Part,
  itemOf: (suiteId: SuiteId, part: Part) => Item
) =>
  Schema.declare((_): _ is ReadonlyArray<Item> => true, {
    toCodecJson: () =>
      Schema.link<ReadonlyArray<Item>>()(
        Schema.Array(Schema.Tuple([SuiteId, Parts])),
        SchemaTransformation.transform<ReadonlyArray<Item>, ReadonlyArray<readonly [SuiteId, ReadonlyArray<Part>]>>({
          decode: (groups) => groups.flatMap(([suiteId, parts]) => parts.map((part) => itemOf(suiteId, part))),
          encode: (items) => {
            const groups: Array<readonly [SuiteId, Array<Part>]> = []
            for (const item of items) {
              const last = groups.at(-1)
              if (last?.[0] === item.suiteId) last[1].push(partOf(item))
              else groups.push([item.suiteId, [partOf(item)]])
            }
            return groups
          }
        })
      )
  })

type Row = readonly [index: number, attempt: number, spec: TaskSpec]

/** The specs pass as they are: they were checked when they were submitted. */
export const WorkItems = bySuite<WorkItem, Row>(
  trusted<ReadonlyArray<Row>>(),
  ({ attempt, index, spec }) => [index, attempt, spec],
  (suiteId, [index, attempt, spec]) => ({ suiteId, index, attempt, spec })
)

export const WorkResults = bySuite<WorkResult, AttemptResult>(
  AttemptResults,
  ({ result }) => result,
  (suiteId, result) => ({ suiteId, result })
)
