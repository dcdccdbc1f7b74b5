/**
 * All that happened to a suite, to be taken elsewhere: its stream, those of the managers that were to run it and of their
 * workers, and the pool's, each from its beginning up to the suite's end. `domain/Bundle` is the form.
 */
import { Clock, Context, Effect, Layer, Stream } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import * as Bundle from "@muster/domain/Bundle"
import { defaultPool, stream as poolStream } from "@muster/domain/Coordinator/Id"
import { Unavailable } from "@muster/domain/Errors"
import type { Recorded } from "@muster/domain/Recorded"
import { SuiteNotFound } from "@muster/domain/Suite/Errors"
import { stream as suiteStream } from "@muster/domain/Suite/Id"
import type { SuiteId } from "@muster/domain/Suite/Id"
import { version } from "@muster/domain/Version"
import { EventStore } from "../EventStore.ts"
import type { EventStoreError } from "../EventStore.ts"
import * as Param from "../Param.ts"
import { ServerInfo } from "../Rpc/ServerInfo.ts"
import * as Query from "./Query.ts"

/** The header, and the events that it announces. */
export interface SuiteBundle {
  readonly header: Bundle.Header
  /** In the order of the log, without secrets. */
  readonly events: Stream.Stream<Recorded, Unavailable>
}

export class SuiteBundles extends Context.Service<
  SuiteBundles,
  {
    /** As it is now: what is stored later is not in it. */
    readonly make: (suiteId: SuiteId) => Effect.Effect<SuiteBundle, SuiteNotFound | Unavailable>
  }
>()("@muster/server/ReadModels/SuiteBundles") {}

/** Events of one stream that are in memory at once: each may hold ten thousand tasks. */
const suiteBatch = 4
const smallBatch = 64

/** A suite's first and last place in the log, and whether anything of it is still to happen. */
const spanText = `
  select e.first, e.last, coalesce(s.queued + s.assigned + s.running > 0 or s.completed_at is null, false) as pending
  from (select min(position) as first, max(position) as last from events where stream = $1) e
    left join suites s on s.id = $2
  where e.first is not null`

/** Managers that the suite was assigned to, or that leased of it. */
const managersText = `
  select data ->> 'managerId' as manager from events
  where stream = $1 and type = 'SuiteAssigned' and position >= $3 and position <= $4 and data ->> 'suiteId' = $2
  union
  select data ->> 'manager' from events where stream = $5 and type = 'TasksLeased'`

/** Streams with how many events they have up to a place in the log; those of workers by their managers. */
const streamsText = `
  select s.stream, e.version as events
  from (
    select unnest($1::text[]) as stream
    union all
    -- What follows the point is digits, and the colon comes after them.
    select f.stream from unnest($2::text[]) as w(prefix)
      join events f on f.version = 1 and f.stream > w.prefix collate "C" and f.stream < (w.prefix || ':') collate "C"
  ) s cross join lateral (
    select version from events where stream = s.stream and position <= $3 order by version desc limit 1
  ) e
  order by s.stream`

const unavailable = (error: EventStoreError) =>
  error.retryable ? Effect.fail(new Unavailable({ reason: error.message })) : Effect.die(error)

export const make = Effect.gen(function* () {
  const sql = yield* SqlClient
  const store = yield* EventStore
  const info = yield* ServerInfo

  /** Streams in the order of the log: of all that wait, always the one whose next event came first. */
  const merged = (streams: ReadonlyArray<readonly [string, number]>): Stream.Stream<Recorded, Unavailable> =>
    Stream.suspend(() => {
      const rest = streams.map(([stream, upTo]) => ({ stream, upTo, read: 0, next: new Array<Recorded>() }))
      const step = Effect.gen(function* () {
        for (const one of rest) {
          if (one.next.length > 0 || one.read >= one.upTo) continue
          const limit = one.stream.startsWith("suite-") ? suiteBatch : smallBatch
          const events = yield* store.readStream(one.stream, { after: one.read, upTo: one.upTo, limit })
          one.next = [...events]
          one.read = events.at(-1)?.version ?? one.upTo
        }
        const batch: Array<Recorded> = []
        // Until one runs out that has more: what it has next may come before all others.
        for (;;) {
          let first: (typeof rest)[number] | undefined
          for (const one of rest) {
            const [head] = one.next
            if (head !== undefined && head.position < (first?.next[0]?.position ?? Infinity)) first = one
          }
          const event = first?.next.shift()
          if (first === undefined || event === undefined) break
          batch.push(event)
          if (first.next.length === 0 && first.read < first.upTo) break
        }
        return batch
      }).pipe(Effect.catchTag("EventStoreError", unavailable))
      return Stream.fromEffectRepeat(step).pipe(
        Stream.takeWhile((batch) => batch.length > 0),
        Stream.flatMap(Stream.fromIterable)
      )
    })

  const bundle = Effect.fn("SuiteBundles.make")(function* (suiteId: SuiteId) {
    const suite = suiteStream(suiteId)
    const pool = poolStream(defaultPool)
    const [span] = yield* Query.run<{ first: bigint; last: bigint; pending: boolean }>(sql, spanText, [suite, suiteId])
    if (span === undefined) return yield* new SuiteNotFound({ suiteId })
    const end = span.pending ? Number.MAX_SAFE_INTEGER : Number(span.last)
    const managers = (yield* Query.run<{ manager: string }>(sql, managersText, [
      pool,
      suiteId,
      Param.bigint(Number(span.first)),
      Param.bigint(end),
      suite
    ])).map(({ manager }) => manager)
    const streams = (yield* Query.run<{ stream: string; events: number }>(sql, streamsText, [
      Param.texts([suite, pool, ...managers.map((manager) => `manager-${manager}`)]),
      Param.texts(managers.map((manager) => `worker-${manager}.`)),
      Param.bigint(end)
    ])).map(({ events, stream }) => [stream, events] as const)
    const header: Bundle.Header = {
      bundle: "muster",
      format: Bundle.format,
      version,
      source: info.coordinator,
      at: yield* Clock.currentTimeMillis,
      suite: suiteId,
      events: streams.reduce((sum, [, events]) => sum + events, 0),
      streams
    }
    return { header, events: Stream.map(merged(streams), Bundle.withoutSecrets) }
  })

  return SuiteBundles.of({ make: bundle })
})

export const layer: Layer.Layer<SuiteBundles, never, SqlClient | EventStore | ServerInfo> = Layer.effect(
  SuiteBundles,
  make
)
