/**
 * What is known of workers.
 */
import { Context, Effect, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { InvalidInput, Unavailable } from "@muster/domain/Errors"
import { ManagerId } from "@muster/domain/Manager/Id"
import * as PageLimits from "@muster/domain/Page"
import type { WorkerId } from "@muster/domain/Worker/Id"
import type { WorkerView } from "@muster/domain/Worker/View"
import * as Param from "../Param.ts"
import * as Cursor from "./Cursor.ts"
import * as Query from "./Query.ts"

export interface WorkerFilter {
  readonly limit?: number | undefined
  readonly cursor?: string | undefined
  readonly managerId?: ManagerId | undefined
}

export class WorkerQueries extends Context.Service<
  WorkerQueries,
  {
    /** By manager and slot. */
    readonly list: (filter: WorkerFilter) => Effect.Effect<Query.Page<WorkerView>, InvalidInput | Unavailable>
  }
>()("@muster/server/ReadModels/WorkerQueries") {}

interface WorkerRow {
  readonly id: WorkerId
  readonly manager_id: ManagerId
  readonly slot: number
  readonly pid: number | null
  readonly state: WorkerView["state"]
  readonly crashes: number
  readonly last_exit_code: number | null
  readonly last_signal: string | null
  readonly started_at: Date | null
  readonly updated_at: Date
}

const toView = (row: WorkerRow): WorkerView => ({
  id: row.id,
  managerId: row.manager_id,
  slot: row.slot,
  // A worker is first heard of when it has started, so only one that never did has none.
  pid: row.pid ?? 0,
  state: row.state,
  crashes: row.crashes,
  lastExitCode: row.last_exit_code,
  lastSignal: row.last_signal,
  startedAt: Query.instantOrNull(row.started_at),
  updatedAt: Query.instant(row.updated_at)
})

const cursors = Cursor.make<readonly [ManagerId | "", number]>(
  "workers",
  Schema.Tuple([ManagerId, Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 999 }))])
)

const listText = `
  select w.id, w.manager_id, w.slot, w.pid, w.state, w.crashes, w.last_exit_code, w.last_signal, w.started_at, w.updated_at
  from workers w
  where (w.manager_id, w.slot) > ($1, $2) and ($3::text is null or w.manager_id = $3)
  order by w.manager_id, w.slot limit $4`

export const make = Effect.gen(function* () {
  const sql = yield* SqlClient

  const list = Effect.fn("WorkerQueries.list")(function* (filter: WorkerFilter) {
    const limit = filter.limit ?? PageLimits.defaultLimit
    const [managerId, slot] = yield* cursors.decode(filter.cursor, ["", -1])
    const rows = yield* Query.run<WorkerRow>(sql, listText, [
      managerId,
      Param.int(slot),
      Param.text(filter.managerId ?? null),
      limit + 1
    ])
    return Query.pageOf(rows, limit, toView, (row) => cursors.encode([row.manager_id, row.slot]))
  })

  return WorkerQueries.of({ list })
})

export const layer: Layer.Layer<WorkerQueries, never, SqlClient> = Layer.effect(WorkerQueries, make)
