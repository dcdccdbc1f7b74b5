/**
 * Plain tasks: those of which all there is to say was said by the submission they came with and the lease that they may be
 * under. A million of them are one range, whether in memory or in the database. A task is told apart, for good, as soon as
 * something is to be said of it alone: it has a priority or labels of its own, or it began, ended, was cancelled or asked
 * to be cancelled. It then gets a row of its own.
 *
 * A plain task is queued or assigned, and has had no attempt; if it is assigned, then for its first one.
 */
import type { TaskSpec } from "../Task/Spec.ts"
import type { Range, SuiteEvent } from "./Events.ts"
import { RangeList, fromIndexes, ofRanges } from "./RangeList.ts"
import type { Existing } from "./State.ts"
import { Phase } from "./TaskTable.ts"

/**
 * In how many ranges the plain tasks of a suite may lie. Tasks are leased in order, so there are mostly a few dozen; but
 * somebody may cancel every other one of a million, or give labels to them.
 */
export const mostRanges = 1_000

/** What an event does to the plain tasks. */
export interface Change {
  /** Tasks that were submitted without anything of their own. */
  readonly joining: ReadonlyArray<Range>
  /** Plain tasks of which the event says something. */
  readonly leaving: ReadonlyArray<Range>
  /**
   * Plain tasks of which it says nothing, or only that they were submitted, but which would lie in too many ranges: told
   * apart as they stand. Some may have joined just now.
   */
  readonly crowded: ReadonlyArray<Range>
}

const nothing: Change = { joining: [], leaving: [], crowded: [] }

/** What an event will do to the plain tasks of a suite that it has not happened to yet. */
export const change = (state: Existing, event: SuiteEvent): Change => {
  const { plain, tasks } = state
  switch (event._tag) {
    case "TasksSubmitted":
      return event.firstIndex === tasks.size ? changed(plain, plainOf(event), []) : nothing
    case "TasksStarted":
      return changed(
        plain,
        [],
        plainOnes(
          state,
          event.tasks.map(([index]) => index),
          Phase.assigned
        )
      )
    case "AttemptsEnded":
      return changed(
        plain,
        [],
        plainOnes(
          state,
          event.attempts.map(({ index }) => index)
        )
      )
    case "TasksCancelled":
      return changed(plain, [], inPhase(state, event.ranges, Phase.queued))
    case "TaskCancellationRequested":
      return changed(plain, [], inPhase(state, event.ranges, Phase.assigned))
    case "SuiteCreated":
    case "TasksLeased":
    case "LeasesReturned":
    case "LateResultsRecorded":
    case "TasksRequeued":
    case "SuitePaused":
    case "SuiteResumed":
    case "SuiteClosed":
    case "SuiteCompleted":
    case "SuiteReopened":
    case "SuiteCancelled":
    case "SuiteStopped":
      return nothing
  }
}

/** Makes a change that was found before its event happened. */
export const apply = (state: Existing, { crowded, joining, leaving }: Change): void => {
  const { plain } = state
  for (const [first, last] of joining) plain.add(first, last)
  for (const [first, last] of leaving) plain.remove(first, last)
  if (crowded.length === 0) return
  // Whole ranges, and maybe very many of them.
  const gone = new Set(crowded.map(([first]) => first))
  state.plain = ofRanges(plain.ranges().filter(([first]) => !gone.has(first)))
}

const changed = (plain: RangeList, joining: ReadonlyArray<Range>, leaving: ReadonlyArray<Range>): Change => ({
  joining,
  leaving,
  crowded: crowded(plain, joining, leaving)
})

/** The shortest ranges of those that will be too many: so the fewest tasks are told apart for it. */
const crowded = (
  plain: RangeList,
  joining: ReadonlyArray<Range>,
  leaving: ReadonlyArray<Range>
): ReadonlyArray<Range> => {
  // Each range that comes or goes makes one more at most. Mostly this is all that has to be looked at.
  if (plain.count + joining.length + leaving.length <= mostRanges) return []
  const rest = ofRanges(plain.ranges())
  for (const [first, last] of joining) rest.add(first, last)
  for (const [first, last] of leaving) rest.remove(first, last)
  const tooMany = rest.count - mostRanges
  if (tooMany <= 0) return []
  return rest
    .ranges()
    .toSorted((a, b) => a[1] - a[0] - (b[1] - b[0]) || a[0] - b[0])
    .slice(0, tooMany)
}

/** The plain ones among tasks, if they are in a phase. */
const plainOnes = ({ plain, tasks }: Existing, indexes: ReadonlyArray<number>, phase?: Phase): ReadonlyArray<Range> =>
  fromIndexes(indexes.filter((index) => plain.has(index) && (phase === undefined || tasks.phaseOf(index) === phase)))

/** The plain ones among tasks that are submitted. */
const plainOf = ({
  firstIndex,
  tasks
}: Extract<SuiteEvent, { readonly _tag: "TasksSubmitted" }>): ReadonlyArray<Range> => {
  const found = new RangeList()
  let first = 0
  for (const [k, task] of tasks.entries()) {
    if (isPlain(task)) continue
    found.add(firstIndex + first, firstIndex + k - 1)
    first = k + 1
  }
  found.add(firstIndex + first, firstIndex + tasks.length - 1)
  return found.ranges()
}

/** Whether a task is plain when it is submitted. How often it is tried again is no matter of rows. */
const isPlain = ({ labels, priority }: TaskSpec): boolean => (priority ?? 0) === 0 && (labels?.length ?? 0) === 0

/** The plain ones among ranges of tasks that are in a phase. */
const inPhase = ({ plain, tasks }: Existing, ranges: ReadonlyArray<Range>, phase: Phase): ReadonlyArray<Range> => {
  const found = new RangeList()
  for (const range of ranges) {
    for (const [first, last] of plain.within(...range)) {
      for (let start = first; start <= last; start++) {
        if (tasks.phase[start] !== phase) continue
        let end = start
        while (end < last && tasks.phase[end + 1] === phase) end++
        found.add(start, end)
        start = end
      }
    }
  }
  return found.ranges()
}
