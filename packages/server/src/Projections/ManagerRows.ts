/**
 * The row of a manager, committed with its events.
 */
import type { State } from "@muster/domain/Manager/State"
import { fromState } from "@muster/domain/Manager/View"
import type { RowChanges } from "../Aggregate.ts"
import * as InlineProjection from "../InlineProjection.ts"
import * as Param from "../Param.ts"

export const rows: () => RowChanges<State, unknown> = InlineProjection.ofState((state, version) => {
  const view = fromState(state)
  return view === undefined
    ? []
    : [
        {
          text: `
          insert into managers (id, name, tags, labels, workers, version, host, state, epoch, suite_id, draining,
            connected, connected_at, updated_at, stream_version)
          values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
          on conflict (id) do update set name = excluded.name, tags = excluded.tags, labels = excluded.labels,
            workers = excluded.workers, version = excluded.version, host = excluded.host, state = excluded.state,
            epoch = excluded.epoch, suite_id = excluded.suite_id, draining = excluded.draining,
            connected = excluded.connected, connected_at = excluded.connected_at, updated_at = excluded.updated_at,
            stream_version = excluded.stream_version`,
          params: [
            view.id,
            view.name,
            Param.texts(view.tags),
            Param.texts(view.labels),
            Param.int(view.workers),
            view.version,
            Param.json(view.host),
            view.state,
            Param.int(view.epoch),
            Param.text(view.suiteId),
            view.draining,
            state._tag === "Online",
            Param.timestamp(view.connectedAt === null ? null : Date.parse(view.connectedAt)),
            Param.timestamp(Date.parse(view.updatedAt)),
            Param.int(version)
          ]
        }
      ]
})
