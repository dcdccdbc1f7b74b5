/**
 * The event store in memory: for tests of what stands on it. `writes` of appends are ignored.
 */
import { Clock, Effect, Layer, Option, PubSub, Stream } from "effect"
import type { Recorded } from "@muster/domain/Recorded"
import * as EventStore from "./EventStore.ts"

/** What a JSON column would give back: no aliases of the caller's objects, no `undefined`. */
const asStored = (value: unknown): Recorded["data"] => JSON.parse(JSON.stringify(value)) as Recorded["data"]

export const makeMemory = Effect.gen(function* () {
  const log: Array<Recorded> = []
  const streams = new Map<string, Array<Recorded>>()
  /** Keys are `<stream> <command id>`; stream names have no spaces. */
  const commands = new Set<string>()
  const snapshots = new Map<string, EventStore.Snapshot>()
  const committed = yield* PubSub.sliding<string>(EventStore.commitsCapacity)

  const append = Effect.fnUntraced(function* (options: EventStore.Append) {
    const { events, expectedVersion, stream } = options
    if (events.length === 0) return yield* Effect.die(new Error(`nothing to append to ${stream}`))
    const recordedAt = yield* Clock.currentTimeMillis
    const ids = EventStore.commandIdColumn(events).filter((id) => id !== null)
    const known = ids.filter((id) => commands.has(`${stream} ${id}`))
    if (known.length > 0) return yield* new EventStore.CommandAlreadyHandled({ stream, commandIds: known })
    const history = streams.get(stream) ?? []
    if (history.length !== expectedVersion) {
      return yield* new EventStore.VersionConflict({ stream, expected: expectedVersion })
    }
    for (const event of events) {
      const recorded: Recorded = {
        position: log.length + 1,
        stream,
        version: history.length + 1,
        type: event.type,
        data: asStored(event.data),
        metadata: { ...event.metadata },
        recordedAt
      }
      history.push(recorded)
      log.push(recorded)
    }
    streams.set(stream, history)
    for (const id of ids) commands.add(`${stream} ${id}`)
    yield* PubSub.publish(committed, stream)
    return { version: history.length, position: log.length }
  })

  const readRange = (stream: string, range: EventStore.StreamRange = {}) => {
    const { after = 0, limit = Number.POSITIVE_INFINITY, upTo = Number.POSITIVE_INFINITY } = range
    return (streams.get(stream) ?? []).slice(Math.max(0, after), Math.max(0, Math.min(upTo, after + limit)))
  }

  return EventStore.EventStore.of({
    append,
    readStream: (stream, range) => Effect.sync(() => readRange(stream, range)),
    streamAll: (stream, { batch = EventStore.defaultStreamBatch, ...range } = {}) =>
      Stream.paginate(range.after ?? 0, (after) =>
        Effect.sync(() => {
          const events = readRange(stream, { ...range, after, limit: batch })
          return [events, events.length < batch ? Option.none() : Option.some(after + batch)] as const
        })
      ),
    readAll: ({ after, limit, types }) =>
      Effect.sync(() => {
        // Each append is its own transaction and commits at once, so order of commit is order of position.
        const scanned = log.slice(after.position, after.position + limit)
        const last = scanned.at(-1)
        return {
          events: types === undefined ? scanned : scanned.filter(({ type }) => types.includes(type)),
          cursor: last === undefined ? after : { transactionId: BigInt(last.position), position: last.position },
          scanned: scanned.length
        }
      }),
    eventsOfCommand: (stream, commandId) =>
      Effect.sync(() => (streams.get(stream) ?? []).filter((event) => event.metadata.commandId === commandId)),
    lastVersion: (stream) => Effect.sync(() => streams.get(stream)?.length ?? 0),
    versionAt: (stream, time) =>
      Effect.sync(() => (streams.get(stream) ?? []).findLast(({ recordedAt }) => recordedAt <= time)?.version ?? 0),
    loadSnapshot: (stream) => Effect.sync(() => snapshots.get(stream)),
    saveSnapshot: (stream, snapshot) =>
      Effect.sync(() => {
        const stored = snapshots.get(stream)
        if (stored !== undefined && !EventStore.isNewer(snapshot, stored)) return
        snapshots.set(stream, { ...snapshot, state: snapshot.state.slice() })
      }),
    commits: Stream.fromPubSub(committed)
  })
})

export const layerMemory: Layer.Layer<EventStore.EventStore> = Layer.effect(EventStore.EventStore, makeMemory)
