/**
 * The row of a worker, committed with its events.
 */
import type { State } from "@muster/domain/Worker/State"
import { fromState } from "@muster/domain/Worker/View"
import type { RowChanges } from "../Aggregate.ts"
import * as InlineProjection from "../InlineProjection.ts"
import * as Param from "../Param.ts"

export const rows: () => RowChanges<State, unknown> = InlineProjection.ofState((state) => {
  const view = fromState(state)
  return view === undefined
    ? []
    : [
        {
          text: `
          insert into workers (id, manager_id, slot, pid, state, crashes, last_exit_code, last_signal, started_at, updated_at)
          values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
          on conflict (id) do update set pid = excluded.pid, state = excluded.state, crashes = excluded.crashes,
            last_exit_code = excluded.last_exit_code, last_signal = excluded.last_signal,
            started_at = excluded.started_at, updated_at = excluded.updated_at`,
          params: [
            view.id,
            view.managerId,
            Param.int(view.slot),
            Param.int(view.pid),
            view.state,
            Param.int(view.crashes),
            Param.int(view.lastExitCode),
            Param.text(view.lastSignal),
            Param.timestamp(view.startedAt === null ? null : Date.parse(view.startedAt)),
            Param.timestamp(Date.parse(view.updatedAt))
          ]
        }
      ]
})
