/**
 * Changes of the rows of `tasks`, `attempts` and `late_results`: one statement per kind of change, whatever the number of
 * tasks. A task that is told apart gets its row by a plain insert, complete as far as it is known by then; only what is
 * said of it later is an update.
 */
import { Outcome } from "@muster/domain/Task/Attempt"
import type { AttemptResult, EndedAttempt, Next } from "@muster/domain/Task/Attempt"
import type { Range, SuiteEvent } from "@muster/domain/Suite/Events"
import { Phase } from "@muster/domain/Suite/TaskTable"
import type { Write } from "../EventStore.ts"
import * as Param from "../Param.ts"
import * as Fitting from "./Fitting.ts"

/** Outcomes as rows hold them: their place in the literals. */
const outcomeNumber = new Map(Outcome.literals.map((outcome, number) => [outcome, number]))

const phaseAfter: Record<Next, Phase> = {
  succeeded: Phase.succeeded,
  failed: Phase.failed,
  cancelled: Phase.cancelled,
  retry: Phase.queued
}

/** Tasks that were submitted with a priority or labels. */
export interface Submitted {
  readonly index: number
  readonly priority: number
  readonly labels: ReadonlyArray<string>
}

export const insertSubmitted =
  (suiteId: string) =>
  (rows: ReadonlyArray<Submitted>): Write => ({
    // An array of arrays must be a rectangle, so each task's labels travel as one JSON array.
    text: `
      insert into tasks (suite_id, index, state, priority, labels)
      select $1, r.index, 0, coalesce(r.priority, 0),
        case when r.labels is not null then array(select jsonb_array_elements_text(r.labels)) end
      from unnest($2::int[], $3::int[], $4::jsonb[]) as r(index, priority, labels)`,
    params: [
      suiteId,
      Param.ints(rows.map((row) => row.index)),
      Param.sparse(
        Param.ints,
        rows.map((row) => (row.priority === 0 ? null : row.priority))
      ),
      Param.sparse(
        Param.jsons,
        rows.map((row) => (row.labels.length === 0 ? null : row.labels))
      )
    ]
  })

/** Plain tasks that are told apart before their first attempt has ended. */
export interface ToldApart {
  readonly first: number
  readonly last: number
  readonly state: Phase
  readonly holder: { readonly manager: string; readonly epoch: number } | undefined
  readonly startedAt?: number
  readonly finishedAt?: number
  readonly cancelRequested?: true
}

export const insertToldApart =
  (suiteId: string) =>
  (rows: ReadonlyArray<ToldApart>): Write => ({
    text: `
      insert into tasks (suite_id, index, state, attempt, manager, epoch, started_at, finished_at, cancel_requested)
      select $1, index, r.state, case when r.manager is null then 0 else 1 end, r.manager, r.epoch, r.started_at,
        r.finished_at, coalesce(r.cancel_requested, false)
      from unnest($2::int[], $3::int[], $4::smallint[], $5::text[], $6::int[], $7::timestamptz[], $8::timestamptz[],
          $9::boolean[])
          as r(first, last, state, manager, epoch, started_at, finished_at, cancel_requested),
        generate_series(r.first, r.last) as index`,
    params: [
      suiteId,
      Param.ints(rows.map((row) => row.first)),
      Param.ints(rows.map((row) => row.last)),
      Param.smallints(rows.map((row) => row.state)),
      Param.sparse(
        Param.texts,
        rows.map((row) => row.holder?.manager ?? null)
      ),
      Param.sparse(
        Param.ints,
        rows.map((row) => Fitting.int(row.holder?.epoch))
      ),
      Param.sparse(
        Param.timestamps,
        rows.map((row) => Fitting.time(row.startedAt))
      ),
      Param.sparse(
        Param.timestamps,
        rows.map((row) => row.finishedAt ?? null)
      ),
      Param.sparse(
        Param.booleans,
        rows.map((row) => row.cancelRequested ?? null)
      )
    ]
  })

/**
 * The row of task `r.index`. Each is looked up by its key on its own, or the planner may compare what is changed with every
 * task of the suite. Nobody but the suite's one writer changes these rows, so none moves meanwhile.
 */
const rowOfTask = `t.ctid = (select x.ctid from tasks x where x.suite_id = $1 and x.index = r.index)`

/** What a row holds of an attempt is forgotten when the next one begins. */
const forgetAttempt = `started_at = null, finished_at = null, duration = null, outcome = null, exit_code = null,
  signal = null, stdout = null, stderr = null, stdout_bytes = null, stderr_bytes = null, output = null,
  peak_memory = null, message = null, retry_at = null`

export interface Leased {
  readonly range: Range
  readonly attempt: number
  readonly manager: string
  readonly epoch: number
}

export const leaseTasks =
  (suiteId: string) =>
  (rows: ReadonlyArray<Leased>): Write => ({
    text: `
      update tasks t set state = 1, attempt = r.attempt, manager = r.manager, epoch = r.epoch, ${forgetAttempt}
      from (
        select l.*, index from unnest($2::int[], $3::int[], $4::int[], $5::text[], $6::int[])
          as l(first, last, attempt, manager, epoch), generate_series(l.first, l.last) as index
      ) r
      where ${rowOfTask}`,
    params: [
      suiteId,
      Param.ints(rows.map(({ range: [first] }) => first)),
      Param.ints(rows.map(({ range: [, last] }) => last)),
      Param.ints(rows.map(({ attempt }) => attempt)),
      Param.texts(rows.map((row) => row.manager)),
      Param.ints(rows.map((row) => Fitting.int(row.epoch)))
    ]
  })

export type Started = Extract<SuiteEvent, { readonly _tag: "TasksStarted" }>["tasks"][number]

export const startTasks =
  (suiteId: string) =>
  (rows: ReadonlyArray<Started>): Write => ({
    text: `
      update tasks t set state = 2, started_at = r.at from unnest($2::int[], $3::timestamptz[]) as r(index, at)
      where ${rowOfTask}`,
    params: [
      suiteId,
      Param.ints(rows.map(([index]) => index)),
      Param.timestamps(rows.map(([, , at]) => Fitting.time(at)))
    ]
  })

export interface Ended {
  readonly attempt: EndedAttempt
  readonly manager: string
  readonly epoch: number
}

type Column = (attempts: ReadonlyArray<EndedAttempt>) => unknown

const columnOf =
  <Value>(param: Param.OfArray<Value>, value: (attempt: EndedAttempt) => Value | null | undefined): Column =>
  (attempts) =>
    Param.sparse(
      param,
      attempts.map((attempt) => value(attempt) ?? null)
    )

/** Columns that say how an attempt ended, their SQL types and their values. */
const resultColumns: ReadonlyArray<readonly [name: string, type: string, column: Column]> = [
  ["started_at", "timestamptz", columnOf(Param.timestamps, (one) => Fitting.time(one.startedAt))],
  ["finished_at", "timestamptz", columnOf(Param.timestamps, (one) => Fitting.time(one.finishedAt))],
  ["duration", "real", columnOf(Param.reals, (one) => Fitting.real(one.duration))],
  ["outcome", "smallint", columnOf(Param.smallints, (one) => outcomeNumber.get(one.outcome))],
  ["exit_code", "int", columnOf(Param.ints, (one) => Fitting.int(one.exitCode))],
  ["signal", "text", columnOf(Param.texts, (one) => one.signal)],
  ["stdout", "text", columnOf(Param.texts, (one) => one.stdout)],
  ["stderr", "text", columnOf(Param.texts, (one) => one.stderr)],
  ["stdout_bytes", "bigint", columnOf(Param.bigints, (one) => one.stdoutBytes)],
  ["stderr_bytes", "bigint", columnOf(Param.bigints, (one) => one.stderrBytes)],
  ["output", "jsonb", columnOf(Param.jsons, (one) => one.output)],
  ["peak_memory", "bigint", columnOf(Param.bigints, (one) => one.peakMemory)],
  ["message", "text", columnOf(Param.texts, (one) => one.message)]
]

const resultNames = resultColumns.map(([name]) => name).join(", ")
/** `$from::type[], …` for the columns above. */
const resultParams = (from: number) => resultColumns.map(([, type], k) => `$${from + k}::${type}[]`).join(", ")
const resultValues = (rows: ReadonlyArray<Ended>) => {
  const attempts = rows.map((row) => row.attempt)
  return resultColumns.map(([, , column]) => column(attempts))
}

/** Rows of attempts that ended. What is the same for all of them, as it mostly is, is not sent for each. */
const endedRows = `(
  select e.index, coalesce(e.state, ${Phase.succeeded})::smallint as state, coalesce(e.attempt, 1) as attempt,
    ($2::text[])[coalesce(e.session, 1)] as manager, ($3::int[])[coalesce(e.session, 1)] as epoch, e.retry_at,
    ${resultNames}
  from unnest($4::int[], $5::smallint[], $6::smallint[], $7::int[], $8::timestamptz[], ${resultParams(9)})
    as e(index, state, session, attempt, retry_at, ${resultNames})
) as r`

/** Null for what is usual: the statement knows it. */
const unless = <Value>(usual: Value, value: Value): Value | null => (value === usual ? null : value)

/** The sessions of these rows, and for each row the place of its own from 1 on: null for the first. */
const sessionsOf = (rows: ReadonlyArray<Ended>) => {
  const placeOf = new Map<string, number>()
  const managers: Array<string> = []
  const epochs: Array<number | null> = []
  const places: Array<number | null> = []
  for (const [k, { epoch, manager }] of rows.entries()) {
    const before = rows[k - 1]
    if (before?.manager === manager && before.epoch === epoch) {
      places.push(places[k - 1] ?? null)
      continue
    }
    const key = `${manager} ${epoch}`
    let place = placeOf.get(key)
    if (place === undefined) {
      place = managers.push(manager)
      epochs.push(Fitting.int(epoch))
      placeOf.set(key, place)
    }
    places.push(unless(1, place))
  }
  return { managers, epochs, places }
}

const endedParams = (suiteId: string, rows: ReadonlyArray<Ended>) => {
  const { epochs, managers, places } = sessionsOf(rows)
  return [
    suiteId,
    Param.texts(managers),
    Param.ints(epochs),
    Param.ints(rows.map(({ attempt }) => attempt.index)),
    Param.sparse(
      Param.smallints,
      rows.map(({ attempt }) => unless<Phase>(Phase.succeeded, phaseAfter[attempt.next]))
    ),
    Param.sparse(Param.smallints, places),
    Param.sparse(
      Param.ints,
      rows.map(({ attempt }) => unless(1, attempt.attempt))
    ),
    Param.sparse(
      Param.timestamps,
      rows.map(({ attempt }) => attempt.retryAt ?? null)
    ),
    ...resultValues(rows)
  ]
}

/** First attempts of plain tasks: what most tasks get is this one insert. */
export const insertEnded =
  (suiteId: string) =>
  (rows: ReadonlyArray<Ended>): Write => ({
    text: `
      insert into tasks (suite_id, index, state, attempt, manager, epoch, retry_at, ${resultNames})
      select $1, r.* from ${endedRows}`,
    params: endedParams(suiteId, rows)
  })

export const endAttempts =
  (suiteId: string) =>
  (rows: ReadonlyArray<Ended>): Write => ({
    // A lost attempt's start is known to the row, if to anybody: the manager that could tell is gone.
    text: `
      update tasks t set state = r.state, attempt = r.attempt, manager = r.manager, epoch = r.epoch,
        retry_at = r.retry_at, cancel_requested = false, started_at = coalesce(r.started_at, t.started_at),
        ${resultColumns
          .slice(1)
          .map(([name]) => `${name} = r.${name}`)
          .join(", ")}
      from ${endedRows} where ${rowOfTask}`,
    params: endedParams(suiteId, rows)
  })

/** An attempt has one row. Only a loss may be followed by the result after all, which then takes its place. */
const unlessKnown = `
  on conflict (suite_id, index, number) do update set (manager, epoch, ${resultNames}) =
    (excluded.manager, excluded.epoch, ${resultColumns.map(([name]) => `excluded.${name}`).join(", ")})
  where attempts.outcome = ${outcomeNumber.get("lost")}`

/** Attempts that are not a task's last go where all of them can be seen side by side. */
export const keepAttempts =
  (suiteId: string) =>
  (rows: ReadonlyArray<Ended>): Write => ({
    text: `
      insert into attempts (suite_id, index, number, manager, epoch, ${resultNames})
      select $1, r.index, r.number, r.manager, r.epoch,
        coalesce(r.started_at, (
          select t.started_at from tasks t where t.suite_id = $1 and t.index = r.index and t.attempt = r.number
        )), ${resultColumns
          .slice(1)
          .map(([name]) => `r.${name}`)
          .join(", ")}
      from unnest($2::int[], $3::smallint[], $4::text[], $5::int[], ${resultParams(6)})
        as r(index, number, manager, epoch, ${resultNames})
      ${unlessKnown}`,
    params: [
      suiteId,
      Param.ints(rows.map(({ attempt }) => attempt.index)),
      Param.smallints(rows.map(({ attempt }) => attempt.attempt)),
      Param.texts(rows.map(({ manager }) => manager)),
      Param.ints(rows.map(({ epoch }) => Fitting.int(epoch))),
      ...resultValues(rows)
    ]
  })

const inRanges = `(
    select index from unnest($2::int[], $3::int[]) as l(first, last), generate_series(l.first, l.last) as index
  ) r`

const rangeParams = (suiteId: string, ranges: ReadonlyArray<Range>) => [
  suiteId,
  Param.ints(ranges.map(([first]) => first)),
  Param.ints(ranges.map(([, last]) => last))
]

/** A task that was given back uncounted looks as it did before it was leased. */
export const returnTasks =
  (suiteId: string) =>
  (ranges: ReadonlyArray<Range>): Write => ({
    text: `
      update tasks t set state = 0, attempt = t.attempt - 1, manager = null, epoch = null
      from ${inRanges} where ${rowOfTask}`,
    params: rangeParams(suiteId, ranges)
  })

export interface Cancelled {
  readonly first: number
  readonly last: number
  readonly at: number
}

export const cancelTasks =
  (suiteId: string) =>
  (rows: ReadonlyArray<Cancelled>): Write => ({
    text: `
      update tasks t set state = 5, finished_at = r.at, retry_at = null, cancel_requested = false
      from (
        select l.at, index from unnest($2::int[], $3::int[], $4::timestamptz[]) as l(first, last, at),
          generate_series(l.first, l.last) as index
      ) r
      where ${rowOfTask}`,
    params: [
      suiteId,
      Param.ints(rows.map((row) => row.first)),
      Param.ints(rows.map((row) => row.last)),
      Param.timestamps(rows.map((row) => row.at))
    ]
  })

export const requestCancel =
  (suiteId: string) =>
  (ranges: ReadonlyArray<Range>): Write => ({
    text: `update tasks t set cancel_requested = true from ${inRanges} where ${rowOfTask}`,
    params: rangeParams(suiteId, ranges)
  })

export const keepRequeued =
  (suiteId: string) =>
  (ranges: ReadonlyArray<Range>): Write => ({
    text: `
      insert into attempts (suite_id, index, number, manager, epoch, ${resultNames})
      select t.suite_id, t.index, t.attempt, t.manager, t.epoch, ${resultColumns
        .map(([name]) => `t.${name}`)
        .join(", ")}
      from ${inRanges} join tasks t on ${rowOfTask}
      where t.outcome is not null
      ${unlessKnown}`,
    params: rangeParams(suiteId, ranges)
  })

export const requeueTasks =
  (suiteId: string) =>
  (ranges: ReadonlyArray<Range>): Write => ({
    text: `
      update tasks t set state = 0, retry_at = null,
        finished_at = case when t.outcome is null then null else t.finished_at end
      from ${inRanges} where ${rowOfTask}`,
    params: rangeParams(suiteId, ranges)
  })

export interface Late {
  readonly attempt: AttemptResult
  readonly manager: string
  readonly epoch: number
  readonly version: number
  readonly ordinal: number
  readonly at: number
}

export const recordLate =
  (suiteId: string) =>
  (rows: ReadonlyArray<Late>): Write => ({
    text: `
      insert into late_results (suite_id, version, ordinal, index, attempt, manager, epoch, at, data)
      select $1, r.* from unnest($2::int[], $3::int[], $4::int[], $5::smallint[], $6::text[], $7::int[],
        $8::timestamptz[], $9::jsonb[]) as r`,
    params: [
      suiteId,
      Param.ints(rows.map(({ version }) => version)),
      Param.ints(rows.map(({ ordinal }) => ordinal)),
      Param.ints(rows.map(({ attempt }) => attempt.index)),
      Param.smallints(rows.map(({ attempt }) => attempt.attempt)),
      Param.texts(rows.map(({ manager }) => manager)),
      Param.ints(rows.map(({ epoch }) => Fitting.int(epoch))),
      Param.timestamps(rows.map(({ at }) => at)),
      Param.jsons(rows.map(({ attempt }) => attempt))
    ]
  })
