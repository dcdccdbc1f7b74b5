/** Commands that act on several tasks at once: ids may belong to different suites. */
import { Effect } from "effect"
import { Argument } from "effect/cli"
import { parseTaskId } from "@muster/domain/Suite/Id"
import type { SuiteId, TaskId } from "@muster/domain/Suite/Id"
import * as Params from "../../Params.ts"

export const tasks = Params.task.pipe(Argument.atLeast(1))

/** Indexes by suite. */
export const bySuite = (ids: ReadonlyArray<TaskId>): ReadonlyMap<SuiteId, ReadonlyArray<number>> => {
  const suites = new Map<SuiteId, Array<number>>()
  for (const id of ids) {
    const { index, suiteId } = parseTaskId(id)
    const indexes = suites.get(suiteId)
    if (indexes === undefined) suites.set(suiteId, [index])
    else indexes.push(index)
  }
  return suites
}

/** Does something for the tasks of each suite and answers with the sum. */
export const forEachSuite = <E, R>(
  ids: ReadonlyArray<TaskId>,
  act: (suiteId: SuiteId, indexes: ReadonlyArray<number>) => Effect.Effect<number, E, R>
): Effect.Effect<number, E, R> =>
  Effect.map(
    Effect.forEach(bySuite(ids), ([suiteId, indexes]) => act(suiteId, indexes)),
    (counts) => counts.reduce((sum, count) => sum + count, 0)
  )
