/**
 * States as they were: a stream folded up to a version, beside the actor that owns it and without its help.
 */
import { Effect } from "effect"
import { EventStore } from "../EventStore.ts"
import type { EventStoreError } from "../EventStore.ts"
import type { StreamState } from "../StreamStates.ts"

/** Events that are fetched at once: each may hold ten thousand tasks, and between two batches others have their turn. */
const batchSize = 8

/** The version that a stream had at a time, or has now. */
export const versionAt = (
  stream: string,
  time: number | undefined
): Effect.Effect<number, EventStoreError, EventStore> =>
  Effect.flatMap(EventStore, (store) =>
    time === undefined ? store.lastVersion(stream) : store.versionAt(stream, time)
  )

/** The state that a stream's events up to a version come to. From the snapshot, if there is one that is not later. */
export const fold = Effect.fn("Past.fold")(function* <State, Event>(
  stream: string,
  { decider, decode, snapshot }: StreamState<State, Event>,
  upTo: number
): Effect.fn.Return<State, EventStoreError, EventStore> {
  const store = yield* EventStore
  const stored = yield* store.loadSnapshot(stream)
  const usable =
    stored !== undefined && stored.version <= upTo && stored.schemaVersion === snapshot.schemaVersion
      ? snapshot.decode(stored.state)
      : undefined
  let state = usable ?? decider.initial()
  let version = usable === undefined ? 0 : (stored?.version ?? 0)
  while (version < upTo) {
    const events = yield* store.readStream(stream, { after: version, upTo, limit: batchSize })
    if (events.length === 0) break
    for (const recorded of events) {
      state = decider.evolve(state, decode(recorded))
      version = recorded.version
    }
  }
  return state
})

/** The state of a stream at a time, or now. */
export const at = <State, Event>(stream: string, kind: StreamState<State, Event>, time: number | undefined) =>
  Effect.flatMap(versionAt(stream, time), (version) => fold(stream, kind, version))
