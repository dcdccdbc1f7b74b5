/**
 * How long each manager was in which state, and for which suite. A row is a stretch of time; the last one of a manager is
 * open. A manager that is suspected is in neither: what it was doing goes on in a new row when it is heard from again.
 */
import type { ManagerEvent } from "@muster/domain/Manager/Events"
import type { ManagerState } from "@muster/domain/Manager/Spec"
import type { Recorded } from "@muster/domain/Recorded"
import type { Write } from "../EventStore.ts"
import * as LogEvent from "../LogEvent.ts"
import * as Param from "../Param.ts"
import type { Projection } from "../Subscription.ts"

type HistoryState = ManagerState | "suspected"

/** What a stretch is about: nothing known means "as before it was suspected". */
interface Doing {
  readonly state: HistoryState | undefined
  readonly suiteId: string | null | undefined
}

interface Stretch extends Doing {
  readonly managerId: string
  /** Version of the event that began it. */
  readonly version: number
  readonly from: number
  readonly to: number | null
}

const streamPrefix = "manager-"

const eventTypes = [
  "ManagerConnected",
  "ManagerActivityChanged",
  "ManagerSuspected",
  "ManagerReconnected",
  "ManagerLost",
  "ManagerLeft"
] as const satisfies ReadonlyArray<ManagerEvent["_tag"]>

/** The subscription gives only events of these types, and only managers write them. */
type Moved = Extract<ManagerEvent, { readonly _tag: (typeof eventTypes)[number] }>

const doing = (event: Moved, before: Doing): Doing => {
  switch (event._tag) {
    case "ManagerConnected":
      return { state: "idle", suiteId: null }
    case "ManagerActivityChanged":
      return { state: event.to, suiteId: event.suiteId }
    case "ManagerSuspected":
      return { state: "suspected", suiteId: before.suiteId }
    case "ManagerReconnected":
      return before
    case "ManagerLost":
    case "ManagerLeft":
      return { state: "offline", suiteId: null }
  }
}

/** The stretches of one manager that its events begin; all but the last are closed by the next one. */
const stretches = (managerId: string, events: ReadonlyArray<Recorded>): ReadonlyArray<Stretch> => {
  const found: Array<Stretch> = []
  let before: Doing = { state: undefined, suiteId: undefined }
  events.forEach((recorded, index) => {
    const event = LogEvent.decode<Moved>(recorded)
    const now = doing(event, before)
    if (now.state !== "suspected") before = now
    const next = events[index + 1]
    const to = next === undefined ? null : LogEvent.decode<Moved>(next).at
    found.push({ ...now, managerId, version: recorded.version, from: event.at, to })
  })
  return found
}

const close = (first: ReadonlyArray<Stretch>): Write => ({
  text: `
    update manager_history h set to_at = u.at from unnest($1::text[], $2::timestamptz[]) as u (manager_id, at)
    where h.manager_id = u.manager_id and h.to_at is null`,
  params: [Param.texts(first.map(({ managerId }) => managerId)), Param.timestamps(first.map(({ from }) => from))]
})

const open = (all: ReadonlyArray<Stretch>): Write => ({
  text: `
    insert into manager_history (manager_id, version, state, suite_id, from_at, to_at)
    select u.manager_id, u.version, coalesce(u.state, before.state, 'idle'),
      case when u.keeps_suite then before.suite_id else u.suite_id end, u.from_at, u.to_at
    from unnest($1::text[], $2::int[], $3::text[], $4::text[], $5::boolean[], $6::timestamptz[], $7::timestamptz[])
      as u (manager_id, version, state, suite_id, keeps_suite, from_at, to_at)
    left join lateral (
      select h.state, h.suite_id from manager_history h
      where h.manager_id = u.manager_id and h.state <> 'suspected' order by h.version desc limit 1
    ) before on true`,
  params: [
    Param.texts(all.map(({ managerId }) => managerId)),
    Param.ints(all.map(({ version }) => version)),
    Param.texts(all.map(({ state }) => state ?? null)),
    Param.texts(all.map(({ suiteId }) => suiteId ?? null)),
    Param.booleans(all.map(({ suiteId }) => suiteId === undefined)),
    Param.timestamps(all.map(({ from }) => from)),
    Param.timestamps(all.map(({ to }) => to))
  ]
})

export const projection: Projection = {
  name: "manager_history",
  version: 1,
  tables: ["manager_history"],
  eventTypes,
  handle: (events) => {
    const byManager = [...Map.groupBy(events, ({ stream }) => stream)].map(([stream, own]) =>
      stretches(stream.slice(streamPrefix.length), own)
    )
    return [close(byManager.flatMap((own) => own.slice(0, 1))), open(byManager.flat())]
  }
}
