import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { ManagerEvent } from "@muster/domain/Manager/Events"
import { Epoch, ManagerId } from "@muster/domain/Manager/Id"
import type { SuiteEvent } from "@muster/domain/Suite/Events"
import { SuiteId } from "@muster/domain/Suite/Id"
import type { Recorded } from "@muster/domain/Recorded"
import * as EventStore from "../src/EventStore.ts"
import * as PgEventStore from "../src/PgEventStore.ts"
import * as Histories from "../src/Projections/Histories.ts"
import * as ManagerHistory from "../src/Projections/ManagerHistory.ts"
import * as Throughput from "../src/Projections/Throughput.ts"
import * as Subscription from "../src/Subscription.ts"
import { eventually } from "./support/Eventually.ts"
import * as Muster from "./support/Muster.ts"

const suite = SuiteId.make("0123456789abcdef")
const epoch = Epoch.make(1)

/** An event as entities write it: the type beside the data. */
const asNew = ({ _tag: type, ...data }: ManagerEvent | SuiteEvent): EventStore.NewEvent => ({
  type,
  data,
  metadata: { actor: "test", schemaVersion: 1 }
})

const asRecorded = (stream: string, events: ReadonlyArray<ManagerEvent | SuiteEvent>): ReadonlyArray<Recorded> =>
  events.map((event, index) => ({
    ...asNew(event),
    data: asNew(event).data as Recorded["data"], // plain JSON, as the literals below show
    stream,
    version: index + 1,
    position: index + 1,
    recordedAt: event.at
  }))

/** Gives events to a projection in batches, without the log between. */
const feed = Effect.fnUntraced(function* (
  projection: Subscription.Projection,
  batches: ReadonlyArray<ReadonlyArray<Recorded>>
) {
  const sql = yield* SqlClient
  for (const batch of batches) {
    const wanted = batch.filter(({ type }) => projection.eventTypes.includes(type))
    if (wanted.length === 0) continue
    for (const write of projection.handle(wanted)) yield* sql.unsafe(write.text, write.params)
  }
})

/** All ways to cut a list into two, and the list by single elements. */
const cuts = <A>(all: ReadonlyArray<A>): ReadonlyArray<ReadonlyArray<ReadonlyArray<A>>> => [
  ...all.map((_, at) => [all.slice(0, at), all.slice(at)]),
  all.map((one) => [one])
]

const spec = {
  name: "m",
  tags: [],
  labels: [],
  workers: 1,
  version: "1",
  host: { hostname: "h", platform: "linux", cpus: 1, memory: 1 }
}

const life: ReadonlyArray<ManagerEvent> = [
  { _tag: "ManagerRegistered", id: ManagerId.make("0000000000000000"), spec, at: 0 },
  { _tag: "ManagerConnected", epoch, instance: "i", spec, at: 1_000 },
  { _tag: "ManagerReady", epoch, at: 1_500 },
  { _tag: "ManagerActivityChanged", epoch, from: "idle", to: "executing", suiteId: suite, at: 2_000 },
  { _tag: "ManagerSuspected", epoch, reason: "silent", at: 3_000 },
  { _tag: "ManagerReconnected", epoch, at: 4_000 },
  { _tag: "ManagerSuspected", epoch, reason: "disconnected", at: 5_000 },
  { _tag: "ManagerReconnected", epoch, at: 6_000 },
  { _tag: "ManagerActivityChanged", epoch, from: "executing", to: "cleanup", suiteId: suite, at: 7_000 },
  { _tag: "ManagerLost", epoch, reason: "silent", suiteId: suite, at: 8_000 }
]

const expectedLife = [
  ["idle", null, 1, 2],
  ["executing", suite, 2, 3],
  ["suspected", suite, 3, 4],
  ["executing", suite, 4, 5],
  ["suspected", suite, 5, 6],
  ["executing", suite, 6, 7],
  ["cleanup", suite, 7, 8],
  ["offline", null, 8, null]
]

layer(Muster.layer)("the history of managers", (it) => {
  it.effect("has one stretch after the other, however the events are cut into batches", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      for (const [index, batches] of cuts(life).entries()) {
        const id = `m${index}`
        yield* feed(
          ManagerHistory.projection,
          // Another manager's events between must not matter.
          batches.map((batch) =>
            asRecorded(`manager-${id}`, life)
              .filter(({ version }) => batch.some((event) => life[version - 1] === event))
              .flatMap((recorded) => [recorded, { ...recorded, stream: `manager-other-${id}` }])
          )
        )
        const rows = yield* sql.unsafe<Record<string, unknown>>(
          `select state, suite_id, extract(epoch from from_at)::int as from_at, extract(epoch from to_at)::int as to_at
           from manager_history where manager_id = $1 order by version`,
          [id]
        )
        assert.deepStrictEqual(
          rows.map((row) => [row["state"], row["suite_id"], row["from_at"], row["to_at"]]),
          expectedLife
        )
      }
    })
  )
})

const ended = (at: number, outcomes: ReadonlyArray<"succeeded" | "failed">): SuiteEvent => ({
  _tag: "AttemptsEnded",
  manager: ManagerId.make("0000000000000000"),
  epoch,
  attempts: outcomes.map((outcome, index) => ({
    index,
    attempt: 1,
    outcome,
    finishedAt: at,
    ...(outcome === "succeeded" ? { duration: 1_500 } : {}),
    next: outcome
  })),
  at
})

layer(Muster.layer)("throughput", (it) => {
  it.effect("adds up what ended in each minute", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const minute = 60_000
      const events = asRecorded("suite-a", [
        ended(minute, ["succeeded", "succeeded", "failed"]),
        ended(2 * minute - 1, ["succeeded"]),
        ended(2 * minute, ["failed"])
      ])
      yield* feed(
        Throughput.projection,
        events.map((event) => [event])
      )
      const rows = yield* sql`
        select extract(epoch from minute)::int as minute, outcome, tasks::int as tasks, seconds
        from throughput order by 1, 2`
      assert.deepStrictEqual(rows, [
        { minute: 60, outcome: "failed", tasks: 1, seconds: 0 },
        { minute: 60, outcome: "succeeded", tasks: 3, seconds: 4.5 },
        { minute: 120, outcome: "failed", tasks: 1, seconds: 0 }
      ])
    })
  )
})

layer(PgEventStore.layer.pipe(Layer.provideMerge(Muster.layer)), { excludeTestServices: true })(
  "all histories",
  (it) => {
    it.effect("follow the log in the background", () =>
      Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        const sql = yield* SqlClient
        const runners = yield* Effect.forEach(Histories.projections, (projection) => Subscription.make(projection))
        yield* Effect.forEach(runners, ({ run }) => Effect.forkChild(run), { discard: true })
        yield* store.append({ stream: "manager-a", expectedVersion: 0, events: life.map(asNew) })
        yield* store.append({ stream: "suite-a", expectedVersion: 0, events: [asNew(ended(0, ["failed"]))] })
        yield* eventually(
          sql<{ stretches: number; minutes: number }>`
          select (select count(*) from manager_history)::int as stretches,
            (select count(*) from throughput)::int as minutes`,
          ([row]) => row?.stretches === expectedLife.length && row.minutes === 1
        )
      })
    )
  }
)
