/**
 * The rows of a suite and its tasks as changes that are committed with the suite's events.
 *
 * Events speak of thousands of tasks, so every change is set-based: one statement per kind of change and commit, whatever
 * the number of tasks. Only tasks that are told apart have a row of their own (`domain/Suite/Plain.ts` says which); the
 * others are ranges, which cost next to nothing to write.
 *
 * All goes into the statement that appends the events, unless two changes touch the same row of `tasks`: then they are run
 * one after the other (`sequential`), since parts of one statement do not see each other's work.
 */
import type { Range, SuiteEvent } from "@muster/domain/Suite/Events"
import * as Plain from "@muster/domain/Suite/Plain"
import { ofRanges } from "@muster/domain/Suite/RangeList"
import type { RangeList } from "@muster/domain/Suite/RangeList"
import * as State from "@muster/domain/Suite/State"
import type { SuiteState } from "@muster/domain/Suite/State"
import { Phase } from "@muster/domain/Suite/TaskTable"
import type { RowChanges, Versioned, Writes } from "../Aggregate.ts"
import type { Write } from "../EventStore.ts"
import * as Param from "../Param.ts"
import { LeaseChanges, PlainChanges, runs } from "./PlainRows.ts"
import * as TaskRows from "./TaskRows.ts"

/** Rows of one kind of change, and how to write any number of them at once. */
interface Change {
  readonly kind: string
  readonly rows: ReadonlyArray<unknown>
  readonly write: (suiteId: string) => (rows: ReadonlyArray<unknown>) => Write
}

interface Submission {
  readonly first: number
  readonly last: number
  readonly version: number
  readonly at: number
}

/** Gathers what the events of one commit change. */
class SuiteChanges implements RowChanges<SuiteState, SuiteEvent> {
  private readonly plain = new PlainChanges()
  private readonly leases = new LeaseChanges()
  private readonly submissions: Array<Submission> = []
  private readonly changes: Array<Change> = []
  /** Rows of `tasks`, once for each change that touches them. */
  private readonly touched: Array<Range> = []

  add(before: SuiteState, { event, version }: Versioned<SuiteEvent>): void {
    if (before._tag === "Missing") return
    const plain = Plain.change(before, event)
    const leaving = runs(before, plain.leaving)
    const crowded = runs(before, plain.crowded)
    this.event(before, event, version, ofRanges(plain.leaving))
    this.plain.add(plain.joining)
    this.plain.remove(plain.leaving)
    this.plain.remove(plain.crowded)
    this.leases.release(leaving)
    this.leases.release(crowded)
    this.tellApart(crowded.map(({ holder, ...range }) => ({ ...range, holder, state: stateOf(holder) })))
  }

  writes(after: SuiteState): Writes {
    if (after._tag === "Missing") return { writes: [], sequential: false }
    const sequential = overlaps(this.touched)
    const tasks = sequential ? this.changes.map((one) => one.write(after.id)(one.rows)) : merged(after.id, this.changes)
    return {
      writes: [
        suiteRow(after, this.plain),
        ...(this.submissions.length === 0 ? [] : [insertSubmissions(after.id, this.submissions)]),
        ...this.leases.writes(after.id),
        ...tasks
      ],
      sequential
    }
  }

  private event(before: State.Existing, event: SuiteEvent, version: number, leaving: RangeList): void {
    switch (event._tag) {
      case "TasksSubmitted":
        if (event.firstIndex === before.tasks.size) this.submitted(event, version)
        return
      case "TasksLeased":
        for (const lease of event.leases) this.leases.lease(event, before.plain.within(lease[0], lease[1]))
        return this.change(
          "lease",
          event.leases.flatMap(([first, last, attempt]) =>
            apart(before, [[first, last]]).map(([from, to]) => ({ ...event, lease: [from, to, attempt] as const }))
          ),
          TaskRows.leaseTasks,
          ({ lease: [first, last] }) => [first, last]
        )
      case "TasksStarted":
        this.tellApart(
          event.tasks.flatMap(([index, , startedAt]) =>
            leaving.has(index) ? [{ first: index, last: index, state: Phase.running, holder: event, startedAt }] : []
          )
        )
        return this.change(
          "start",
          event.tasks.filter(([index]) => !before.plain.has(index)),
          TaskRows.startTasks,
          ([index]) => [index, index]
        )
      case "AttemptsEnded":
        return this.ended(event, leaving)
      case "LeasesReturned":
        for (const [first, last] of event.ranges) this.leases.release(runs(before, before.plain.within(first, last)))
        if (event.reason === "manager_lost") this.leases.end(event)
        return this.change("return", apart(before, event.ranges), TaskRows.returnTasks, (range) => range)
      case "TasksCancelled":
        this.tellApart(
          leaving.ranges().map(([first, last]) => ({
            first,
            last,
            state: Phase.cancelled,
            holder: undefined,
            finishedAt: event.at
          }))
        )
        return this.change(
          "cancel",
          apart(before, event.ranges).map(([first, last]) => ({ first, last, at: event.at })),
          TaskRows.cancelTasks,
          ({ first, last }) => [first, last]
        )
      case "TaskCancellationRequested":
        this.tellApart(
          runs(before, leaving.ranges()).map((run) => ({ ...run, state: Phase.assigned, cancelRequested: true }))
        )
        return this.change("request-cancel", apart(before, event.ranges), TaskRows.requestCancel, (range) => range)
      case "TasksRequeued":
        this.change("keep-requeued", event.ranges, TaskRows.keepRequeued)
        return this.change("requeue", event.ranges, TaskRows.requeueTasks, (range) => range)
      case "LateResultsRecorded":
        return this.change(
          "late",
          event.attempts.map((attempt, ordinal) => ({ ...event, attempt, ordinal, version })),
          TaskRows.recordLate
        )
      case "SuiteCompleted":
      case "SuiteStopped":
        return this.leases.endAll()
      case "SuiteCreated":
      case "SuitePaused":
      case "SuiteResumed":
      case "SuiteClosed":
      case "SuiteReopened":
      case "SuiteCancelled":
        return
    }
  }

  private submitted({ at, firstIndex: first, tasks }: Tagged<"TasksSubmitted">, version: number): void {
    this.submissions.push({ first, last: first + tasks.length - 1, version, at })
    this.change(
      "submit",
      tasks.flatMap((task, k) =>
        Plain.isPlain(task) ? [] : [{ index: first + k, priority: task.priority ?? 0, labels: task.labels ?? [] }]
      ),
      TaskRows.insertSubmitted,
      ({ index }) => [index, index]
    )
  }

  private ended({ attempts, epoch, manager }: Tagged<"AttemptsEnded">, leaving: RangeList): void {
    const rows = attempts.map((attempt) => ({ attempt, manager, epoch }))
    const isFirst = ({ attempt: { index } }: TaskRows.Ended) => leaving.has(index)
    const place = ({ attempt: { index } }: TaskRows.Ended): Range => [index, index]
    this.change("end-first", rows.filter(isFirst), TaskRows.insertEnded, place)
    this.change(
      "end",
      rows.filter((row) => !isFirst(row)),
      TaskRows.endAttempts,
      place
    )
    this.change(
      "keep",
      rows.filter(({ attempt }) => attempt.next === "retry"),
      TaskRows.keepAttempts
    )
  }

  private tellApart(rows: ReadonlyArray<TaskRows.ToldApart>): void {
    this.change("tell-apart", rows, TaskRows.insertToldApart, ({ first, last }) => [first, last])
  }

  /** `place` names the rows of `tasks` that are touched. */
  private change<Row>(
    kind: string,
    rows: ReadonlyArray<Row>,
    write: (suiteId: string) => (rows: ReadonlyArray<Row>) => Write,
    place?: (row: Row) => Range
  ): void {
    if (rows.length === 0) return
    // Only rows of the same kind are put together, and a kind has one type of row.
    this.changes.push({ kind, rows, write: (suiteId) => (all) => write(suiteId)(all as ReadonlyArray<Row>) })
    if (place !== undefined) this.touched.push(...joined(rows.map(place)))
  }
}

type Tagged<Tag extends SuiteEvent["_tag"]> = Extract<SuiteEvent, { readonly _tag: Tag }>

/** What of these ranges is told apart already, and so has rows. */
const apart = ({ plain }: State.Existing, ranges: ReadonlyArray<Range>): ReadonlyArray<Range> => {
  const rest = ofRanges(ranges)
  for (const range of ranges) for (const [first, last] of plain.within(...range)) rest.remove(first, last)
  return rest.ranges()
}

const stateOf = (holder: unknown): Phase => (holder === undefined ? Phase.queued : Phase.assigned)

/** Neighbours as one range, whatever their order: an event speaks of a task once. */
const joined = (ranges: ReadonlyArray<Range>): ReadonlyArray<Range> => ofRanges(ranges).ranges()

const merged = (suiteId: string, changes: ReadonlyArray<Change>): ReadonlyArray<Write> =>
  [...Map.groupBy(changes, (one) => one.kind).values()].flatMap((same) => {
    const [first] = same
    return first === undefined ? [] : [first.write(suiteId)(same.flatMap((one) => one.rows))]
  })

const overlaps = (ranges: ReadonlyArray<Range>): boolean => {
  const sorted = ranges.toSorted((a, b) => a[0] - b[0])
  return sorted.some(([first], k) => k > 0 && first <= (sorted[k - 1]?.[1] ?? -1))
}

export const rows = (): RowChanges<SuiteState, SuiteEvent> => new SuiteChanges()

const suiteRow = (state: State.Existing, plain: PlainChanges): Write => {
  const counts = State.taskCounts(state)
  return {
    text: `
      insert into suites (id, name, description, tags, labels, priority, workers, max_fails, spec, state, paused,
        total, queued, assigned, running, succeeded, failed, cancelled, created_at, last_submitted_at, completed_at, version,
        plain)
      values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
        $23::text::int4multirange)
      on conflict (id) do update set state = excluded.state, paused = excluded.paused, total = excluded.total,
        queued = excluded.queued, assigned = excluded.assigned, running = excluded.running,
        succeeded = excluded.succeeded, failed = excluded.failed, cancelled = excluded.cancelled,
        last_submitted_at = excluded.last_submitted_at, completed_at = excluded.completed_at, version = excluded.version,
        plain = (suites.plain - $24::text::int4multirange) + excluded.plain`,
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
      Param.int(state.version),
      Param.multirange(plain.came.ranges()),
      Param.multirange(plain.gone.ranges())
    ]
  }
}

const insertSubmissions = (suiteId: string, submissions: ReadonlyArray<Submission>): Write => ({
  text: `
    insert into submissions (suite_id, first_index, last_index, version, submitted_at)
    select $1, r.* from unnest($2::int[], $3::int[], $4::int[], $5::timestamptz[]) as r`,
  params: [
    suiteId,
    Param.ints(submissions.map(({ first }) => first)),
    Param.ints(submissions.map(({ last }) => last)),
    Param.ints(submissions.map(({ version }) => version)),
    Param.timestamps(submissions.map(({ at }) => at))
  ]
})
