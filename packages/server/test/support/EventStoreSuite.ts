/**
 * What every event store does. Each implementation runs it; streams are named by test, so that all can share one store.
 */
import { assert, layer } from "@effect/vitest"
import { Effect, Fiber, Result, Stream } from "effect"
import type { Layer } from "effect"
import { TestClock } from "effect/testing"
import type { Recorded } from "@muster/domain/Recorded"
import * as EventStore from "../../src/EventStore.ts"
import { eventually } from "./Eventually.ts"

/** An event of a command, or of none. */
export const event = (type: string, commandId?: string, data: unknown = {}): EventStore.NewEvent => ({
  type,
  data,
  metadata: { actor: "test", schemaVersion: 1, ...(commandId === undefined ? {} : { commandId }) }
})

export const events = (count: number, from = 1): ReadonlyArray<EventStore.NewEvent> =>
  Array.from({ length: count }, (_, k) => event(`Event${from + k}`))

const types = (recorded: ReadonlyArray<{ readonly type: string }>) => recorded.map(({ type }) => type)

/** The whole log in pages of `limit`. */
const readToEnd = Effect.fnUntraced(function* (limit: number) {
  const store = yield* EventStore.EventStore
  const all: Array<Recorded> = []
  let after = EventStore.start
  for (;;) {
    const page = yield* store.readAll({ after, limit })
    if (page.scanned === 0) return all
    all.push(...page.events)
    after = page.cursor
  }
})

export const eventStoreSuite = <E>(name: string, storeLayer: Layer.Layer<EventStore.EventStore, E>) =>
  layer(storeLayer)(name, (it) => {
    it.effect("tells the version that a stream had at a time, events of that millisecond included", () =>
      Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        const stream = "versions-at"
        assert.strictEqual(yield* store.versionAt(stream, 8_640_000_000_000), 0)
        for (const [version, count] of [
          [0, 3],
          [3, 1],
          [4, 5]
        ] as const) {
          yield* store.append({ stream, expectedVersion: version, events: events(count, version + 1) })
          // The clock of a database goes on by itself, that of a test does not.
          const [last] = yield* store.readStream(stream, { after: version })
          yield* TestClock.adjust(2)
          yield* eventually(
            Effect.sync(() => Date.now()),
            (now) => now > (last?.recordedAt ?? 0) + 1
          )
        }
        const all = yield* store.readStream(stream)
        for (const { recordedAt } of all) {
          for (const time of [recordedAt - 1, recordedAt, recordedAt + 1]) {
            const expected = all.findLast((recorded) => recorded.recordedAt <= time)?.version ?? 0
            assert.strictEqual(yield* store.versionAt(stream, time), expected)
          }
        }
      })
    )

    it.effect("gives back what was appended, with its place in the stream and in the log", () =>
      Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        const appended = yield* store.append({
          stream: "round-trip",
          expectedVersion: 0,
          events: [
            event("First", "c1", {
              text: "ä€😀 \u0000 \ud800 \\u0000",
              nothing: null,
              deep: { list: [1, -2.5, 1e300, true] }
            }),
            { type: "Second", data: [], metadata: { actor: "me", correlationId: "x", schemaVersion: 7 } }
          ]
        })
        const read = yield* store.readStream("round-trip")
        assert.deepStrictEqual(
          read.map(({ recordedAt: _at, position: _position, ...rest }) => rest),
          [
            {
              stream: "round-trip",
              version: 1,
              type: "First",
              data: {
                text: "ä€😀 \u0000 \ud800 \\u0000",
                nothing: null,
                deep: { list: [1, -2.5, 1e300, true] }
              },
              metadata: { actor: "test", commandId: "c1", schemaVersion: 1 }
            },
            {
              stream: "round-trip",
              version: 2,
              type: "Second",
              data: [],
              metadata: { actor: "me", correlationId: "x", schemaVersion: 7 }
            }
          ]
        )
        const [first, second] = read
        assert.isDefined(first)
        assert.isDefined(second)
        assert.isAbove(second.position, first.position)
        assert.deepStrictEqual(appended, { version: 2, position: second.position })
      })
    )

    it.effect("refuses to append at any version but the last", () =>
      Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        yield* store.append({ stream: "versions", expectedVersion: 0, events: events(3) })
        const behind = yield* Effect.flip(
          store.append({ stream: "versions", expectedVersion: 2, events: [event("Late")] })
        )
        assert.deepStrictEqual(behind, new EventStore.VersionConflict({ stream: "versions", expected: 2 }))
        assert.strictEqual(yield* store.lastVersion("versions"), 3)
        assert.strictEqual(yield* store.lastVersion("no such stream"), 0)
      })
    )

    it.effect("refuses a command that it knows and names it, whatever the version", () =>
      Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        const stream = "commands"
        const first = [event("A1", "a"), event("A2", "a"), event("B1", "b"), event("None")]
        yield* store.append({ stream, expectedVersion: 0, events: first })
        for (const expectedVersion of [0, 4]) {
          const refused = yield* Effect.flip(
            store.append({ stream, expectedVersion, events: [event("C1", "c"), event("B1", "b"), event("A1", "a")] })
          )
          assert.strictEqual(refused._tag, "CommandAlreadyHandled")
          if (refused._tag === "CommandAlreadyHandled") assert.sameMembers([...refused.commandIds], ["a", "b"])
        }
        assert.strictEqual(yield* store.lastVersion(stream), 4)
        const elsewhere = yield* store.append({ stream: "commands-2", expectedVersion: 0, events: [event("A1", "a")] })
        assert.strictEqual(elsewhere.version, 1)
      })
    )

    it.effect("finds all events of a command and no others", () =>
      Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        const stream = "events-of-command"
        const batch = [event("A1", "a"), event("A2", "a"), event("B1", "b"), event("None")]
        yield* store.append({ stream, expectedVersion: 0, events: batch })
        yield* store.append({ stream: `${stream}-2`, expectedVersion: 0, events: [event("Other", "a")] })
        assert.deepStrictEqual(types(yield* store.eventsOfCommand(stream, "a")), ["A1", "A2"])
        assert.deepStrictEqual(types(yield* store.eventsOfCommand(stream, "b")), ["B1"])
        assert.deepStrictEqual(yield* store.eventsOfCommand(stream, "c"), [])
      })
    )

    it.effect("reads any range of a stream", () =>
      Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        yield* store.append({ stream: "ranges", expectedVersion: 0, events: events(10) })
        const read = (range: EventStore.StreamRange) => Effect.map(store.readStream("ranges", range), types)
        assert.deepStrictEqual(yield* read({ after: 8 }), ["Event9", "Event10"])
        assert.deepStrictEqual(yield* read({ upTo: 2 }), ["Event1", "Event2"])
        assert.deepStrictEqual(yield* read({ after: 3, upTo: 6, limit: 2 }), ["Event4", "Event5"])
        assert.deepStrictEqual(yield* read({ after: 10 }), [])
      })
    )

    it.effect("streams in batches what it reads at once", () =>
      Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        yield* store.append({ stream: "batches", expectedVersion: 0, events: events(10) })
        for (const batch of [1, 3, 5, 10, 11]) {
          const all = yield* Stream.runCollect(store.streamAll("batches", { batch }))
          assert.deepStrictEqual(all, yield* store.readStream("batches"))
        }
        const part = yield* Stream.runCollect(store.streamAll("batches", { after: 2, upTo: 7, batch: 2 }))
        assert.deepStrictEqual(types(part), ["Event3", "Event4", "Event5", "Event6", "Event7"])
      })
    )

    it.effect("reads all streams in one order, each event once, from any cursor", () =>
      Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        for (let k = 0; k < 4; k++) {
          yield* store.append({ stream: `all-${k % 2}`, expectedVersion: Math.floor(k / 2) * 2, events: events(2) })
        }
        const expected = ["all-0 1", "all-0 2", "all-1 1", "all-1 2", "all-0 3", "all-0 4", "all-1 3", "all-1 4"]
        for (const limit of [1, 5, 1_000]) {
          // Other tests' transactions on the same server may hold the end back for a moment.
          const read = yield* eventually(
            Effect.map(readToEnd(limit), (all) => all.filter(({ stream }) => stream.startsWith("all-"))),
            (all) => all.length >= expected.length
          )
          assert.deepStrictEqual(
            read.map(({ stream, version }) => `${stream} ${version}`),
            expected
          )
        }
      })
    )

    it.effect("gives only events of wanted types, and passes over the others", () =>
      Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        const batch = [event("Wanted"), event("Other", undefined, { large: true }), event("Wanted too"), event("Other")]
        yield* store.append({ stream: "types", expectedVersion: 0, events: batch })
        const readTypes = Effect.gen(function* () {
          const found: Array<string> = []
          let after = EventStore.start
          for (;;) {
            const page = yield* store.readAll({ after, limit: 3, types: ["Wanted", "Wanted too", "Never"] })
            if (page.scanned === 0) return found
            found.push(...page.events.map(({ type }) => type))
            after = page.cursor
          }
        })
        const found = yield* eventually(readTypes, (all) => all.length >= 2)
        assert.deepStrictEqual(found, ["Wanted", "Wanted too"])
      })
    )

    it.effect("keeps the newest snapshot", () =>
      Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        const snapshot = (version: number, schemaVersion: number, byte: number) => ({
          version,
          schemaVersion,
          state: Uint8Array.of(byte, 0, 255)
        })
        const save = (value: EventStore.Snapshot) => store.saveSnapshot("snapshots", value)
        const load = Effect.map(store.loadSnapshot("snapshots"), (found) =>
          found === undefined ? undefined : { ...found, state: Uint8Array.from(found.state) }
        )
        assert.isUndefined(yield* load)
        yield* save(snapshot(5, 1, 5))
        yield* save(snapshot(4, 2, 4))
        assert.deepStrictEqual(yield* load, snapshot(5, 1, 5))
        yield* save(snapshot(5, 2, 6))
        assert.deepStrictEqual(yield* load, snapshot(5, 2, 6))
        yield* save(snapshot(7, 1, 7))
        assert.deepStrictEqual(yield* load, snapshot(7, 1, 7))
      })
    )

    it.effect("tells of each commit, and not of what was refused", () =>
      Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        const heard = yield* store.commits.pipe(
          Stream.filter((stream) => stream.startsWith("heard")),
          Stream.take(2),
          Stream.runCollect,
          Effect.forkChild({ startImmediately: true })
        )
        yield* store.append({ stream: "heard-1", expectedVersion: 0, events: events(2) })
        yield* Effect.flip(store.append({ stream: "heard-1", expectedVersion: 0, events: events(1) }))
        yield* store.append({ stream: "heard-2", expectedVersion: 0, events: events(1) })
        assert.deepStrictEqual(yield* Fiber.join(heard), ["heard-1", "heard-2"])
      })
    )

    it.effect("lets exactly one of many racing writers win", () =>
      Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        const results = yield* Effect.all(
          Array.from({ length: 8 }, (_, k) =>
            Effect.result(store.append({ stream: "race", expectedVersion: 0, events: [event(`By${k}`, `c${k}`)] }))
          ),
          { concurrency: "unbounded" }
        )
        const losers = results.filter(Result.isFailure).map(({ failure }) => failure._tag)
        assert.deepStrictEqual(
          losers,
          Array.from({ length: 7 }, () => "VersionConflict")
        )
        assert.lengthOf(yield* store.readStream("race"), 1)
      })
    )

    it.effect("handles a command once that is repeated concurrently", () =>
      Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        const results = yield* Effect.all(
          Array.from({ length: 8 }, () =>
            Effect.result(store.append({ stream: "repeat", expectedVersion: 0, events: [event("Done", "same")] }))
          ),
          { concurrency: "unbounded" }
        )
        const losers = results.filter(Result.isFailure).map(({ failure }) => failure._tag)
        assert.deepStrictEqual(
          losers,
          Array.from({ length: 7 }, () => "CommandAlreadyHandled")
        )
        assert.lengthOf(yield* store.eventsOfCommand("repeat", "same"), 1)
      })
    )

    it.effect("takes one event with 10,000 tasks, and 10,000 events at once", () =>
      Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        const tasks = Array.from({ length: 10_000 }, (_, k) => ({ program: "sha256sum", args: [`/data/file-${k}`] }))
        yield* store.append({ stream: "large", expectedVersion: 0, events: [event("TasksSubmitted", "c", { tasks })] })
        const [large] = yield* store.readStream("large")
        assert.deepStrictEqual(large?.data, { tasks })
        const many = yield* store.append({ stream: "many", expectedVersion: 0, events: events(10_000) })
        assert.strictEqual(many.version, 10_000)
        assert.strictEqual(yield* Stream.runCount(store.streamAll("many", { batch: 999 })), 10_000)
      })
    )
  })
