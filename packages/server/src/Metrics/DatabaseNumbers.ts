/**
 * What the database knows of the whole cluster: tasks, suites and managers by state.
 */
import { Duration, Effect } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import { ManagerState } from "@muster/domain/Manager/Spec"
import { SuiteState } from "@muster/domain/Suite/Spec"
import { TaskState } from "@muster/domain/Task/Attempt"
import * as Query from "../ReadModels/Query.ts"

export interface DatabaseNumbers {
  readonly up: boolean
  readonly tasks: ReadonlyMap<string, number>
  readonly suites: ReadonlyMap<string, number>
  readonly managers: ReadonlyMap<string, number>
}

/** What is told while the database cannot be asked: no number at all instead of an old one. */
export const unknown: DatabaseNumbers = { up: false, tasks: new Map(), suites: new Map(), managers: new Map() }

/** How long an answer is told again: several scrapers cost no more than one. */
const freshFor = Duration.seconds(2)

/** How long the database may take before it counts as away. */
const patience = Duration.seconds(2)

const text = `
  select 'tasks' as kind, v.state, v.number
  from (
    select sum(queued) as queued, sum(assigned) as assigned, sum(running) as running, sum(succeeded) as succeeded,
      sum(failed) as failed, sum(cancelled) as cancelled
    from suites
  ) s, lateral (values ('queued', s.queued), ('assigned', s.assigned), ('running', s.running),
    ('succeeded', s.succeeded), ('failed', s.failed), ('cancelled', s.cancelled)) as v(state, number)
  union all
  select 'suites', state, count(*) from suites group by state
  union all
  select 'managers', state, count(*) from managers group by state`

interface Row {
  readonly kind: "tasks" | "suites" | "managers"
  readonly state: string
  readonly number: bigint | null
}

/** Every state has a number, so that a graph does not end where a state empties. */
const numbers = (rows: ReadonlyArray<Row>, kind: Row["kind"], states: ReadonlyArray<string>) => {
  const found = new Map(rows.filter((row) => row.kind === kind).map((row) => [row.state, Number(row.number ?? 0)]))
  return new Map(states.map((state) => [state, found.get(state) ?? 0]))
}

/** Asks the database, at most every two seconds. */
export const make = (sql: SqlClient): Effect.Effect<Effect.Effect<DatabaseNumbers>> =>
  Query.run<Row>(sql, text, []).pipe(
    Effect.map((rows) => ({
      up: true,
      tasks: numbers(rows, "tasks", TaskState.literals),
      suites: numbers(rows, "suites", SuiteState.literals),
      managers: numbers(rows, "managers", ManagerState.literals)
    })),
    Effect.timeoutOrElse({ duration: patience, orElse: () => Effect.succeed(unknown) }),
    Effect.catchTag("Unavailable", () => Effect.succeed(unknown)),
    Effect.cachedWithTTL(freshFor)
  )
