/**
 * Looks for leases, assignments and cancellations that are older than they should be. Rows tell of leases, the pool's own
 * state of assignments.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { defaultPool, stream } from "@muster/domain/Coordinator/Id"
import type { Cancelling, LeaseFacts, OrphanedAssignment, OrphanedLease } from "@muster/domain/Doctor/Leases"
import * as Param from "../Param.ts"
import * as Past from "../ReadModels/Past.ts"
import * as StreamStates from "../StreamStates.ts"

/** Most that are told of each kind. */
const most = 20

/** Since when a session is over, by its manager's row; null: there is no row, or it knows of no such session yet. */
const overFor = `
  case when m.id is null or m.epoch < h.epoch then null
    else extract(epoch from clock_timestamp() - m.updated_at)::float8 * 1000 end as milliseconds`

/** Where machines that are cut off end their tasks themselves, these are taken back only when that must have happened. */
const terms = `
  jsonb_strip_nulls(jsonb_build_object(
    'onDisconnect', s.spec -> 'onDisconnect', 'leaseDuration', s.spec -> 'leaseDuration'
  )) as terms`

/** A session is over when its manager is offline, or has a newer one. */
const isOver = `(m.id is null or m.epoch <> h.epoch or m.state = 'offline')`

/** Leases of tasks without a row of their own stand in `leases`, the others in the tasks' rows. */
const orphanedLeases = `
  select h.suite_id as "suiteId", h.manager as "managerId", h.epoch, sum(h.tasks)::int as tasks, ${overFor}, ${terms}
  from (
    select l.suite_id, l.manager, l.epoch, sum(upper(r) - lower(r)) as tasks
    from leases l, unnest(l.tasks) as r group by 1, 2, 3
    union all
    select t.suite_id, t.manager, t.epoch, count(*)
    from suites s join tasks t on t.suite_id = s.id and t.state in (1, 2)
    where s.completed_at is null and t.manager is not null group by 1, 2, 3
  ) h left join managers m on m.id = h.manager left join suites s on s.id = h.suite_id
  where ${isOver}
  group by h.suite_id, h.manager, h.epoch, m.id, m.epoch, m.updated_at, s.spec
  order by milliseconds desc nulls first limit ${most}`

/** The row does not say when it was asked, the suite's events do. */
const cancelling = `
  select t.suite_id as "suiteId", count(*)::int as tasks, extract(epoch from clock_timestamp() - (
      select max(e.recorded_at) from events e
      where e.stream = 'suite-' || t.suite_id and e.type in ('TaskCancellationRequested', 'SuiteCancelled')
    ))::float8 * 1000 as milliseconds
  from suites s join tasks t on t.suite_id = s.id and t.state in (1, 2) and t.cancel_requested
  where s.completed_at is null
  group by t.suite_id order by milliseconds desc nulls first limit ${most}`

const orphanedAssignments = `
  select h.suite_id as "suiteId", h.manager as "managerId", h.epoch, ${overFor}, ${terms}
  from unnest($1::text[], $2::text[], $3::int[]) as h (suite_id, manager, epoch)
  left join managers m on m.id = h.manager left join suites s on s.id = h.suite_id
  where ${isOver} limit ${most}`

export const gather = Effect.gen(function* () {
  const sql = yield* SqlClient
  const { managers } = yield* Past.at(stream(defaultPool), StreamStates.pool, undefined)
  const assigned = [...managers.values()].flatMap(({ assignment, epoch, managerId }) =>
    assignment === null ? [] : [{ suiteId: assignment.suiteId, managerId, epoch }]
  )
  const facts: LeaseFacts = {
    leases: yield* sql.unsafe<OrphanedLease>(orphanedLeases),
    assignments: yield* sql.unsafe<OrphanedAssignment>(orphanedAssignments, [
      Param.texts(assigned.map(({ suiteId }) => suiteId)),
      Param.texts(assigned.map(({ managerId }) => managerId)),
      Param.ints(assigned.map(({ epoch }) => epoch))
    ]),
    cancelling: yield* sql.unsafe<Cancelling>(cancelling)
  }
  return facts
})
