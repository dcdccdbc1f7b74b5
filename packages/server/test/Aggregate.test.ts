/**
 * The one loop between commands and events, over the memory twin of the store and over Postgres.
 */
import { assert, describe, it, layer } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Predicate, Result, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import type { Decider } from "@muster/domain/Decider"
import * as Aggregate from "../src/Aggregate.ts"
import * as EventStore from "../src/EventStore.ts"
import * as JsonSnapshot from "../src/JsonSnapshot.ts"
import * as MemoryEventStore from "../src/MemoryEventStore.ts"

type Event =
  | { readonly _tag: "Added"; readonly by: number }
  | { readonly _tag: "Taken"; readonly by: number }
  | { readonly _tag: "Rounded" }
type Command = { readonly _tag: "Add"; readonly by: number } | { readonly _tag: "Take"; readonly by: number }

/** An account that rounds up to tens by itself and refuses to go below zero. */
const account: Decider<{ readonly sum: number }, Command, Event, { readonly _tag: "TooMuch"; readonly sum: number }> = {
  initial: () => ({ sum: 0 }),
  evolve: (state, event) => {
    switch (event._tag) {
      case "Added":
        return { sum: state.sum + event.by }
      case "Taken":
        return { sum: state.sum - event.by }
      case "Rounded":
        return { sum: 0 }
    }
  },
  decide: (state, command) => {
    if (command._tag === "Add") return Result.succeed(command.by === 0 ? [] : [{ _tag: "Added", by: command.by }])
    if (command.by < 0) return Result.succeed([])
    return state.sum < command.by
      ? Result.fail({ _tag: "TooMuch", sum: state.sum })
      : Result.succeed([{ _tag: "Taken", by: command.by }])
  },
  follow: (state) => (state.sum === 1_000 ? [{ _tag: "Rounded" }] : [])
}

const define = (
  stream: string
): Aggregate.Definition<
  { readonly sum: number },
  Command,
  Event,
  { readonly _tag: "TooMuch"; readonly sum: number }
> => ({
  stream,
  decider: account,
  schemaVersion: 1,
  decode: (recorded) => ({ _tag: recorded.type, ...(recorded.data as object) }) as Event
})

const add = (by: number, commandId?: string) => ({
  command: (): Command => ({ _tag: "Add", by }),
  actor: "test",
  commandId,
  answer: (_events: unknown, state: { readonly sum: number }) => state.sum
})

type Asked = Aggregate.Asked<{ readonly sum: number }, Command, Event, unknown>

const take = (by: number) => ({
  command: (): Command => ({ _tag: "Take", by }),
  actor: "test",
  answer: (_events: unknown, state: { readonly sum: number }) => state.sum
})

const types = (events: ReadonlyArray<{ readonly type: string }>) => events.map((event) => event.type)

const MemoryStore = MemoryEventStore.layerMemory

layer(MemoryStore)("Aggregate", (test) => {
  test.effect("answers each command from the state that it left, in one commit for all that waited", () =>
    Effect.gen(function* () {
      const store = yield* EventStore.EventStore
      const aggregate = yield* Aggregate.make(define("account-batch"))
      const sums = yield* Effect.all(
        [1, 2, 3].map((by) => aggregate.ask(add(by))),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(sums, [1, 3, 6])
      assert.deepStrictEqual(types(yield* store.readStream("account-batch")), ["Added", "Added", "Added"])
    })
  )

  test.effect("commits what is heavy in several steps, in order, so that others are heard between them", () =>
    Effect.gen(function* () {
      const store = yield* EventStore.EventStore
      const commits: Array<number> = []
      const counted = EventStore.EventStore.of({
        ...store,
        append: (append) => {
          commits.push(append.events.length)
          return store.append(append)
        }
      })
      const aggregate = yield* Aggregate.make(define("account-heavy")).pipe(
        Effect.provideService(EventStore.EventStore, counted)
      )
      const weights = [400, 600, 1, 1, 9_000, 1]
      const sums = yield* Effect.all(
        weights.map((weight) => aggregate.ask({ ...add(1), weight })),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(sums, [1, 2, 3, 4, 5, 6])
      assert.deepStrictEqual(commits, [2, 2, 1, 1])
    })
  )

  test.effect("lets a refused command disturb no other", () =>
    Effect.gen(function* () {
      const aggregate = yield* Aggregate.make(define("account-refused"))
      const [first, refused, second] = yield* Effect.all(
        [aggregate.ask(add(5)), Effect.flip(aggregate.ask(take(7))), aggregate.ask(take(5))],
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual([first, refused, second], [5, { _tag: "TooMuch", sum: 5 }, 0])
    })
  )

  test.effect("stores what follows by itself together with what caused it", () =>
    Effect.gen(function* () {
      const store = yield* EventStore.EventStore
      const aggregate = yield* Aggregate.make(define("account-follow"))
      assert.strictEqual(yield* aggregate.ask(add(1_000, "big")), 0)
      const events = yield* store.eventsOfCommand("account-follow", "big")
      assert.deepStrictEqual(types(events), ["Added", "Rounded"])
    })
  )

  test.effect("answers a repeated command from its first events, and stores nothing", () =>
    Effect.gen(function* () {
      const store = yield* EventStore.EventStore
      const aggregate = yield* Aggregate.make(define("account-repeat"))
      const asked = {
        ...add(4, "once"),
        answer: (events: ReadonlyArray<Aggregate.Versioned<Event>>) => events.map(({ version }) => version)
      }
      const first = yield* aggregate.ask(asked)
      const again = yield* aggregate.ask(asked)
      assert.deepStrictEqual([first, again], [[1], [1]])
      assert.strictEqual(yield* store.lastVersion("account-repeat"), 1)
    })
  )

  test.effect("knows a command that another instance carried out, and carries out the others of the batch", () =>
    Effect.gen(function* () {
      const store = yield* EventStore.EventStore
      const scope = yield* Scope.make()
      const before = yield* Aggregate.make(define("account-moved")).pipe(Scope.provide(scope))
      yield* before.ask(add(4, "once"))
      yield* Scope.close(scope, Exit.void)
      const after = yield* Aggregate.make(define("account-moved"))
      const sums = yield* Effect.all([after.ask(add(4, "once")), after.ask(add(1, "twice"))], {
        concurrency: "unbounded"
      })
      assert.strictEqual(sums[1], 5)
      assert.strictEqual(yield* store.lastVersion("account-moved"), 2)
    })
  )

  test.effect("carries out once what is asked twice at once", () =>
    Effect.gen(function* () {
      const store = yield* EventStore.EventStore
      const aggregate = yield* Aggregate.make(define("account-twice"))
      const sums = yield* Effect.all([aggregate.ask(add(4, "once")), aggregate.ask(add(4, "once"))], {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(sums, [4, 4])
      assert.strictEqual(yield* store.lastVersion("account-twice"), 1)
    })
  )

  /** Asked again of an instance that knows nothing of the first time. */
  const again = (stream: string, first: ReturnType<typeof add>, second: Asked) =>
    Effect.gen(function* () {
      const before = yield* Aggregate.make(define(stream))
      yield* before.ask(add(5))
      yield* before.ask(first)
      const store = yield* EventStore.EventStore
      const version = yield* store.lastVersion(stream)
      const after = yield* Aggregate.make(define(stream))
      const answer = yield* after.ask(second)
      assert.strictEqual(yield* store.lastVersion(stream), version)
      return answer
    })

  const versions = (events: ReadonlyArray<Aggregate.Versioned<Event>>) => events.map(({ version }) => version)

  test.effect("gives the first answer to a repeated command that would be refused for what it did itself", () =>
    Effect.gen(function* () {
      const asked = { ...take(5), commandId: "all", answer: versions }
      const first = { ...add(0, "all"), command: asked.command }
      assert.deepStrictEqual(yield* again("account-refused-again", first, asked), [2])
    })
  )

  test.effect("gives the first answer to a repeated command that finds nothing to do, and does not let it wait", () =>
    Effect.gen(function* () {
      const asked = { ...add(0, "some"), answer: versions, wait: { limit: 60_000, while: () => true } }
      assert.deepStrictEqual(yield* again("account-nothing-again", add(3, "some"), asked), [2])
    })
  )

  test.effect("withdraws a command that waits when it is asked again without waiting", () =>
    Effect.gen(function* () {
      const aggregate = yield* Aggregate.make(define("account-withdrawn"))
      yield* aggregate.ask(add(1))
      const asked = { ...add(0, "later"), answer: versions }
      const waiting = yield* Effect.forkChild(aggregate.ask({ ...asked, wait: { limit: 60_000, while: () => true } }), {
        startImmediately: true
      })
      assert.deepStrictEqual(yield* aggregate.ask(asked), [])
      assert.deepStrictEqual(yield* Fiber.join(waiting), [])
    })
  )

  test.effect("answers a command that waits while another instance carries it out", () =>
    Effect.gen(function* () {
      const store = yield* EventStore.EventStore
      const one = yield* Aggregate.make(define("account-elsewhere"))
      yield* one.ask(add(1))
      let by = 0
      const waiting = yield* Effect.forkChild(
        one.ask({
          command: (): Command => ({ _tag: "Add", by }),
          actor: "test",
          commandId: "w",
          answer: versions,
          wait: { limit: 60_000, while: () => true }
        }),
        { startImmediately: true }
      )
      yield* one.look((state) => state.sum)
      const other = yield* Aggregate.make(define("account-elsewhere"))
      yield* other.ask(add(4, "w"))
      by = 4
      assert.strictEqual(yield* one.ask(add(2)), 7)
      assert.deepStrictEqual(yield* Fiber.join(waiting), [2])
      assert.strictEqual(yield* store.lastVersion("account-elsewhere"), 3)
    })
  )

  test.effect("does not look again and again for what a state asked for in vain", () =>
    Effect.gen(function* () {
      let decided = 0
      const aggregate = yield* Aggregate.make({
        ...define("account-restless"),
        decider: {
          ...account,
          decide: (state: { readonly sum: number }, command: Command) => {
            decided++
            return account.decide(state, command)
          }
        },
        wakeAt: () => 500
      })
      const waiting = yield* Effect.forkChild(aggregate.ask({ ...add(0), wait: { limit: 1_000, while: () => true } }), {
        startImmediately: true
      })
      yield* aggregate.look((state) => state.sum)
      for (let tick = 0; tick < 100; tick++) yield* TestClock.adjust(10)
      yield* Fiber.join(waiting)
      // When it came, with the look at the state, when the state had asked for it, when its time was over.
      assert.isAtMost(decided, 4)
    })
  )

  test.effect("keeps a command that waits until another one gives it something to do", () =>
    Effect.gen(function* () {
      const aggregate = yield* Aggregate.make(define("account-wait"))
      const waiting = yield* Effect.forkChild(
        aggregate.ask({
          command: (): Command => ({ _tag: "Take", by: -1 }),
          actor: "test",
          answer: (_events, state) => state.sum,
          wait: { limit: 60_000, while: (state) => state.sum < 3 }
        })
      )
      yield* aggregate.ask(add(1))
      assert.isUndefined(waiting.pollUnsafe())
      yield* aggregate.ask(add(2))
      assert.strictEqual(yield* Fiber.join(waiting), 3)
    })
  )

  test.effect("answers a command that waits in vain when its time is over", () =>
    Effect.gen(function* () {
      const aggregate = yield* Aggregate.make(define("account-vain"))
      const waiting = yield* Effect.forkChild(
        aggregate.ask({
          command: (): Command => ({ _tag: "Add", by: 0 }),
          actor: "test",
          answer: (events) => events.length,
          wait: { limit: 5_000, while: () => true }
        })
      )
      yield* aggregate.look((state) => state.sum)
      yield* TestClock.adjust(4_999)
      assert.isUndefined(waiting.pollUnsafe())
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* Fiber.join(waiting), 0)
    })
  )

  test.effect("of two instances that believe that they own a stream exactly one wins, and the other lets go", () =>
    Effect.gen(function* () {
      const store = yield* EventStore.EventStore
      const one = yield* Aggregate.make(define("account-fence"))
      const other = yield* Aggregate.make(define("account-fence"))
      yield* Effect.all([one.look((state) => state.sum), other.look((state) => state.sum)])
      yield* one.ask(add(1))
      const late = yield* Effect.flip(other.ask(add(2)))
      assert.strictEqual(late._tag, "Unavailable")
      assert.strictEqual(yield* store.lastVersion("account-fence"), 1)
      // It stands still, so that whoever owns the stream is left alone. What it believed is forgotten: then it has read
      // what the winner wrote.
      const look = yield* Effect.forkChild(other.look((state) => state.sum))
      yield* TestClock.adjust(900)
      assert.isUndefined(look.pollUnsafe())
      yield* TestClock.adjust(100)
      assert.strictEqual(yield* Fiber.join(look), 1)
    })
  )

  test.effect("goes on from a snapshot, and from the start when the snapshot is of an unknown shape", () =>
    Effect.gen(function* () {
      const store = yield* EventStore.EventStore
      const snapshot = {
        ...JsonSnapshot.make(Schema.Struct({ sum: Schema.Number }), { schemaVersion: 1 }),
        every: () => 2
      }
      const scope = yield* Scope.make()
      const before = yield* Aggregate.make({ ...define("account-snapshot"), snapshot }).pipe(Scope.provide(scope))
      for (const by of [1, 2, 3]) yield* before.ask(add(by))
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual((yield* store.loadSnapshot("account-snapshot"))?.version, 3)
      const read: Array<number> = []
      const counting = (shape: number) => ({
        ...define("account-snapshot"),
        snapshot: { ...snapshot, schemaVersion: shape },
        decode: (recorded: { readonly version: number; readonly type: string; readonly data: unknown }) => {
          read.push(recorded.version)
          return { _tag: recorded.type, ...(recorded.data as object) } as Event
        }
      })
      const same = yield* Aggregate.make(counting(1))
      assert.strictEqual(yield* same.look((state) => state.sum), 6)
      assert.deepStrictEqual(read, [])
      const newer = yield* Aggregate.make(counting(2))
      assert.strictEqual(yield* newer.look((state) => state.sum), 6)
      assert.deepStrictEqual(read, [1, 2, 3])
    })
  )

  test.effect("saves a snapshot again when it closes while one is being saved", () =>
    Effect.gen(function* () {
      const store = yield* EventStore.EventStore
      const snapshot = {
        ...JsonSnapshot.make(Schema.Struct({ sum: Schema.Number }), { schemaVersion: 1 }),
        every: () => 1
      }
      const saving = yield* Deferred.make<void>()
      let attempts = 0
      const scope = yield* Scope.make()
      const aggregate = yield* Aggregate.make({ ...define("account-half-saved"), snapshot }).pipe(
        Scope.provide(scope),
        Effect.provideService(EventStore.EventStore, {
          ...store,
          saveSnapshot: (stream, saved) =>
            attempts++ === 0
              ? Effect.andThen(Deferred.succeed(saving, undefined), Effect.never)
              : store.saveSnapshot(stream, saved)
        })
      )
      yield* aggregate.ask(add(7))
      yield* Deferred.await(saving)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual((yield* store.loadSnapshot("account-half-saved"))?.version, 1)
    })
  )
})

describe("Aggregate with a store that fails", () => {
  /** The memory twin, whose appends fail as long as the switch is on: before they are made, or after. */
  const failing = (options: { readonly after: boolean }) =>
    Layer.effect(
      EventStore.EventStore,
      Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        let failures = 2
        const error = new EventStore.EventStoreError({ operation: "append", cause: "gone", retryable: true })
        return EventStore.EventStore.of({
          ...store,
          append: (append) => {
            if (failures-- <= 0) return store.append(append)
            return options.after ? Effect.andThen(store.append(append), Effect.fail(error)) : Effect.fail(error)
          }
        })
      })
    ).pipe(Layer.provide(MemoryStore))

  it.live("carries a command through an outage", () =>
    Effect.gen(function* () {
      const aggregate = yield* Aggregate.make(define("account-outage"))
      assert.strictEqual(yield* aggregate.ask(add(2, "a")), 2)
    }).pipe(Effect.provide(failing({ after: false })))
  )

  it.live("does nothing twice when the connection broke after the commit", () =>
    Effect.gen(function* () {
      const store = yield* EventStore.EventStore
      const aggregate = yield* Aggregate.make(define("account-unknown"))
      const sums = yield* Effect.all([aggregate.ask(add(2, "a")), aggregate.ask(add(3, "b"))], {
        concurrency: "unbounded"
      })
      assert.strictEqual(sums[1], 5)
      assert.strictEqual(yield* store.lastVersion("account-unknown"), 2)
    }).pipe(Effect.provide(failing({ after: true })))
  )

  it.effect("lets a command that cannot be stored keep no other from it", () =>
    Effect.gen(function* () {
      const store = yield* EventStore.EventStore
      const final = new EventStore.EventStoreError({ operation: "append", cause: "no such number", retryable: false })
      const aggregate = yield* Aggregate.make(define("account-poison")).pipe(
        Effect.provideService(EventStore.EventStore, {
          ...store,
          append: (append) =>
            append.events.some(({ data }) => Predicate.hasProperty(data, "by") && data.by === 13)
              ? Effect.fail(final)
              : store.append(append)
        })
      )
      const [first, poison, second] = yield* Effect.all(
        [aggregate.ask(add(1, "a")), Effect.flip(aggregate.ask(add(13, "b"))), aggregate.ask(add(2, "c"))],
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual([first, poison._tag, second], [1, "Unavailable", 3])
    }).pipe(Effect.provide(MemoryStore))
  )

  it.effect("refuses what it has not answered when it closes, and what comes later, so that both are asked again", () =>
    Effect.gen(function* () {
      const store = yield* EventStore.EventStore
      const appending = yield* Deferred.make<void>()
      const scope = yield* Scope.make()
      const aggregate = yield* Aggregate.make(define("account-closing")).pipe(
        Scope.provide(scope),
        Effect.provideService(EventStore.EventStore, {
          ...store,
          append: () => Effect.andThen(Deferred.succeed(appending, undefined), Effect.never)
        })
      )
      const parked = yield* Effect.forkChild(
        aggregate.ask({ ...take(-1), wait: { limit: 60_000, while: () => true } }),
        { startImmediately: true }
      )
      yield* aggregate.look(() => undefined)
      const taken = yield* Effect.forkChild(aggregate.ask(add(1)), { startImmediately: true })
      yield* Deferred.await(appending)
      const waiting = yield* Effect.forkChild(aggregate.ask(add(2)), { startImmediately: true })
      yield* Scope.close(scope, Exit.void)
      for (const fiber of [parked, taken, waiting]) {
        assert.strictEqual((yield* Effect.flip(Fiber.join(fiber)))._tag, "Unavailable")
      }
      assert.strictEqual((yield* Effect.flip(aggregate.ask(add(3))))._tag, "Unavailable")
    }).pipe(Effect.provide(MemoryStore))
  )

  it.effect("answers with Unavailable when its patience is over", () =>
    Effect.gen(function* () {
      const never = yield* Deferred.make<never, EventStore.EventStoreError>()
      yield* Deferred.fail(
        never,
        new EventStore.EventStoreError({ operation: "append", cause: "gone", retryable: true })
      )
      const store = yield* EventStore.EventStore
      const aggregate = yield* Aggregate.make(define("account-down")).pipe(
        Effect.provideService(EventStore.EventStore, { ...store, append: () => Deferred.await(never) })
      )
      const asking = yield* Effect.forkChild(Effect.flip(aggregate.ask(add(2, "a"))))
      yield* TestClock.adjust(60_000)
      assert.strictEqual((yield* Fiber.join(asking))._tag, "Unavailable")
    }).pipe(Effect.provide(MemoryStore))
  )
})
