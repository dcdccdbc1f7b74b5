/**
 * What is known of tasks.
 *
 * Tasks that are told apart and plain ones are read side by side and merged by index. An index by state holds all rows but
 * those of tasks that have succeeded. Lists by label, or of succeeded tasks among others, read along the primary key
 * instead: a bounded number of tasks per page, and no more than the suite's counters say there are. A page may therefore be
 * short, even empty, while there is more.
 */
import { Context, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { InvalidInput, Unavailable } from "@muster/domain/Errors"
import type { ManagerId } from "@muster/domain/Manager/Id"
import * as PageLimits from "@muster/domain/Page"
import { SuiteNotFound, TaskNotFound } from "@muster/domain/Suite/Errors"
import { parseTaskId, stream, taskId, TaskIndex } from "@muster/domain/Suite/Id"
import type { SuiteId, TaskId } from "@muster/domain/Suite/Id"
import type { TaskDetail, TaskView } from "@muster/domain/Suite/View"
import { Outcome, TaskState } from "@muster/domain/Task/Attempt"
import type { TaskSpec } from "@muster/domain/Task/Spec"
import * as Param from "../Param.ts"
import * as AttemptRows from "./AttemptRows.ts"
import * as Cursor from "./Cursor.ts"
import * as Query from "./Query.ts"
import * as TaskRows from "./TaskRows.ts"

export interface TaskFilter {
  readonly suiteId: SuiteId
  readonly limit?: number | undefined
  readonly cursor?: string | undefined
  /** Any of these. */
  readonly states?: ReadonlyArray<TaskState> | undefined
  /** All of these. */
  readonly labels?: ReadonlyArray<string> | undefined
}

/** Where an attempt's output is, and what is known of it without asking the machine. */
export interface LogPlace {
  readonly suiteId: SuiteId
  readonly index: number
  readonly attempt: number
  readonly manager: ManagerId | null
  readonly ended: boolean
  /** Its worker told how it ended, and with it what it wrote. */
  readonly reported: boolean
  /** The end of the output. */
  readonly tail: string
  /** Bytes in all when that is more than the tail holds. */
  readonly bytes: number | null
}

export class TaskQueries extends Context.Service<
  TaskQueries,
  {
    /** By index. */
    readonly list: (
      filter: TaskFilter
    ) => Effect.Effect<Query.Page<TaskView>, SuiteNotFound | InvalidInput | Unavailable>
    readonly detail: (id: TaskId) => Effect.Effect<TaskDetail, TaskNotFound | Unavailable>
    /** Nothing when the task has had no attempt, or not this one. */
    readonly logPlace: (
      id: TaskId,
      stream: "stdout" | "stderr",
      attempt: number | undefined
    ) => Effect.Effect<LogPlace | undefined, TaskNotFound | Unavailable>
  }
>()("@muster/server/ReadModels/TaskQueries") {}

/**
 * Tasks that a page by label, or of succeeded tasks, looks at before it is answered, full or not: some 15 ms at most,
 * however large the suite.
 */
export const scanLimit = 40_000

const columns = [
  "suite_id",
  "index",
  "state",
  "attempt",
  "outcome",
  "exit_code",
  "signal",
  "started_at",
  "finished_at",
  "duration",
  "manager",
  "priority",
  "labels",
  "retry_at",
  "cancel_requested",
  "message"
] as const

interface TaskRow {
  readonly suite_id: SuiteId
  readonly index: number
  readonly state: number
  readonly attempt: number
  readonly outcome: number | null
  readonly exit_code: number | null
  readonly signal: string | null
  readonly submitted_at: Date
  readonly started_at: Date | null
  readonly finished_at: Date | null
  readonly duration: number | null
  readonly manager: ManagerId | null
  readonly priority: number
  readonly labels: ReadonlyArray<string>
  readonly retry_at: Date | null
  readonly cancel_requested: boolean
  readonly message: string | null
}

const stateOf = (row: { readonly state: number }): TaskState => TaskState.literals[row.state] ?? "queued"

const toView = (row: TaskRow): TaskView => ({
  id: taskId(row.suite_id, row.index),
  index: row.index,
  state: stateOf(row),
  attempts: row.attempt,
  outcome: AttemptRows.outcomeOf(row.outcome),
  exitCode: row.exit_code,
  signal: row.signal,
  submittedAt: Query.instant(row.submitted_at),
  startedAt: Query.instantOrNull(row.started_at),
  finishedAt: Query.instantOrNull(row.finished_at),
  duration: Query.millisOrNull(row.duration),
  manager: row.manager,
  priority: row.priority,
  labels: row.labels,
  retryAt: Query.instantOrNull(row.retry_at),
  cancelRequested: row.cancel_requested,
  message: row.message
})

/** Index of the last task of the page before. */
const cursors = Cursor.make("tasks", TaskIndex)

/** Tasks with rows along the primary key, of any state or of those in `$4`. */
const byKey = `
  select ${TaskRows.ofRow(columns)} from tasks t
  where t.suite_id = $1 and t.index > $2 and t.index <= $3
    and (cardinality($4::smallint[]) = 0 or t.state = any($4))
    and ${TaskRows.labels} @> $5
  order by t.index limit least($6, s.matching)`

/** Tasks with rows in the states `$4`, none of which is succeeded (3): each state is a stretch of an index. */
const byState = `
  select t.* from unnest($4::smallint[]) as w(state) cross join lateral (
    select ${TaskRows.ofRow(columns)} from tasks t
    where t.suite_id = $1 and t.state = w.state and t.state <> 3 and t.index > $2 and t.index <= $3
      and ${TaskRows.labels} @> $5
    order by t.index limit $6
  ) t`

/**
 * The suite's number of tasks, and the page's tasks beside it (one row without a task if there are none): both as they
 * were at one moment. `matching` is how many tasks of the suite are in the wanted states, so that looking for the last
 * one of them does not go on to the end of the suite; only the first page knows that it has seen none of them yet.
 */
const listText = (rows: string) => `
  select s.total, s.matching, t.*, b.submitted_at
  from (
    select id, total, plain, case when $2 >= 0 or cardinality($4::smallint[]) = 0 then total else
      case when 0 = any($4) then queued else 0 end + case when 1 = any($4) then assigned else 0 end +
      case when 2 = any($4) then running else 0 end + case when 3 = any($4) then succeeded else 0 end +
      case when 4 = any($4) then failed else 0 end + case when 5 = any($4) then cancelled else 0 end
    end as matching
    from suites where id = $1
  ) s left join lateral (
    (${rows})
    union all
    (${TaskRows.plainPage(columns, { window: "$7", wantsQueued: "$8", wantsAssigned: "$9", limit: "$6" })})
    order by index limit $6
  ) t on true left join lateral (${TaskRows.submission("t.index")}) b on true
  order by t.index`

const listByKey = listText(byKey)
const listByState = listText(byState)

type ListRow = { readonly total: number; readonly matching: number } & (TaskRow | { readonly index: null })

const detailText = `
  select t.*, b.submitted_at,
    (select e.data -> 'tasks' -> ($2 - b.first_index) from events e where e.stream = $3 and e.version = b.version) as spec
  from (${TaskRows.one([...columns, ...AttemptRows.resultColumns, "epoch"])}) t
    cross join lateral (${TaskRows.submission("$2")}) b`

type DetailRow = TaskRow & AttemptRows.ResultRow & { readonly epoch: number | null; readonly spec: TaskSpec }

const logPlaceText = (column: "stdout" | "stderr") => `
  select t.attempt as latest, r.number, r.manager, r.outcome, r.tail, r.bytes
  from (${TaskRows.one(["suite_id", "index", "attempt", "manager", "outcome", column, `${column}_bytes`])}) t
  left join lateral (
    select a.number, a.manager, a.outcome, a.${column} as tail, a.${column}_bytes as bytes, 1 as rank
    from attempts a where a.suite_id = t.suite_id and a.index = t.index and a.number = coalesce($3::smallint, t.attempt)
    union all
    select t.attempt, t.manager, t.outcome, t.${column}, t.${column}_bytes, 0
    where t.attempt = coalesce($3::smallint, t.attempt) and t.attempt > 0 and t.manager is not null
    order by rank limit 1
  ) r on true`

/** Outcomes that nobody saw from beginning to end. */
const unreported: ReadonlySet<number> = new Set([Outcome.literals.indexOf("crashed"), Outcome.literals.indexOf("lost")])

interface LogPlaceRow {
  readonly number: number | null
  readonly manager: ManagerId | null
  readonly outcome: number | null
  readonly tail: string | null
  readonly bytes: bigint | null
}

export const make = Effect.gen(function* () {
  const sql = yield* SqlClient

  const list = Effect.fn("TaskQueries.list")(function* (filter: TaskFilter) {
    const limit = filter.limit ?? PageLimits.defaultLimit
    const states = [...new Set(filter.states)].map((state) => TaskState.literals.indexOf(state))
    const labels = filter.labels ?? []
    const after = yield* cursors.decode(filter.cursor, -1)
    const isWanted = (state: TaskState) => states.length === 0 || states.includes(TaskState.literals.indexOf(state))
    const isByState = !isWanted("succeeded")
    const lookAt = labels.length > 0 || (states.length > 0 && !isByState) ? Math.max(scanLimit, limit) : undefined
    // Without a filter the page's tasks stand in a row; by state the index leads to each of them, wherever it is.
    const upTo = lookAt === undefined ? (isByState ? maxIndex : after + limit + 1) : after + lookAt
    const last = Math.min(upTo, maxIndex)
    const rows = yield* Query.run<ListRow>(sql, isByState ? listByState : listByKey, [
      filter.suiteId,
      Param.int(after),
      Param.int(last),
      Param.smallints(states),
      Param.texts(labels),
      Param.int(limit + 1),
      Param.multirange(after < last ? [[after + 1, last]] : []),
      // Plain tasks have no labels.
      labels.length === 0 && isWanted("queued"),
      labels.length === 0 && isWanted("assigned")
    ])
    const [first] = rows
    if (first === undefined) return yield* new SuiteNotFound({ suiteId: filter.suiteId })
    const tasks = rows.filter((row) => row.index !== null)
    const page = Query.pageOf(tasks, limit, toView, (row) => cursors.encode(row.index))
    const isAtEnd = upTo >= first.total - 1 || tasks.length >= first.matching
    return page.nextCursor !== null || isAtEnd ? page : { ...page, nextCursor: cursors.encode(upTo) }
  })

  const detail = Effect.fn("TaskQueries.detail")(function* (id: TaskId) {
    const { index, suiteId } = parseTaskId(id)
    if (index > maxIndex) return yield* new TaskNotFound({ taskId: id })
    const [row] = yield* Query.run<DetailRow>(sql, detailText, [suiteId, index, stream(suiteId)])
    if (row === undefined) return yield* new TaskNotFound({ taskId: id })
    const earlier =
      row.attempt === 0
        ? []
        : yield* Query.run<AttemptRows.AttemptRow>(sql, AttemptRows.earlierText, [suiteId, index, row.attempt])
    const view: TaskDetail = {
      ...toView(row),
      suiteId,
      spec: row.spec,
      attempts: AttemptRows.all(earlier, row),
      stdout: row.stdout ?? "",
      stderr: row.stderr ?? "",
      output: row.output
    }
    return view
  })

  const logPlace = Effect.fn("TaskQueries.logPlace")(function* (
    id: TaskId,
    output: "stdout" | "stderr",
    attempt: number | undefined
  ) {
    const { index, suiteId } = parseTaskId(id)
    if (index > maxIndex) return yield* new TaskNotFound({ taskId: id })
    const [row] = yield* Query.run<LogPlaceRow>(sql, logPlaceText(output), [
      suiteId,
      index,
      Param.smallint(attempt ?? null)
    ])
    if (row === undefined) return yield* new TaskNotFound({ taskId: id })
    if (row.number === null) return undefined
    return {
      suiteId,
      index,
      attempt: row.number,
      manager: row.manager,
      ended: row.outcome !== null,
      reported: row.outcome !== null && !unreported.has(row.outcome),
      tail: row.tail ?? "",
      bytes: row.bytes === null ? null : Number(row.bytes)
    }
  })

  return TaskQueries.of({ list, detail, logPlace })
})

/** The largest index that a task can have: one less than Postgres' largest `int`, which ends the ranges. */
const maxIndex = 2 ** 31 - 2

export const layer: Layer.Layer<TaskQueries, never, SqlClient> = Layer.effect(TaskQueries, make)
