/**
 * What is known of managers.
 */
import { Context, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { InvalidInput, Unavailable } from "@muster/domain/Errors"
import { ManagerNotFound } from "@muster/domain/Manager/Errors"
import type { ManagerLied } from "@muster/domain/Manager/Events"
import { ManagerId, stream } from "@muster/domain/Manager/Id"
import type { LiesView } from "@muster/domain/Manager/Lies"
import type { Epoch } from "@muster/domain/Manager/Id"
import type { ManagerSpec, ManagerState } from "@muster/domain/Manager/Spec"
import type { ManagerView } from "@muster/domain/Manager/View"
import * as PageLimits from "@muster/domain/Page"
import type { SuiteId } from "@muster/domain/Suite/Id"
import * as Param from "../Param.ts"
import * as Cursor from "./Cursor.ts"
import * as Query from "./Query.ts"

export interface ManagerFilter {
  readonly limit?: number | undefined
  readonly cursor?: string | undefined
  /** Any of these. */
  readonly states?: ReadonlyArray<ManagerState> | undefined
  /** All of these. */
  readonly tags?: ReadonlyArray<string> | undefined
}

export class ManagerQueries extends Context.Service<
  ManagerQueries,
  {
    readonly get: (managerId: ManagerId) => Effect.Effect<ManagerView, ManagerNotFound | Unavailable>
    /** By id, which is oldest first. */
    readonly list: (filter: ManagerFilter) => Effect.Effect<Query.Page<ManagerView>, InvalidInput | Unavailable>
  }
>()("@muster/server/ReadModels/ManagerQueries") {}

const columns = `m.id, m.name, m.tags, m.labels, m.workers, m.version, m.host, m.state, m.epoch, m.suite_id, m.draining,
  m.connected_at, m.updated_at`

interface ManagerRow extends Pick<ManagerSpec, "name" | "tags" | "labels" | "workers" | "version" | "host"> {
  readonly id: ManagerId
  readonly state: ManagerState
  readonly epoch: Epoch
  readonly suite_id: SuiteId | null
  readonly draining: boolean
  readonly connected_at: Date | null
  readonly updated_at: Date
}

const toView = (row: ManagerRow): ManagerView => ({
  id: row.id,
  name: row.name,
  tags: row.tags,
  labels: row.labels,
  workers: row.workers,
  version: row.version,
  host: row.host,
  state: row.state,
  epoch: row.epoch,
  suiteId: row.suite_id,
  draining: row.draining,
  connectedAt: Query.instantOrNull(row.connected_at),
  updatedAt: Query.instant(row.updated_at)
})

type Lied = Omit<typeof ManagerLied.Type, "_tag">

/** Hardly any manager has one, and those that have are few: the type is looked for in the one stream. */
const liedText = `
  select data from events where stream = $1 and type = 'ManagerLied' order by version desc limit 1`

const toLies = ({ at, example, kinds, total }: Lied): LiesView => ({
  total,
  kinds,
  example,
  at: Query.instant(new Date(at))
})

const cursors = Cursor.make<ManagerId | "">("managers", ManagerId)

const listText = `
  select ${columns} from managers m
  where m.id > $1 and (cardinality($2::text[]) = 0 or m.state = any($2)) and m.tags @> $3
  order by m.id limit $4`

export const make = Effect.gen(function* () {
  const sql = yield* SqlClient

  const get = Effect.fn("ManagerQueries.get")(function* (managerId: ManagerId) {
    const [row] = yield* Query.run<ManagerRow>(sql, `select ${columns} from managers m where m.id = $1`, [managerId])
    if (row === undefined) return yield* new ManagerNotFound({ managerId })
    const [lied] = yield* Query.run<{ readonly data: Lied }>(sql, liedText, [stream(managerId)])
    return lied === undefined ? toView(row) : { ...toView(row), lies: toLies(lied.data) }
  })

  const list = Effect.fn("ManagerQueries.list")(function* (filter: ManagerFilter) {
    const limit = filter.limit ?? PageLimits.defaultLimit
    const after = yield* cursors.decode(filter.cursor, "")
    const rows = yield* Query.run<ManagerRow>(sql, listText, [
      after,
      Param.texts(filter.states ?? []),
      Param.texts(filter.tags ?? []),
      limit + 1
    ])
    return Query.pageOf(rows, limit, toView, (row) => cursors.encode(row.id))
  })

  return ManagerQueries.of({ get, list })
})

export const layer: Layer.Layer<ManagerQueries, never, SqlClient> = Layer.effect(ManagerQueries, make)
