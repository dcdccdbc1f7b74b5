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
import { fromIndexes, ofRanges, without } from "@muster/domain/Suite/RangeList"
import type { RangeList } from "@muster/domain/Suite/RangeList"
import * as State from "@muster/domain/Suite/State"
import type { SuiteState } from "@muster/domain/Suite/State"
import { Phase } from "@muster/domain/Suite/TaskTable"
import type { RowChanges, Versioned, Writes } from "../Aggregate.ts"
import type { Write } from "../EventStore.ts"
import * as Param from "../Param.ts"
import { LeaseChanges, PlainChanges, runs } from "./PlainRows.ts"
import type { Run } from "./PlainRows.ts"
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
    this.event(before, event, version, plain)
    this.plain.add(plain.joining)
    for (const ranges of [plain.leaving, plain.crowded]) {
      this.plain.remove(ranges)
      this.leases.release(runs(before, ranges))
    }
    this.tellApart(runs(before, plain.crowded).map((run) => ({ ...run, state: stateOf(run) })))
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

  private event(before: State.Existing, event: SuiteEvent, version: number, { joining, leaving }: Plain.Change): void {
    switch (event._tag) {
      case "TasksSubmitted":
        if (event.firstIndex === before.tasks.size) this.submitted(event, version, joining)
        return
      case "TasksLeased":
        for (const [first, last] of event.leases) this.leases.lease(event, before.plain.within(first, last))
        return this.leasedAgain(before, event)
      case "TasksStarted":
        return this.started(before, event, ofRanges(leaving))
      case "AttemptsEnded":
        return this.ended(event, leaving)
      case "LeasesReturned":
        for (const [first, last] of event.ranges) this.leases.release(runs(before, before.plain.within(first, last)))
        if (event.reason === "manager_lost") this.leases.end(event)
        return this.changeRanges("return", apart(before, event.ranges), TaskRows.returnTasks)
      case "TasksCancelled":
        return this.cancelled(before, event, leaving)
      case "TaskCancellationRequested":
        this.tellApart(runs(before, leaving).map((run) => ({ ...run, state: Phase.assigned, cancelRequested: true })))
        return this.changeRanges("request-cancel", apart(before, event.ranges), TaskRows.requestCancel)
      case "TasksRequeued":
        this.change("keep-requeued", event.ranges, TaskRows.keepRequeued)
        return this.changeRanges("requeue", event.ranges, TaskRows.requeueTasks)
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

  private submitted(
    { at, firstIndex: first, tasks }: Tagged<"TasksSubmitted">,
    version: number,
    joining: ReadonlyArray<Range>
  ): void {
    const last = first + tasks.length - 1
    this.submissions.push({ first, last, version, at })
    const apart = without([[first, last]], joining)
    const rows: Array<TaskRows.Submitted> = []
    for (const [from, to] of apart) {
      for (let index = from; index <= to; index++) {
        const { labels = [], priority = 0 } = tasks[index - first] ?? {}
        rows.push({ index, priority, labels })
      }
    }
    this.change("submit", rows, TaskRows.insertSubmitted, apart)
  }

  private leasedAgain(before: State.Existing, { epoch, leases, manager }: Tagged<"TasksLeased">): void {
    const rows = leases.flatMap(([first, last, attempt]) =>
      apart(before, [[first, last]]).map((range) => ({ range, attempt, manager, epoch }))
    )
    this.change(
      "lease",
      rows,
      TaskRows.leaseTasks,
      rows.map(({ range }) => range)
    )
  }

  private started(before: State.Existing, { epoch, manager, tasks }: Tagged<"TasksStarted">, leaving: RangeList): void {
    const holder = { manager, epoch }
    const first = tasks.filter(([index]) => leaving.has(index))
    const known = tasks.filter(([index]) => !before.plain.has(index))
    this.tellApart(
      first.map(([index, , startedAt]) => ({ first: index, last: index, state: Phase.running, holder, startedAt }))
    )
    this.change("start", known, TaskRows.startTasks, fromIndexes(known.map(([index]) => index)))
  }

  private ended({ attempts, epoch, manager }: Tagged<"AttemptsEnded">, leaving: ReadonlyArray<Range>): void {
    const plain = ofRanges(leaving)
    const first: Array<TaskRows.Ended> = []
    const known: Array<TaskRows.Ended> = []
    for (const attempt of attempts) (plain.has(attempt.index) ? first : known).push({ attempt, manager, epoch })
    this.change("end-first", first, TaskRows.insertEnded, leaving)
    this.change("end", known, TaskRows.endAttempts, fromIndexes(known.map(({ attempt }) => attempt.index)))
    const retried = attempts.filter(({ next }) => next === "retry").map((attempt) => ({ attempt, manager, epoch }))
    this.change("keep", retried, TaskRows.keepAttempts)
  }

  private cancelled(
    before: State.Existing,
    { at, ranges }: Tagged<"TasksCancelled">,
    leaving: ReadonlyArray<Range>
  ): void {
    this.tellApart(
      leaving.map(([first, last]) => ({ first, last, state: Phase.cancelled, holder: undefined, finishedAt: at }))
    )
    const known = apart(before, ranges)
    this.change(
      "cancel",
      known.map(([first, last]) => ({ first, last, at })),
      TaskRows.cancelTasks,
      known
    )
  }

  private tellApart(rows: ReadonlyArray<TaskRows.ToldApart>): void {
    this.change(
      "tell-apart",
      rows,
      TaskRows.insertToldApart,
      rows.map(({ first, last }) => [first, last])
    )
  }

  private changeRanges(
    kind: string,
    ranges: ReadonlyArray<Range>,
    write: (suiteId: string) => (ranges: ReadonlyArray<Range>) => Write
  ): void {
    this.change(kind, ranges, write, ranges)
  }

  /** `touched`: which rows of `tasks` it changes. */
  private change<Row>(
    kind: string,
    rows: ReadonlyArray<Row>,
    write: (suiteId: string) => (rows: ReadonlyArray<Row>) => Write,
    touched: ReadonlyArray<Range> = []
  ): void {
    if (rows.length === 0) return
    // Only rows of the same kind are put together, and a kind has one type of row.
    this.changes.push({ kind, rows, write: (suiteId) => (all) => write(suiteId)(all as ReadonlyArray<Row>) })
    for (const range of touched) this.touched.push(range)
  }
}

type Tagged<Tag extends SuiteEvent["_tag"]> = Extract<SuiteEvent, { readonly _tag: Tag }>

/** What of these ranges is told apart already, and so has rows. */
const apart = ({ plain }: State.Existing, ranges: ReadonlyArray<Range>): ReadonlyArray<Range> =>
  ranges.flatMap((range) => without([range], plain.within(...range)))

const stateOf = ({ holder }: Run): Phase => (holder === undefined ? Phase.queued : Phase.assigned)

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
      Param.multirange(plain.came()),
      Param.multirange(plain.gone())
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
