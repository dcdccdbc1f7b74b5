/**
 * Postgres as coordinators see it: the event store (its memory twin, behind a network and with faults) and the locks that
 * say who hosts which shard (with the rules of `server/PgRunnerStorage.ts`).
 */
import { Clock, Context, Effect, Exit, Stream } from "effect"
import { PersistenceError } from "effect/cluster/ClusterError"
import * as MachineId from "effect/cluster/MachineId"
import type { Runner } from "effect/cluster/Runner"
import type { RunnerAddress } from "effect/cluster/RunnerAddress"
import * as RunnerStorage from "effect/cluster/RunnerStorage"
import type * as ShardId from "effect/cluster/ShardId"
import type { Recorded } from "@muster/domain/Recorded"
import { EventStore, EventStoreError } from "@muster/server/EventStore"
import type { Append } from "@muster/server/EventStore"
import * as MemoryEventStore from "@muster/server/MemoryEventStore"
import type { Tenure } from "@muster/server/Tenure"
import type { Host } from "./Host.ts"
import type { World } from "./World.ts"

/** What may happen to one call. Probabilities. */
export interface StoreFaults {
  /** It fails, and nothing was done. */
  readonly refuse: number
  /** It was done, and the answer is lost. */
  readonly lose: number
  /** It takes long. */
  readonly slow: number
}

const noFaults: StoreFaults = { refuse: 0, lose: 0, slow: 0 }

/** A session in the database whose locks say which shards a coordinator has. */
interface Session {
  heardAt: number
  readonly shards: Set<string>
  isOver: boolean
}

/** A session that was silent for longer is ended by the server. Milliseconds, as `shardLockExpiration`. */
const sessionTimeout = 4_000

const lost = (operation: string) =>
  new EventStoreError({ operation, cause: new Error("the connection was lost"), retryable: true })

export interface Options {
  /** Told each event as it is committed. */
  readonly observe: (recorded: Recorded) => void
  /** Without it, events are taken whatever version they were decided on: a bug. */
  readonly fences?: boolean
}

export class Database {
  readonly world: World
  faults: StoreFaults = noFaults
  /** It cannot be reached. */
  isDown = false
  private readonly store = Effect.runSync(MemoryEventStore.makeMemory)
  private readonly context: Context.Context<never>
  private readonly observe: (recorded: Recorded) => void
  private readonly fences: boolean
  private seen = 0
  private readonly runners = new Map<string, { readonly runner: Runner; healthy: boolean; readonly machine: number }>()
  private readonly owners = new Map<string, Session>()
  /** The session that shows that a coordinator is there, by its address. */
  private readonly shown = new Map<string, Session>()
  private machines = 0

  constructor(world: World, { fences = true, observe }: Options) {
    this.world = world
    this.observe = observe
    this.fences = fences
    const now = () => Math.floor(world.now)
    this.context = Context.make(Clock.Clock, {
      currentTimeMillisUnsafe: now,
      currentTimeMillis: Effect.sync(now),
      currentTimeNanosUnsafe: () => BigInt(now()) * 1_000_000n,
      currentTimeNanos: Effect.sync(() => BigInt(now()) * 1_000_000n),
      monotonicTimeNanosUnsafe: () => BigInt(now()) * 1_000_000n,
      monotonicTimeNanos: Effect.sync(() => BigInt(now()) * 1_000_000n),
      sleep: () => Effect.never
    })
  }

  /** The whole log. */
  log(): ReadonlyArray<Recorded> {
    return this.at(this.store.readAll({ after: { transactionId: 0n, position: 0 }, limit: Infinity })).events
  }

  /** Looks at it from outside: takes no time and cannot fail. */
  private at<A, E>(effect: Effect.Effect<A, E>): A {
    return Effect.runSyncWith(this.context)(effect)
  }

  /** Has something done in the database, as a call of this process over the network. */
  private call<A, E>(
    host: Host,
    failure: () => E,
    act: () => Exit.Exit<A, E>,
    faults: StoreFaults = this.faults
  ): Effect.Effect<A, E> {
    const { random } = this.world
    return Effect.callback<A, E>((resume) => {
      let isOver = false
      const answer = (exit: Exit.Exit<A, E>, after = random.between(0.1, 0.6)) => {
        host.later(after, () => {
          if (!isOver) resume(exit)
        })
      }
      const slowness = random.chance(faults.slow) ? random.between(200, 6_000) : 0
      this.world.after(random.between(0.1, 1.2) + slowness, () => {
        if (this.isDown || random.chance(faults.refuse)) return answer(Exit.fail(failure()), random.between(0.5, 20))
        const exit = act()
        if (random.chance(faults.lose)) return answer(Exit.fail(failure()), random.between(1, 200))
        return answer(exit)
      })
      return Effect.sync(() => {
        isOver = true
      })
    })
  }

  private readonly tellNews = () => {
    const { events } = this.at(
      this.store.readAll({ after: { transactionId: 0n, position: this.seen }, limit: Infinity })
    )
    for (const recorded of events) this.observe(recorded)
    this.seen += events.length
  }

  private append(options: Append) {
    const appended = this.store.append(options)
    return this.fences
      ? appended
      : Effect.catchTag(appended, "VersionConflict", () =>
          Effect.flatMap(this.store.lastVersion(options.stream), (expectedVersion) =>
            this.store.append({ ...options, expectedVersion })
          )
        )
  }

  /** The event store of one coordinator. */
  eventStore(host: Host): EventStore["Service"] {
    const { store } = this
    const call = <A, E>(operation: string, effect: Effect.Effect<A, E>) =>
      this.call<A, E | EventStoreError>(
        host,
        () => lost(operation),
        () => Effect.runSyncExitWith(this.context)(effect)
      )
    return EventStore.of({
      append: (options) =>
        call(
          "append",
          Effect.tap(this.append(options), () => Effect.sync(this.tellNews))
        ),
      readStream: (stream, range) => call("read", store.readStream(stream, range)),
      streamAll: () => Stream.die(new Error("no actor reads that way")),
      readAll: (range) => call("read", store.readAll(range)),
      eventsOfCommand: (stream, commandId) => call("read", store.eventsOfCommand(stream, commandId)),
      lastVersion: (stream) => call("read", store.lastVersion(stream)),
      versionAt: (stream, time) => call("read", store.versionAt(stream, time)),
      loadSnapshot: (stream) => call("read", store.loadSnapshot(stream)),
      saveSnapshot: (stream, snapshot) => call("save", store.saveSnapshot(stream, snapshot)),
      commits: Stream.never
    })
  }

  /** Who hosts what, as one coordinator sees and changes it: through one session, which is lost with the first failure. */
  runnerStorage(host: Host, tenure: Tenure["Service"]): RunnerStorage.RunnerStorage["Service"] {
    let session: Session | undefined
    let address: string | undefined
    host.whenDead(() => {
      const ended = session
      // The system closes the connection of a dead process.
      this.world.after(this.world.random.between(1, 50), () => {
        if (ended !== undefined) this.end(ended)
      })
    })
    const failed = () => new PersistenceError({ cause: new Error("the session is lost") })
    const ask = <A>(act: () => A, faults: StoreFaults = noFaults) =>
      this.call<A, PersistenceError>(
        host,
        failed,
        () => {
          this.endSilent()
          return Exit.succeed(act())
        },
        faults
      )
    const open = () => {
      session = { heardAt: this.world.now, shards: new Set(), isOver: false }
      if (address !== undefined) this.shown.set(address, session)
      return session
    }
    const inSession = <A>(act: (mine: Session) => A) => {
      const used = session
      return this.call<A, PersistenceError>(
        host,
        failed,
        () => {
          this.endSilent()
          if (used?.isOver === true) return Exit.fail(failed())
          const mine = used ?? session ?? open()
          mine.heardAt = this.world.now
          return Exit.succeed(act(mine))
        },
        { ...noFaults, refuse: this.faults.refuse }
      ).pipe(
        Effect.tapError(() =>
          Effect.sync(() => {
            if (used !== undefined) this.end(used)
            if (session !== used) return
            session = undefined
            tenure.allEnded()
          })
        )
      )
    }
    /** Asks for shards, and notes which of them the answer names: those that this session has. */
    const ours = (
      shards: Iterable<ShardId.ShardId>,
      act: (mine: Session, wanted: ReadonlyArray<ShardId.ShardId>) => void,
      found: Tenure["Service"]["proven"]
    ) => {
      const wanted = [...shards]
      return Effect.suspend(() => {
        const begunAt = host.bootClock()
        return Effect.map(
          inSession((mine) => {
            act(mine, wanted)
            return { mine, held: mineOf(mine, wanted) }
          }),
          ({ held, mine }) => {
            // An answer that comes late from a session that was given up says nothing.
            if (session === mine) {
              const numbers = new Set(held.map(({ id }) => id))
              tenure.ended(wanted.map(({ id }) => id).filter((id) => !numbers.has(id)))
              found(numbers, begunAt)
            }
            return held
          }
        )
      })
    }
    const mineOf = (mine: Session, shards: Iterable<ShardId.ShardId>) =>
      [...shards].filter((shard) => this.owners.get(keyOf(shard)) === mine)
    return RunnerStorage.RunnerStorage.of({
      getRunners: ask(() =>
        [...this.runners]
          .filter(([name]) => this.shown.get(name)?.isOver === false)
          .map(([, { healthy, runner }]) => [runner, healthy] as const)
      ),
      register: (runner, healthy) =>
        inSession((mine) => {
          address = nameOf(runner.address)
          const known = this.runners.get(address)
          const machine = known?.machine ?? this.machines++
          this.runners.set(address, { runner, healthy, machine })
          this.shown.set(address, mine)
          return MachineId.make(machine)
        }),
      unregister: (of) =>
        ask(() => {
          this.runners.delete(nameOf(of))
        }),
      setRunnerHealth: (of, healthy) =>
        ask(() => {
          const known = this.runners.get(nameOf(of))
          if (known !== undefined) known.healthy = healthy
        }),
      acquire: (_of, shards) =>
        ours(
          shards,
          (mine, wanted) => {
            for (const shard of wanted) {
              const owner = this.owners.get(keyOf(shard))
              if (owner !== undefined && !owner.isOver) continue
              this.owners.set(keyOf(shard), mine)
              mine.shards.add(keyOf(shard))
            }
          },
          tenure.taken
        ),
      refresh: (_of, shards) => ours(shards, () => undefined, tenure.proven),
      release: (_of, shard) =>
        Effect.suspend(() => {
          tenure.ended([shard.id])
          return inSession((mine) => {
            if (this.owners.get(keyOf(shard)) === mine) this.owners.delete(keyOf(shard))
            mine.shards.delete(keyOf(shard))
          })
        }),
      releaseAll: () =>
        Effect.suspend(() => {
          tenure.allEnded()
          return inSession((mine) => this.unlock(mine))
        })
    })
  }

  /** All sessions break, as when the server is started again. */
  dropSessions(): void {
    for (const session of [...this.shown.values(), ...this.owners.values()]) this.end(session)
  }

  private endSilent(): void {
    for (const session of this.shown.values()) {
      if (!session.isOver && this.world.now - session.heardAt > sessionTimeout) this.end(session)
    }
  }

  private end(session: Session): void {
    if (session.isOver) return
    session.isOver = true
    this.unlock(session)
  }

  private unlock(session: Session): void {
    for (const shard of session.shards) if (this.owners.get(shard) === session) this.owners.delete(shard)
    session.shards.clear()
  }
}

const keyOf = ({ group, id }: ShardId.ShardId): string => `${group}:${id}`

const nameOf = ({ host, port }: RunnerAddress): string => `${host}:${port}`
