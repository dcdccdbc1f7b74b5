/**
 * What is known of suites.
 */
import { Context, Effect, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { InvalidInput, Unavailable } from "@muster/domain/Errors"
import { SuiteNotFound } from "@muster/domain/Suite/Errors"
import type { ManagerId } from "@muster/domain/Manager/Id"
import * as PageLimits from "@muster/domain/Page"
import { SuiteId } from "@muster/domain/Suite/Id"
import type { SuiteSpec, SuiteState } from "@muster/domain/Suite/Spec"
import type { SuiteDetail, SuiteView } from "@muster/domain/Suite/View"
import * as Param from "../Param.ts"
import * as Cursor from "./Cursor.ts"
import * as Query from "./Query.ts"

export interface SuiteFilter {
  readonly limit?: number | undefined
  readonly cursor?: string | undefined
  /** Any of these. */
  readonly states?: ReadonlyArray<SuiteState> | undefined
  /** Part of the name, in any case. */
  readonly name?: string | undefined
  /** All of these. */
  readonly labels?: ReadonlyArray<string> | undefined
  /** All of these. */
  readonly tags?: ReadonlyArray<string> | undefined
}

export class SuiteQueries extends Context.Service<
  SuiteQueries,
  {
    readonly get: (suiteId: SuiteId) => Effect.Effect<SuiteView, SuiteNotFound | Unavailable>
    /** With all that it was created with, and the managers that run it now. */
    readonly detail: (suiteId: SuiteId) => Effect.Effect<SuiteDetail, SuiteNotFound | Unavailable>
    /** Newest first. */
    readonly list: (filter: SuiteFilter) => Effect.Effect<Query.Page<SuiteView>, InvalidInput | Unavailable>
  }
>()("@muster/server/ReadModels/SuiteQueries") {}

const columns = `s.id, s.name, s.description, s.tags, s.labels, s.priority, s.workers, s.max_fails, s.state, s.paused,
  s.total, s.queued, s.assigned, s.running, s.succeeded, s.failed, s.cancelled, s.created_at, s.last_submitted_at,
  s.completed_at, s.version`

interface SuiteRow {
  readonly id: SuiteId
  readonly name: string | null
  readonly description: string | null
  readonly tags: ReadonlyArray<string>
  readonly labels: ReadonlyArray<string>
  readonly priority: number
  readonly workers: number | null
  readonly max_fails: number | null
  readonly state: SuiteState
  readonly paused: boolean
  readonly total: number
  readonly queued: number
  readonly assigned: number
  readonly running: number
  readonly succeeded: number
  readonly failed: number
  readonly cancelled: number
  readonly created_at: Date
  readonly last_submitted_at: Date | null
  readonly completed_at: Date | null
  readonly version: number
}

const toView = (row: SuiteRow): SuiteView => ({
  id: row.id,
  name: row.name,
  description: row.description,
  tags: row.tags,
  labels: row.labels,
  priority: row.priority,
  workers: row.workers,
  maxFails: row.max_fails,
  state: row.state,
  paused: row.paused,
  tasks: {
    total: row.total,
    pending: row.queued + row.assigned + row.running,
    queued: row.queued,
    assigned: row.assigned,
    running: row.running,
    succeeded: row.succeeded,
    failed: row.failed,
    cancelled: row.cancelled
  },
  createdAt: Query.instant(row.created_at),
  lastSubmittedAt: Query.instantOrNull(row.last_submitted_at),
  completedAt: Query.instantOrNull(row.completed_at),
  version: row.version
})

/** Microseconds since 1970 as text, and the id: the time exactly as it stands in the row. */
const cursors = Cursor.make(
  "suites",
  Schema.Tuple([Schema.String.check(Schema.isPattern(/^\d{1,18}$/)), Schema.Union([SuiteId, Schema.Literal("")])])
)

/** Later than any suite: some 30,000 years from now. */
const beforeNewest = ["999999999999999999", ""] as const

/**
 * Only the conditions that are asked for: with all of them in every statement the planner expects next to no rows and
 * sorts the whole table for a page. There are as many texts as combinations of filters, so each is still prepared once.
 */
const listText = (filter: SuiteFilter): string => `
  select ${columns}, (extract(epoch from s.created_at) * 1000000)::bigint::text as created_micros
  from suites s
  where (s.created_at, s.id) < ('epoch'::timestamptz + $1::text::bigint * interval '1 microsecond', $2)
    and ${isAsked(filter.states) ? "s.state = any($3)" : "$3::text[] is not null"}
    and ${filter.name === undefined ? "$4::text is null" : "s.name ilike '%' || $4 || '%'"}
    and ${isAsked(filter.labels) ? "s.labels @> $5" : "$5::text[] is not null"}
    and ${isAsked(filter.tags) ? "s.tags @> $6" : "$6::text[] is not null"}
  order by s.created_at desc, s.id desc limit $7`

const isAsked = (values: ReadonlyArray<string> | undefined): boolean => values !== undefined && values.length > 0

export const make = Effect.gen(function* () {
  const sql = yield* SqlClient

  const one = <Row extends SuiteRow>(suiteId: SuiteId, text: string) =>
    Effect.flatMap(Query.run<Row>(sql, text, [suiteId]), ([row]) =>
      row === undefined ? Effect.fail(new SuiteNotFound({ suiteId })) : Effect.succeed(row)
    )

  const get = Effect.fn("SuiteQueries.get")((suiteId: SuiteId) =>
    Effect.map(one(suiteId, `select ${columns} from suites s where s.id = $1`), toView)
  )

  const detail = Effect.fn("SuiteQueries.detail")((suiteId: SuiteId) =>
    Effect.map(
      one<SuiteRow & { readonly spec: SuiteSpec; readonly managers: ReadonlyArray<ManagerId> }>(
        suiteId,
        `select ${columns}, s.spec, array(select m.id from managers m where m.suite_id = s.id order by m.id) as managers
         from suites s where s.id = $1`
      ),
      (row): SuiteDetail => ({ ...toView(row), spec: row.spec, managers: row.managers })
    )
  )

  const list = Effect.fn("SuiteQueries.list")(function* (filter: SuiteFilter) {
    const limit = filter.limit ?? PageLimits.defaultLimit
    const [micros, id] = yield* cursors.decode(filter.cursor, beforeNewest)
    const rows = yield* Query.run<SuiteRow & { readonly created_micros: string }>(sql, listText(filter), [
      micros,
      id,
      Param.texts(filter.states ?? []),
      Param.text(filter.name === undefined ? null : Query.likeLiteral(filter.name)),
      Param.texts(filter.labels ?? []),
      Param.texts(filter.tags ?? []),
      limit + 1
    ])
    return Query.pageOf(rows, limit, toView, (row) => cursors.encode([row.created_micros, row.id]))
  })

  return SuiteQueries.of({ get, detail, list })
})

export const layer: Layer.Layer<SuiteQueries, never, SqlClient> = Layer.effect(SuiteQueries, make)
