/**
 * The events that speak of one task, found without reading all of the suite: a million tasks are thousands of events of a
 * thousand tasks each.
 *
 * Leases and what else names ranges is small and is looked through in the database. Starts and ends name tasks one by one,
 * with all that they have written: they are searched only from each lease of the task on, as text, until its end is found.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { Unavailable } from "@muster/domain/Errors"
import { saidOf } from "@muster/domain/Explanation/History"
import type { Noted } from "@muster/domain/Explanation/History"
import type { SuiteEvent } from "@muster/domain/Suite/Events"
import { stream as streamOf } from "@muster/domain/Suite/Id"
import type { SuiteId } from "@muster/domain/Suite/Id"
import * as LogEvent from "../LogEvent.ts"
import * as RecordedRow from "../RecordedRow.ts"
import * as Query from "./Query.ts"

/** Versions that are searched at first; twice as many each time that nothing was found. */
const firstWindow = 64

/** The task as text in events that name tasks one by one: in a row, or by a field. May stand in an output by chance. */
const needles = (index: number) => [`[${index},`, `"index":${index},`]

/** `case`, so that no range is looked for in what holds none. */
const rangesText = `
  select ${RecordedRow.columns} from events
  where stream = $1 and version <= $2 and case type
    when 'TasksLeased' then exists (
      select from json_array_elements(data -> 'leases') r where (r ->> 0)::int <= $3 and (r ->> 1)::int >= $3)
    when 'LeasesReturned' then exists (
      select from json_array_elements(data -> 'ranges') r where (r ->> 0)::int <= $3 and (r ->> 1)::int >= $3)
    when 'TasksCancelled' then exists (
      select from json_array_elements(data -> 'ranges') r where (r ->> 0)::int <= $3 and (r ->> 1)::int >= $3)
    when 'TaskCancellationRequested' then exists (
      select from json_array_elements(data -> 'ranges') r where (r ->> 0)::int <= $3 and (r ->> 1)::int >= $3)
    when 'TasksRequeued' then exists (
      select from json_array_elements(data -> 'ranges') r where (r ->> 0)::int <= $3 and (r ->> 1)::int >= $3)
    when 'LateResultsRecorded' then strpos(data::text, $4) > 0 or strpos(data::text, $5) > 0
    when 'TasksSubmitted' then version = $6
    when 'TasksStarted' then false
    when 'AttemptsEnded' then false
    else true end
  order by version`

const namedText = `
  select ${RecordedRow.columns} from events
  where stream = $1 and version > $2 and version <= $3 and type in ('TasksStarted', 'AttemptsEnded')
    and (strpos(data::text, $4) > 0 or strpos(data::text, $5) > 0)
  order by version`

const toNoted = (row: RecordedRow.RecordedRow): Noted => {
  const { metadata, recordedAt, version, ...recorded } = RecordedRow.toRecorded(row)
  return { event: LogEvent.decode<SuiteEvent>(recorded), version, recordedAt, actor: metadata.actor }
}

/**
 * The events of a suite up to a version that speak of a task, and those of the suite as a whole, in order. `submission` is
 * the version of the event that brought the task.
 */
export const find = Effect.fn("TaskEvents.find")(function* (
  suiteId: SuiteId,
  task: { readonly index: number; readonly submission: number },
  upTo: number
): Effect.fn.Return<ReadonlyArray<Noted>, Unavailable, SqlClient> {
  const sql = yield* SqlClient
  const stream = streamOf(suiteId)
  const { index, submission } = task
  const [row = "", field = ""] = needles(index)
  const ranged = (yield* Query.run<RecordedRow.RecordedRow>(sql, rangesText, [
    stream,
    upTo,
    index,
    row,
    field,
    submission
  ])).map(toNoted)

  /** Starts and ends of a task between two versions; as far as its final end, when there is one. */
  const named = Effect.fnUntraced(function* (after: number, before: number) {
    const found: Array<Noted> = []
    let window = firstWindow
    for (let from = after; from < before; from += window, window *= 2) {
      const to = Math.min(from + window, before)
      const rows = yield* Query.run<RecordedRow.RecordedRow>(sql, namedText, [stream, from, to, row, field])
      const noted = rows.map(toNoted).filter(({ event }) => saidOf(event, index) !== undefined)
      found.push(...noted)
      if (noted.some(({ event }) => isFinal(event, index))) break
    }
    return found
  })

  // Between a lease and the next one (or its being given back) lies what became of it.
  const turns = ranged.filter(({ event }) => event._tag === "TasksLeased" || event._tag === "LeasesReturned")
  const all: Array<Noted> = [...ranged]
  for (const [place, turn] of turns.entries()) {
    if (turn.event._tag !== "TasksLeased") continue
    all.push(...(yield* named(turn.version, turns[place + 1]?.version ?? upTo)))
  }
  return all.toSorted((a, b) => a.version - b.version)
})

/** Whether nothing more comes of the lease: of a lost attempt a result may still come. */
const isFinal = (event: SuiteEvent, index: number): boolean => {
  const said = saidOf(event, index)
  return said?._tag === "Ended" && said.result.outcome !== "lost"
}
