/**
 * The rows of `suites`, `tasks`, `attempts` and `late_results` as changes that are committed with a suite's events.
 *
 * Events speak of thousands of tasks, so every change is set-based: one statement per kind of change and commit, whatever
 * the number of tasks. Kinds that touch different tasks go into the statement that appends the events; when two touch the
 * same task they are run one after the other (`sequential`), since parts of one statement do not see each other's work.
 */
import { Outcome } from "@muster/domain/Task/Attempt"
import type { EndedAttempt, Next } from "@muster/domain/Task/Attempt"
import type { Range, SuiteEvent } from "@muster/domain/Suite/Events"
import { fromIndexes } from "@muster/domain/Suite/RangeList"
import * as State from "@muster/domain/Suite/State"
import type { SuiteState } from "@muster/domain/Suite/State"
import { Phase } from "@muster/domain/Suite/TaskTable"
import type { Versioned } from "../Aggregate.ts"
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

/** Changes of one commit: one writer per kind of change, and which tasks they touch. */
export const writes = (
  state: SuiteState,
  events: ReadonlyArray<Versioned<SuiteEvent>>
): { readonly writes: ReadonlyArray<Write>; readonly sequential: boolean } => {
  if (state._tag === "Missing") return { writes: [], sequential: false }
  const touched: Array<Range> = []
  const found = events.flatMap(({ event, version }) => change(state.id, event, version, touched))
  const sequential = overlaps(touched)
  const tasks = sequential ? found.map((one) => one.write([one.rows])) : merged(found)
  return { writes: [suiteRow(state), ...tasks], sequential }
}

/** Rows of one kind of change, and how to write any number of them at once. */
interface Change {
  readonly kind: string
  readonly rows: ReadonlyArray<unknown>
  readonly write: (rows: ReadonlyArray<ReadonlyArray<unknown>>) => Write
}

const changeOf = <Row>(
  kind: string,
  rows: ReadonlyArray<Row>,
  write: (rows: ReadonlyArray<Row>) => Write
): ReadonlyArray<Change> =>
  rows.length === 0
    ? []
    : [
        {
          kind,
          rows,
          // Only rows of the same kind are put together, and a kind has one type of row.
          write: (all) => write(all.flat() as ReadonlyArray<Row>)
        }
      ]

const merged = (changes: ReadonlyArray<Change>): ReadonlyArray<Write> =>
  [...Map.groupBy(changes, (one) => one.kind).values()].flatMap((same) => {
    const [first] = same
    return first === undefined ? [] : [first.write(same.map((one) => one.rows))]
  })

const overlaps = (ranges: Array<Range>): boolean => {
  const sorted = ranges.toSorted((a, b) => a[0] - b[0])
  return sorted.some(([first], k) => k > 0 && first <= (sorted[k - 1]?.[1] ?? -1))
}

const change = (suiteId: string, event: SuiteEvent, version: number, touched: Array<Range>): ReadonlyArray<Change> => {
  const touch = (ranges: ReadonlyArray<readonly [number, number, ...ReadonlyArray<number>]>) => {
    for (const [first, last] of ranges) touched.push([first, last])
  }
  switch (event._tag) {
    case "TasksSubmitted": {
      const first = event.firstIndex
      touch([[first, first + event.tasks.length - 1]])
      return changeOf(
        "insert",
        event.tasks.map((task, k) => ({
          index: first + k,
          priority: task.priority ?? 0,
          labels: task.labels ?? [],
          version,
          at: event.at
        })),
        insertTasks(suiteId)
      )
    }
    case "TasksLeased":
      touch(event.leases)
      return changeOf(
        "lease",
        event.leases.map(([first, last, attempt]) => ({
          first,
          last,
          attempt,
          manager: event.manager,
          epoch: event.epoch,
          at: event.at
        })),
        leaseTasks(suiteId)
      )
    case "TasksStarted":
      touch(fromIndexes(event.tasks.map(([index]) => index)))
      return changeOf("start", event.tasks, startTasks(suiteId))
    case "AttemptsEnded": {
      touch(fromIndexes(event.attempts.map(({ index }) => index)))
      const rows = event.attempts.map((attempt) => ({ attempt, manager: event.manager, epoch: event.epoch }))
      return [
        ...changeOf("end", rows, endAttempts(suiteId)),
        ...changeOf(
          "keep",
          rows.filter(({ attempt }) => attempt.next === "retry"),
          keepAttempts(suiteId)
        )
      ]
    }
    case "LeasesReturned":
      touch(event.ranges)
      return changeOf("return", event.ranges, returnTasks(suiteId))
    case "TasksCancelled":
      touch(event.ranges)
      return changeOf(
        "cancel",
        event.ranges.map(([first, last]) => ({ first, last, at: event.at })),
        cancelTasks(suiteId)
      )
    case "TaskCancellationRequested":
      touch(event.ranges)
      return changeOf("request-cancel", event.ranges, requestCancel(suiteId))
    case "TasksRequeued":
      touch(event.ranges)
      return [
        ...changeOf("keep-requeued", event.ranges, keepRequeued(suiteId)),
        ...changeOf("requeue", event.ranges, requeueTasks(suiteId))
      ]
    case "LateResultsRecorded":
      return changeOf(
        "late",
        event.attempts.map((attempt, ordinal) => ({
          attempt,
          ordinal,
          manager: event.manager,
          epoch: event.epoch,
          version,
          at: event.at
        })),
        recordLate(suiteId)
      )
    case "SuiteCreated":
    case "SuitePaused":
    case "SuiteResumed":
    case "SuiteClosed":
    case "SuiteCompleted":
    case "SuiteReopened":
    case "SuiteCancelled":
    case "SuiteStopped":
      return []
  }
}

const suiteRow = (state: State.Existing): Write => {
  const counts = State.taskCounts(state)
  return {
    text: `
      insert into suites (id, name, description, tags, labels, priority, workers, max_fails, spec, state, paused,
        total, queued, assigned, running, succeeded, failed, cancelled, created_at, last_submitted_at, completed_at, version)
      values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)
      on conflict (id) do update set state = excluded.state, paused = excluded.paused, total = excluded.total,
        queued = excluded.queued, assigned = excluded.assigned, running = excluded.running,
        succeeded = excluded.succeeded, failed = excluded.failed, cancelled = excluded.cancelled,
        last_submitted_at = excluded.last_submitted_at, completed_at = excluded.completed_at, version = excluded.version`,
    params: [
      state.id,
      Param.text(state.spec.name ?? null),
      Param.text(state.spec.description ?? null),
      Param.texts(state.spec.tags ?? []),
      Param.texts(state.spec.labels ?? []),
      Param.int(state.spec.priority ?? 0),
      Param.int(state.spec.workers ?? null),
      Param.int(state.spec.maxFails ?? null),
      Param.json(state.spec),
      state.state,
      state.paused,
      Param.int(counts.total),
      Param.int(counts.queued),
      Param.int(counts.assigned),
      Param.int(counts.running),
      Param.int(counts.succeeded),
      Param.int(counts.failed),
      Param.int(counts.cancelled),
      Param.timestamp(state.createdAt),
      Param.timestamp(state.tasks.size === 0 ? null : state.lastSubmittedAt),
      Param.timestamp(state.completedAt ?? null),
      Param.int(state.version)
    ]
  }
}

interface Inserted {
  readonly index: number
  readonly priority: number
  readonly labels: ReadonlyArray<string>
  readonly version: number
  readonly at: number
}

/** Tasks without priority and labels, which is most of them, are rows that the database makes by itself from ranges. */
const insertTasks =
  (suiteId: string) =>
  (rows: ReadonlyArray<Inserted>): Write => {
    if (rows.every((row) => row.priority === 0 && row.labels.length === 0)) {
      const ranges = [...Map.groupBy(rows, (row) => row.version).values()].flatMap((same) => {
        const [first] = same
        return first === undefined ? [] : [{ ...first, last: first.index + same.length - 1 }]
      })
      return {
        text: `
          insert into tasks (suite_id, index, state, priority, labels, spec_version, submitted_at)
          select $1, i, 0, 0, '{}', r.version, r.at
          from unnest($2::int[], $3::int[], $4::int[], $5::timestamptz[]) as r(first, last, version, at),
            generate_series(r.first, r.last) as i`,
        params: [
          suiteId,
          Param.ints(ranges.map((range) => range.index)),
          Param.ints(ranges.map((range) => range.last)),
          Param.ints(ranges.map((range) => range.version)),
          Param.timestamps(ranges.map((range) => range.at))
        ]
      }
    }
    return {
      // An array of arrays must be a rectangle, so each task's labels travel as one JSON array.
      text: `
        insert into tasks (suite_id, index, state, priority, labels, spec_version, submitted_at)
        select $1, r.index, 0, r.priority, array(select jsonb_array_elements_text(r.labels)), r.version, r.at
        from unnest($2::int[], $3::int[], $4::jsonb[], $5::int[], $6::timestamptz[])
          as r(index, priority, labels, version, at)`,
      params: [
        suiteId,
        Param.ints(rows.map((row) => row.index)),
        Param.ints(rows.map((row) => row.priority)),
        Param.jsons(rows.map((row) => row.labels)),
        Param.ints(rows.map((row) => row.version)),
        Param.timestamps(rows.map((row) => row.at))
      ]
    }
  }

/**
 * The row of task `r.index`. Each is looked up by its key on its own, or the planner may compare what is changed with every
 * task of the suite. Nobody but the suite's one writer changes these rows, so none moves meanwhile.
 */
const rowOfTask = `t.ctid = (select x.ctid from tasks x where x.suite_id = $1 and x.index = r.index)`

/** What a row holds of an attempt is forgotten when the next one begins. */
const forgetAttempt = `started_at = null, finished_at = null, duration = null, outcome = null, exit_code = null,
  signal = null, stdout = null, stderr = null, stdout_bytes = null, stderr_bytes = null, output = null,
  peak_memory = null, message = null, retry_at = null`

interface Leased {
  readonly first: number
  readonly last: number
  readonly attempt: number
  readonly manager: string
  readonly epoch: number
  readonly at: number
}

const leaseTasks =
  (suiteId: string) =>
  (rows: ReadonlyArray<Leased>): Write => ({
    text: `
      update tasks t set state = 1, attempt = r.attempt, manager = r.manager, epoch = r.epoch, leased_at = r.at,
        ${forgetAttempt}
      from (
        select l.*, index from unnest($2::int[], $3::int[], $4::int[], $5::text[], $6::int[], $7::timestamptz[])
          as l(first, last, attempt, manager, epoch, at), generate_series(l.first, l.last) as index
      ) r
      where ${rowOfTask}`,
    params: [
      suiteId,
      Param.ints(rows.map((row) => row.first)),
      Param.ints(rows.map((row) => row.last)),
      Param.ints(rows.map((row) => row.attempt)),
      Param.texts(rows.map((row) => row.manager)),
      Param.ints(rows.map((row) => Fitting.int(row.epoch))),
      Param.timestamps(rows.map((row) => row.at))
    ]
  })

const startTasks =
  (suiteId: string) =>
  (rows: ReadonlyArray<readonly [index: number, attempt: number, startedAt: number]>): Write => ({
    text: `
      update tasks t set state = 2, started_at = r.at from unnest($2::int[], $3::timestamptz[]) as r(index, at)
      where ${rowOfTask}`,
    params: [
      suiteId,
      Param.ints(rows.map(([index]) => index)),
      Param.timestamps(rows.map(([, , at]) => Fitting.time(at)))
    ]
  })

interface Ended {
  readonly attempt: EndedAttempt
  readonly manager: string
  readonly epoch: number
}

/** Columns that say how an attempt ended, their SQL types and their values. */
const resultColumns: ReadonlyArray<
  readonly [column: string, type: string, values: (attempts: ReadonlyArray<EndedAttempt>) => unknown]
> = [
  ["started_at", "timestamptz", (all) => Param.timestamps(all.map((one) => Fitting.time(one.startedAt)))],
  ["finished_at", "timestamptz", (all) => Param.timestamps(all.map((one) => Fitting.time(one.finishedAt)))],
  ["duration", "real", (all) => Param.reals(all.map((one) => Fitting.real(one.duration)))],
  ["outcome", "smallint", (all) => Param.smallints(all.map((one) => outcomeNumber.get(one.outcome) ?? null))],
  ["exit_code", "int", (all) => Param.ints(all.map((one) => Fitting.int(one.exitCode)))],
  ["signal", "text", (all) => Param.texts(all.map((one) => one.signal ?? null))],
  ["stdout", "text", (all) => Param.texts(all.map((one) => one.stdout ?? null))],
  ["stderr", "text", (all) => Param.texts(all.map((one) => one.stderr ?? null))],
  ["stdout_bytes", "bigint", (all) => Param.bigints(all.map((one) => one.stdoutBytes ?? null))],
  ["stderr_bytes", "bigint", (all) => Param.bigints(all.map((one) => one.stderrBytes ?? null))],
  ["output", "jsonb", (all) => Param.jsons(all.map((one) => one.output ?? null))],
  ["peak_memory", "bigint", (all) => Param.bigints(all.map((one) => one.peakMemory ?? null))],
  ["message", "text", (all) => Param.texts(all.map((one) => one.message ?? null))]
]

const resultNames = resultColumns.map(([column]) => column).join(", ")
/** `$from::type[], …` for the columns above. */
const resultParams = (from: number) => resultColumns.map(([, type], k) => `$${from + k}::${type}[]`).join(", ")
const resultValues = (rows: ReadonlyArray<Ended>) => {
  const attempts = rows.map((row) => row.attempt)
  return resultColumns.map(([, , values]) => values(attempts))
}

const endAttempts =
  (suiteId: string) =>
  (rows: ReadonlyArray<Ended>): Write => ({
    // A lost attempt's start is known to the row, if to anybody: the manager that could tell is gone.
    text: `
      update tasks t set state = r.state, attempt = r.attempt, manager = r.manager, epoch = r.epoch,
        retry_at = r.retry_at, cancel_requested = false, started_at = coalesce(r.started_at, t.started_at),
        ${resultColumns
          .slice(1)
          .map(([column]) => `${column} = r.${column}`)
          .join(", ")}
      from unnest($2::int[], $3::smallint[], $4::int[], $5::text[], $6::int[], $7::timestamptz[], ${resultParams(8)})
        as r(index, state, attempt, manager, epoch, retry_at, ${resultNames})
      where ${rowOfTask}`,
    params: [
      suiteId,
      Param.ints(rows.map(({ attempt }) => attempt.index)),
      Param.smallints(rows.map(({ attempt }) => phaseAfter[attempt.next])),
      Param.ints(rows.map(({ attempt }) => attempt.attempt)),
      Param.texts(rows.map(({ manager }) => manager)),
      Param.ints(rows.map(({ epoch }) => Fitting.int(epoch))),
      Param.timestamps(rows.map(({ attempt }) => attempt.retryAt ?? null)),
      ...resultValues(rows)
    ]
  })

/** An attempt has one row. Only a loss may be followed by the result after all, which then takes its place. */
const unlessKnown = `
  on conflict (suite_id, index, number) do update set (manager, epoch, ${resultNames}) =
    (excluded.manager, excluded.epoch, ${resultColumns.map(([column]) => `excluded.${column}`).join(", ")})
  where attempts.outcome = ${outcomeNumber.get("lost")}`

/** Attempts that are not a task's last go where all of them can be seen side by side. */
const keepAttempts =
  (suiteId: string) =>
  (rows: ReadonlyArray<Ended>): Write => ({
    text: `
      insert into attempts (suite_id, index, number, manager, epoch, ${resultNames})
      select $1, r.index, r.number, r.manager, r.epoch,
        coalesce(r.started_at, (
          select t.started_at from tasks t where t.suite_id = $1 and t.index = r.index and t.attempt = r.number
        )), ${resultColumns
          .slice(1)
          .map(([column]) => `r.${column}`)
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
const returnTasks =
  (suiteId: string) =>
  (ranges: ReadonlyArray<Range>): Write => ({
    text: `
      update tasks t set state = 0, attempt = t.attempt - 1, manager = null, epoch = null, leased_at = null
      from ${inRanges} where ${rowOfTask}`,
    params: rangeParams(suiteId, ranges)
  })

const cancelTasks =
  (suiteId: string) =>
  (rows: ReadonlyArray<{ readonly first: number; readonly last: number; readonly at: number }>): Write => ({
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

const requestCancel =
  (suiteId: string) =>
  (ranges: ReadonlyArray<Range>): Write => ({
    text: `update tasks t set cancel_requested = true from ${inRanges} where ${rowOfTask}`,
    params: rangeParams(suiteId, ranges)
  })

const keepRequeued =
  (suiteId: string) =>
  (ranges: ReadonlyArray<Range>): Write => ({
    text: `
      insert into attempts (suite_id, index, number, manager, epoch, ${resultNames})
      select t.suite_id, t.index, t.attempt, t.manager, t.epoch, ${resultColumns
        .map(([column]) => `t.${column}`)
        .join(", ")}
      from ${inRanges} join tasks t on ${rowOfTask}
      where t.outcome is not null
      ${unlessKnown}`,
    params: rangeParams(suiteId, ranges)
  })

const requeueTasks =
  (suiteId: string) =>
  (ranges: ReadonlyArray<Range>): Write => ({
    text: `
      update tasks t set state = 0, retry_at = null,
        finished_at = case when t.outcome is null then null else t.finished_at end
      from ${inRanges} where ${rowOfTask}`,
    params: rangeParams(suiteId, ranges)
  })

const recordLate =
  (suiteId: string) =>
  (
    rows: ReadonlyArray<{
      readonly attempt: Omit<EndedAttempt, "next" | "retryAt">
      readonly manager: string
      readonly epoch: number
      readonly version: number
      readonly ordinal: number
      readonly at: number
    }>
  ): Write => ({
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
