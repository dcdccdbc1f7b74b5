/**
 * The only loop that turns commands into events. It owns one stream: loads and folds it (snapshot first), then for each
 * batch of waiting commands decides all of them, appends once, and only then answers. That is group commit: the cost of
 * a commit is shared by everything that came while the one before it was under way, and a lone command waits for nobody.
 *
 * Commands are decided each against the state that the one before it left. A refused one costs nothing and disturbs no
 * other. A command id that is in the stream already is answered from the events that it caused the first time.
 */
import { Cause, Clock, Deferred, Effect, Exit, Queue, Result } from "effect"
import type { Scope } from "effect"
import type { Decider } from "@muster/domain/Decider"
import { Unavailable } from "@muster/domain/Errors"
import type { Recorded } from "@muster/domain/Recorded"
import type { Append, CommandAlreadyHandled, EventStoreError, NewEvent, VersionConflict } from "./EventStore.ts"
import { EventStore } from "./EventStore.ts"
import * as LogEvent from "./LogEvent.ts"

/** An event with the version that it has, or will have once the append is through. */
export interface Versioned<Event> {
  readonly event: Event
  readonly version: number
}

/** Changes of read models, for `EventStore.Append`. */
export type Writes = Required<Pick<Append, "writes" | "sequential">>

/** Gathers the changes of read models that are committed with some events. */
export interface RowChanges<State, Event> {
  /**
   * Shown each event in order, with the state that it comes to. The event changes that state in place, so what is needed of
   * it is read at once.
   */
  readonly add: (before: State, versioned: Versioned<Event>) => void
  /** All that the events change, given the state that the last one left. */
  readonly writes: (after: State) => Writes
}

/** What an aggregate is made of. */
export interface Definition<State, Command, Event extends { readonly _tag: string }, Error> {
  readonly stream: string
  readonly decider: Decider<State, Command, Event, Error>
  /** Version of the shape of the events that are written. */
  readonly schemaVersion: number
  /** Brings an event of the log, of whatever version, to today's shape. */
  readonly decode: (recorded: Recorded) => Event
  /** Begins to gather what a commit changes in read models. */
  readonly rows?: () => RowChanges<State, Event>
  readonly snapshot?: {
    /** What it costs to read an event again, in any unit (default 1). */
    readonly cost?: (event: Event) => number
    /** Between two snapshots: what reading again may cost, which for a large state should be more. */
    readonly every: (state: State) => number
    readonly schemaVersion: number
    readonly encode: (state: State) => Uint8Array | undefined
    /** `undefined` for a shape that is not known: then the stream is read from its start. */
    readonly decode: (bytes: Uint8Array) => State | undefined
  }
  /** Called after each commit, before the answers go out. Must not wait. */
  readonly committed?: (state: State, events: ReadonlyArray<Versioned<Event>>) => Effect.Effect<void>
  /** When the state asks to be looked at again without a command (milliseconds since 1970): parked commands are retried. */
  readonly wakeAt?: (state: State) => number | undefined
}

/** How a command is asked, beside the command itself. */
export interface Asked<State, Command, Event, A> {
  readonly command: (now: number) => Command
  /** As it stands in the events. */
  readonly actor: string
  /** Absent for what repeats harmlessly by itself. */
  readonly commandId?: string | undefined
  /** How many things it speaks of (default 1). */
  readonly weight?: number | undefined
  /** The answer, from the events that the command caused and the state that they left. */
  readonly answer: (events: ReadonlyArray<Versioned<Event>>, state: State) => A
  /**
   * With it a command that causes nothing is parked and decided again after every other command, for up to `limit`
   * milliseconds, as long as `while` says so.
   */
  readonly wait?: { readonly limit: number; readonly while: (state: State) => boolean } | undefined
}

export interface Aggregate<State, Command, Event, Error> {
  readonly ask: <A>(asked: Asked<State, Command, Event, A>) => Effect.Effect<A, Error | Unavailable>
  /** Looks at the state between two commits. Must not change it, nor keep it. */
  readonly look: <A>(at: (state: State) => A) => Effect.Effect<A, Error | Unavailable>
}

/** Commands in one commit at most. */
const maxBatch = 512

/** What the commands of one commit may weigh: others want to be heard between two commits, and within 10 ms. */
const maxWeight = 1_000

/** How long a command waits for a store that cannot be reached before it is answered with `Unavailable`. Milliseconds. */
const storePatience = 15_000

/**
 * How long an instance that was fenced stands still: by then the cluster has found out who owns the stream, and closes
 * this instance if it is the other one. Milliseconds.
 */
const fencedPause = 1_000

/** Commands that are looked up in the store at a time. */
const lookupConcurrency = 8

/** Command ids that are remembered so that a quick repetition need not ask the store. */
const rememberedCommands = 4_096

interface Entry<State, Command, Event, Error> {
  /** A command, or only a look at the state. */
  readonly asked: Asked<State, Command, Event, unknown> | ((state: State) => unknown)
  readonly reply: Deferred.Deferred<unknown, Error | Unavailable>
  /** When it was asked, milliseconds since 1970. */
  readonly since: number
  /** Whoever asked does not wait any more. */
  gone: boolean
  /** The store was asked for its command, and does not know it. */
  isNew: boolean
}

/** A command that gives nothing now. If the store knows it, its first answer counts, else this one; none: it waits. */
interface Doubtful<State, Command, Event, Error> {
  readonly entry: Entry<State, Command, Event, Error>
  readonly asked: Asked<State, Command, Event, unknown>
  readonly answer: Exit.Exit<unknown, Error> | undefined
}

const weightOf = <State, Command, Event, Error>({ asked }: Entry<State, Command, Event, Error>): number =>
  typeof asked === "function" ? 0 : (asked.weight ?? 1)

const commandIdOf = <State, Command, Event, Error>(entry: Entry<State, Command, Event, Error>): string | undefined =>
  typeof entry.asked === "function" ? undefined : entry.asked.commandId

export const make = <State, Command, Event extends { readonly _tag: string }, Error>(
  definition: Definition<State, Command, Event, Error>
): Effect.Effect<Aggregate<State, Command, Event, Error>, never, EventStore | Scope.Scope> =>
  Effect.gen(function* () {
    const store = yield* EventStore
    const scope = yield* Effect.scope
    const { decider, stream } = definition
    const closing = `${stream} is moving to another coordinator, or to rest`
    type AnyEntry = Entry<State, Command, Event, Error>
    type AnyAsked = Asked<State, Command, Event, unknown>
    const inbox = yield* Queue.unbounded<AnyEntry>()
    const parked = new Set<AnyEntry>()
    // What was taken from the inbox and is being carried out.
    let taken: ReadonlyArray<AnyEntry> = []
    let isClosed = false
    const remembered = new Set<string>()

    // Loaded state; undefined when it must be loaded (again): at the start, and whenever an append did not go through,
    // because the decider may have changed the state in place.
    let loaded: { state: State; version: number } | undefined
    let snapshotVersion = 0
    // What it would cost to read again what came after the latest snapshot.
    let unsaved = 0
    let isSaving = false
    const cost = definition.snapshot?.cost ?? (() => 1)
    // Time of the last pass: what the state asked for until then has been tried.
    let lookedAt = 0

    const load = Effect.gen(function* () {
      if (loaded !== undefined) return loaded
      const stored = definition.snapshot === undefined ? undefined : yield* store.loadSnapshot(stream)
      const usable =
        stored !== undefined && stored.schemaVersion === definition.snapshot?.schemaVersion
          ? definition.snapshot.decode(stored.state)
          : undefined
      let state = usable ?? decider.initial()
      let version = usable === undefined ? 0 : (stored?.version ?? 0)
      snapshotVersion = version
      unsaved = 0
      for (;;) {
        const events = yield* store.readStream(stream, { after: version, limit: loadBatch })
        for (const recorded of events) {
          const event = definition.decode(recorded)
          state = decider.evolve(state, event)
          version = recorded.version
          unsaved += cost(event)
        }
        if (events.length < loadBatch) break
      }
      loaded = { state, version }
      return loaded
    })

    const remember = (commandId: string) => {
      remembered.add(commandId)
      if (remembered.size > rememberedCommands) {
        const [oldest] = remembered
        if (oldest !== undefined) remembered.delete(oldest)
      }
    }

    /** What a command caused the first time, if the store knows it. */
    const causedBefore = (commandId: string) =>
      Effect.map(store.eventsOfCommand(stream, commandId), (recorded) =>
        recorded.map((one) => ({ event: definition.decode(one), version: one.version }))
      )

    /** One pass over waiting commands: decides, appends, and gives what to answer. Nothing is answered on failure. */
    const commit = Effect.fnUntraced(function* (entries: ReadonlyArray<AnyEntry>, known: ReadonlySet<string>) {
      const current = yield* load
      const now = yield* Clock.currentTimeMillis
      const appended: Array<Versioned<Event>> = []
      const news: Array<NewEvent> = []
      const rows = definition.rows?.()
      const answers: Array<readonly [AnyEntry, Exit.Exit<unknown, Error>]> = []
      const doubtful: Array<Doubtful<State, Command, Event, Error>> = []
      // Commands of this pass that are answered, with what they caused: the same one may have been asked twice at once.
      const done = new Map<string, ReadonlyArray<Versioned<Event>>>()
      let state = current.state
      // From here on the state may be ahead of the store, so it is out of use until the append is through.
      loaded = undefined
      const record = (events: ReadonlyArray<Event>, asked: AnyAsked) => {
        for (const event of events) {
          const versioned = { event, version: current.version + appended.length + 1 }
          rows?.add(state, versioned)
          state = decider.evolve(state, event)
          appended.push(versioned)
          unsaved += cost(event)
          news.push({
            ...LogEvent.encode(event),
            metadata: {
              actor: asked.actor,
              schemaVersion: definition.schemaVersion,
              ...(asked.commandId === undefined ? {} : { commandId: asked.commandId })
            }
          })
        }
      }
      const decideOne = (entry: AnyEntry, asked: AnyAsked) => {
        const repeated = asked.commandId === undefined ? undefined : done.get(asked.commandId)
        if (repeated !== undefined) {
          const answer = Exit.succeed(asked.answer(repeated, state))
          if (repeated.length > 0) answers.push([entry, answer])
          else doubtful.push({ entry, asked, answer })
          return
        }
        const decision = decider.decide(state, asked.command(now))
        if (Result.isFailure(decision)) {
          doubtful.push({ entry, asked, answer: Exit.fail(decision.failure) })
          return
        }
        if (decision.success.length === 0 && isWaiting(asked, entry.since, state, now)) {
          doubtful.push({ entry, asked, answer: undefined })
          return
        }
        const first = appended.length
        record(decision.success, asked)
        for (;;) {
          const following = decider.follow?.(state, now) ?? []
          if (following.length === 0) break
          record(following, asked)
        }
        const events = appended.slice(first)
        if (asked.commandId !== undefined) done.set(asked.commandId, events)
        // The answer is shaped now: later commands may change the state that it speaks of.
        const answer = Exit.succeed(asked.answer(events, state))
        if (events.length > 0) answers.push([entry, answer])
        else doubtful.push({ entry, asked, answer })
      }
      for (const entry of [...entries, ...parked]) {
        const { asked, gone } = entry
        if (gone) continue
        if (typeof asked === "function") {
          answers.push([entry, Exit.succeed(asked(state))])
        } else if (asked.commandId !== undefined && known.has(asked.commandId)) {
          const events = yield* causedBefore(asked.commandId)
          answers.push([entry, Exit.succeed(asked.answer(events, state))])
        } else {
          decideOne(entry, asked)
        }
      }
      // A command that is repeated may find that all is as it wants already, or be refused for what it did itself.
      const waiting: Array<AnyEntry> = []
      yield* Effect.forEach(
        doubtful,
        Effect.fnUntraced(function* ({ answer, asked, entry }) {
          const { commandId } = asked
          if (commandId !== undefined && !entry.isNew && current.version > 0) {
            const events = yield* causedBefore(commandId)
            if (events.length > 0) {
              answers.push([entry, Exit.succeed(asked.answer(events, state))])
              return
            }
          }
          entry.isNew = true
          // Asked again without waiting, it waits no more.
          const repeated = commandId === undefined ? undefined : done.get(commandId)
          if (answer !== undefined) answers.push([entry, answer])
          else if (repeated !== undefined) answers.push([entry, Exit.succeed(asked.answer(repeated, state))])
          else waiting.push(entry)
        }),
        { concurrency: lookupConcurrency, discard: true }
      )
      let version = current.version
      if (news.length > 0) {
        const result = yield* store.append({ stream, expectedVersion: version, events: news, ...rows?.writes(state) })
        version = result.version
      }
      loaded = { state, version }
      lookedAt = now
      parked.clear()
      for (const entry of waiting) parked.add(entry)
      if (appended.length > 0 && definition.committed !== undefined) yield* definition.committed(state, appended)
      // Who has waited longest first: a standing lease before the submission that it was given, whose task it can begin.
      answers.sort(([one], [other]) => one.since - other.since)
      for (const [entry, answer] of answers) {
        const commandId = commandIdOf(entry)
        if (commandId !== undefined && Exit.isSuccess(answer)) remember(commandId)
        Deferred.doneUnsafe(entry.reply, answer)
      }
      yield* saveSnapshot
    })

    const isWaiting = ({ wait }: AnyAsked, since: number, state: State, now: number): boolean =>
      wait !== undefined && now < since + wait.limit && wait.while(state)

    /** Beside the commits that follow: what is saved is a copy. */
    const saveSnapshot = Effect.suspend(() => {
      if (definition.snapshot === undefined || loaded === undefined || isSaving) return Effect.void
      if (unsaved < definition.snapshot.every(loaded.state)) return Effect.void
      isSaving = true
      const done = Effect.sync(() => {
        isSaving = false
      })
      return Effect.forkIn(Effect.ensuring(writeSnapshot, done), scope, { startImmediately: true })
    })

    const writeSnapshot = Effect.suspend(() => {
      const { snapshot } = definition
      if (snapshot === undefined || loaded === undefined || loaded.version === snapshotVersion) return Effect.void
      const { state, version } = loaded
      const bytes = snapshot.encode(state)
      if (bytes === undefined) return Effect.void
      unsaved = 0
      return store.saveSnapshot(stream, { version, schemaVersion: snapshot.schemaVersion, state: bytes }).pipe(
        // Only now: one that is interrupted half way, because the actor closes, is taken again by the finalizer.
        Effect.andThen(
          Effect.sync(() => {
            snapshotVersion = Math.max(snapshotVersion, version)
          })
        ),
        Effect.catch((error) => Effect.logWarning(`snapshot of ${stream} not saved`, error))
      )
    })

    /**
     * Carries a batch through whatever the store does. A store that cannot be reached is tried again, since the command
     * ids make that safe; another writer means that this instance is no longer the owner, so it lets go of everything.
     */
    const carryThrough = (entries: ReadonlyArray<AnyEntry>): Effect.Effect<void> =>
      Effect.gen(function* () {
        const known = new Set<string>()
        for (const entry of entries) {
          const commandId = commandIdOf(entry)
          if (commandId !== undefined && remembered.has(commandId)) known.add(commandId)
        }
        const started = yield* Clock.currentTimeMillis
        for (let attempt = 0; ; attempt++) {
          const exit = yield* Effect.exit(commit(entries, known))
          if (Exit.isSuccess(exit)) return
          loaded = undefined
          const failure = Cause.findErrorOption(exit.cause)
          if (failure._tag === "None") {
            if (Cause.hasInterruptsOnly(exit.cause)) return yield* Effect.interrupt
            // A bug in a decider or a projection. The state is not to be trusted: the next pass starts from what is stored.
            if (entries.length > 1) return yield* oneByOne(entries)
            yield* Effect.logError(`commit to ${stream} died`, exit.cause)
            return refuseAll(entries, `${stream} failed unexpectedly; the coordinator's log says more`)
          }
          const error: CommandAlreadyHandled | VersionConflict | EventStoreError = failure.value
          if (error._tag === "CommandAlreadyHandled") {
            for (const id of error.commandIds) known.add(id)
            continue
          }
          const now = yield* Clock.currentTimeMillis
          if (error._tag === "EventStoreError" && error.retryable && now - started < storePatience) {
            yield* Effect.sleep(Math.min(50 * 2 ** attempt, 1_000))
            continue
          }
          if (error._tag === "VersionConflict") {
            yield* Effect.logWarning(`fenced: ${error.message}`)
            refuseAll(entries, error.message)
            return yield* Effect.sleep(fencedPause)
          }
          if (!error.retryable && entries.length > 1) return yield* oneByOne(entries)
          yield* Effect.logError(`commit to ${stream} failed`, error)
          return refuseAll(entries, error.message)
        }
      })

    /** What one command makes impossible must not keep the others from being carried out. */
    const oneByOne = (entries: ReadonlyArray<AnyEntry>): Effect.Effect<void> =>
      Effect.forEach(entries, (entry) => carryThrough([entry]), { discard: true })

    /** Whoever is refused asks again, and finds the stream's owner wherever it is by then. */
    const refuseAll = (entries: ReadonlyArray<AnyEntry>, reason: string) => {
      const refusal = Exit.fail(new Unavailable({ reason }))
      for (const entry of [...entries, ...parked]) Deferred.doneUnsafe(entry.reply, refusal)
      parked.clear()
    }

    /** Waits for commands, or until parked ones are worth another look. */
    const nextBatch = Effect.gen(function* () {
      const wake = yield* nextWake
      if (wake === undefined) return yield* Queue.takeBetween(inbox, 1, maxBatch)
      const now = yield* Clock.currentTimeMillis
      const some = yield* Effect.timeoutOption(Queue.takeBetween(inbox, 1, maxBatch), Math.max(wake - now, 1))
      return some._tag === "Some" ? some.value : []
    })

    const nextWake = Effect.sync((): number | undefined => {
      let wake: number | undefined
      for (const entry of parked) {
        if (entry.gone) {
          parked.delete(entry)
          continue
        }
        const until = entry.since + (typeof entry.asked === "function" ? 0 : (entry.asked.wait?.limit ?? 0))
        if (wake === undefined || until < wake) wake = until
      }
      if (wake === undefined) return undefined
      const byState = loaded === undefined ? undefined : definition.wakeAt?.(loaded.state)
      return byState === undefined || byState <= lookedAt ? wake : Math.min(wake, byState)
    })

    // Once the loop has ended, whatever it leaves: an append that was under way may be through, and the same command id
    // asked again tells.
    yield* Effect.addFinalizer(() =>
      Effect.gen(function* () {
        isClosed = true
        refuseAll([...taken, ...(yield* Queue.clear(inbox))], closing)
      })
    )
    yield* nextBatch.pipe(
      Effect.flatMap((batch) => {
        taken = batch
        return Effect.forEach(ofWeight(batch, weightOf), carryThrough, { discard: true })
      }),
      Effect.forever,
      Effect.forkScoped
    )
    yield* Effect.addFinalizer(() => writeSnapshot)

    const enqueue = (asked: AnyEntry["asked"]) =>
      Effect.gen(function* () {
        if (isClosed) return yield* new Unavailable({ reason: closing })
        const since = yield* Clock.currentTimeMillis
        const reply = yield* Deferred.make<unknown, Error | Unavailable>()
        const entry: AnyEntry = { asked, reply, since, gone: false, isNew: false }
        yield* Queue.offer(inbox, entry)
        return yield* Effect.onInterrupt(Deferred.await(reply), () =>
          Effect.sync(() => {
            entry.gone = true
          })
        )
      })

    return {
      // A reply is completed only with what the entry's own function gave.
      ask: <A>(asked: Asked<State, Command, Event, A>) => enqueue(asked) as Effect.Effect<A, Error | Unavailable>,
      look: <A>(at: (state: State) => A) => enqueue(at) as Effect.Effect<A, Error | Unavailable>
    }
  })

/** Cuts a list into runs that weigh no more than a commit may; what is heavier by itself is alone. At least one run. */
const ofWeight = <A>(all: ReadonlyArray<A>, weigh: (one: A) => number): ReadonlyArray<ReadonlyArray<A>> => {
  const runs: Array<Array<A>> = [[]]
  let weight = 0
  for (const one of all) {
    const own = weigh(one)
    if (weight > 0 && weight + own > maxWeight) {
      runs.push([])
      weight = 0
    }
    runs.at(-1)?.push(one)
    weight += own
  }
  return runs
}

/** Events fetched at once while loading: each may hold ten thousand tasks. */
const loadBatch = 32
