/**
 * How a suite's tasks were settled, in the order in which that was decided: the events of its stream that settle tasks or
 * put them back, read by version. The order never changes, whatever settles meanwhile.
 */
import { Context, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { Unavailable } from "@muster/domain/Errors"
import { stream } from "@muster/domain/Suite/Id"
import type { SuiteId } from "@muster/domain/Suite/Id"
import type { Range, SuiteEvent } from "@muster/domain/Suite/Events"
import * as LogEvent from "../LogEvent.ts"
import * as Param from "../Param.ts"
import * as RecordedRow from "../RecordedRow.ts"
import * as Query from "./Query.ts"

/** An event that settles tasks, with its place in the stream. */
export interface Settlement {
  readonly version: number
  readonly event: Extract<SuiteEvent, { readonly _tag: "AttemptsEnded" | "TasksCancelled" }>
}

export interface SettlementBatch {
  readonly settlements: ReadonlyArray<Settlement>
  /** All events up to this version were looked at. */
  readonly upTo: number
}

/** Tasks that were put back into the queue: what settled them before is no longer how they ended. */
export interface Requeue {
  readonly version: number
  readonly ranges: ReadonlyArray<Range>
}

export class Settlements extends Context.Service<
  Settlements,
  {
    readonly after: (suiteId: SuiteId, version: number) => Effect.Effect<SettlementBatch, Unavailable>
    /** All that there are now. */
    readonly requeues: (suiteId: SuiteId) => Effect.Effect<ReadonlyArray<Requeue>, Unavailable>
    /** How many attempts each of these tasks has had, by index. */
    readonly attempts: (suiteId: SuiteId, range: Range) => Effect.Effect<ReadonlyMap<number, number>, Unavailable>
  }
>()("@muster/server/ReadModels/Settlements") {}

/** Events that are read at once: each may hold thousands of results with some kilobytes of output. */
const batchSize = 4

const afterText = `
  select s.last, ${RecordedRow.columns}
  from (select coalesce(max(version), 0) as last from events where stream = $1) s left join lateral (
    select * from events
    where stream = $1 and version > $2 and type in ('AttemptsEnded', 'TasksCancelled')
    order by version limit $3
  ) e on true
  order by e.version`

type AfterRow = { readonly last: number } & (RecordedRow.RecordedRow | { readonly version: null })

/** A plain task that is leased is about to have its first attempt. */
const attemptsText = `
  select index, attempt from tasks where suite_id = $1 and index between $2 and $3 and attempt > 0
  union all
  select i, 1 from leases l, unnest(l.tasks * $4::text::int4multirange) as r,
    generate_series(lower(r), upper(r) - 1) as i
  where l.suite_id = $1`

export const make = Effect.gen(function* () {
  const sql = yield* SqlClient

  const after = Effect.fn("Settlements.after")(function* (suiteId: SuiteId, version: number) {
    const rows = yield* Query.run<AfterRow>(sql, afterText, [stream(suiteId), version, batchSize])
    const found = rows.filter((row) => row.version !== null)
    const last = found.length < batchSize ? rows[0]?.last : found.at(-1)?.version
    return {
      settlements: found.map((row) => ({
        version: row.version,
        // The statement asks for these types of events only.
        event: LogEvent.decode<Settlement["event"]>(RecordedRow.toRecorded(row))
      })),
      upTo: Math.max(last ?? version, version)
    }
  })

  const requeues = Effect.fn("Settlements.requeues")((suiteId: SuiteId) =>
    Query.run<Requeue>(
      sql,
      `select version, data -> 'ranges' as ranges from events
       where stream = $1 and type = 'TasksRequeued' order by version`,
      [stream(suiteId)]
    )
  )

  const attempts = Effect.fn("Settlements.attempts")((suiteId: SuiteId, [first, last]: Range) =>
    Effect.map(
      Query.run<{ readonly index: number; readonly attempt: number }>(sql, attemptsText, [
        suiteId,
        first,
        last,
        Param.multirange([[first, last]])
      ]),
      (rows): ReadonlyMap<number, number> => new Map(rows.map(({ attempt, index }) => [index, attempt]))
    )
  )

  return Settlements.of({ after, requeues, attempts })
})

export const layer: Layer.Layer<Settlements, never, SqlClient> = Layer.effect(Settlements, make)
