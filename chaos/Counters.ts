/**
 * Whether a suite's counters are what its tasks are, by three accounts: the suite's row, the rows of its tasks, and the log.
 */
import { Effect, Stream } from "effect"
import type { MusterClient } from "@muster/client/MusterClient"
import { SuiteId } from "@muster/domain/Suite/Id"
import * as Log from "./Log.ts"

/** What is different, in one line. */
export const differences = (
  suite: Pick<Log.Suite, "id" | "name">,
  accounts: Readonly<Record<string, Readonly<Record<string, number>>>>
): ReadonlyArray<string> => {
  const [[, first] = ["", {}]] = Object.entries(accounts)
  const isSame = (counts: Readonly<Record<string, number>>) =>
    Object.keys(first).every((state) => counts[state] === first[state])
  if (Object.values(accounts).every(isSame)) return []
  const said = Object.entries(accounts).map(([who, counts]) => `${who} ${JSON.stringify(counts)}`)
  return [`counters: suite ${suite.id} (${suite.name}): ${said.join(", ")}`]
}

export const compare = Effect.fnUntraced(function* (client: MusterClient["Service"], suite: Log.Suite) {
  const id = SuiteId.make(suite.id)
  const { tasks: counters } = yield* client.getSuite(id)
  const tasks = yield* Stream.runCollect(client.listTasks({ suiteId: id }))
  const rows = { total: tasks.length, queued: 0, assigned: 0, running: 0, succeeded: 0, failed: 0, cancelled: 0 }
  for (const { state } of tasks) rows[state] += 1
  return differences(suite, { rows, counters, log: Log.counts(suite) })
})
