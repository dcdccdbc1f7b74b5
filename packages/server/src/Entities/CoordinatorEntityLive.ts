/**
 * The actor of a pool: hears how suites and managers are, has the planner decide who runs what, and tells the managers.
 *
 * Nothing is told only once: suites and managers say how they are again and again, and so does this actor with what it
 * wants, until it is heard. So a message that is lost costs time, never work.
 */
import { Clock, Effect } from "effect"
import type { Layer } from "effect"
import { CurrentAddress } from "effect/cluster/Entity"
import type { Sharding } from "effect/cluster/Sharding"
import type { CoordinatorCommand } from "@muster/domain/Coordinator/Commands"
import { decider, directives } from "@muster/domain/Coordinator/Decider"
import type { Wish } from "@muster/domain/Coordinator/Decider"
import { schemaVersion } from "@muster/domain/Coordinator/Events"
import type { CoordinatorEvent } from "@muster/domain/Coordinator/Events"
import { Pool, stream } from "@muster/domain/Coordinator/Id"
import type { State } from "@muster/domain/Coordinator/State"
import { CoordinatorEntity } from "@muster/domain/Entities/CoordinatorEntity"
import { ManagerEntity } from "@muster/domain/Entities/ManagerEntity"
import type { ManagerId } from "@muster/domain/Manager/Id"
import type { SuiteId } from "@muster/domain/Suite/Id"
import * as Aggregate from "../Aggregate.ts"
import type { Versioned } from "../Aggregate.ts"
import type { EventStore } from "../EventStore.ts"
import { pool as poolStates } from "../StreamStates.ts"
import { Timings } from "../Timings.ts"
import * as Announcer from "./Announcer.ts"
import * as EntityCall from "./EntityCall.ts"

/** How often managers are told again what they have not done yet. Milliseconds. */
const insistAfter = 5_000

/** A manager that has not been heard of for this long is looked after: its actor may have gone with a coordinator. */
const wakeAfter = 45_000

/** Events between two snapshots. */
const snapshotEvery = 500

export const layer: Layer.Layer<never, never, Sharding | EventStore> = CoordinatorEntity.toLayer(
  Effect.gen(function* () {
    const address = yield* CurrentAddress
    const pool = Pool.make(address.entityId)
    const managerOf = yield* ManagerEntity.client
    const timings = yield* Timings
    const loadedAt = yield* Clock.currentTimeMillis

    // What each manager last said that it has to keep, and when it was heard of.
    const confirmed = new Map<ManagerId, { readonly runs: SuiteId | null; readonly at: number }>()
    let insistedAt = loadedAt

    const aggregate: Aggregate.Aggregate<State, CoordinatorCommand, CoordinatorEvent, never> = yield* Aggregate.make({
      stream: stream(pool),
      decider,
      schemaVersion,
      decode: poolStates.decode,
      snapshot: { ...poolStates.snapshot, every: () => snapshotEvery },
      committed: (_state, events) => Effect.suspend(() => committed(events))
    })

    const ask = (make: (now: number) => CoordinatorCommand) =>
      aggregate.ask({ command: make, actor: "coordinator", answer: () => undefined })

    const planner = yield* Announcer.make(
      ask((now) => ({ _tag: "Plan", now, linger: timings.linger })).pipe(
        Effect.as(undefined),
        Effect.catch((error) => Effect.logDebug("planning failed", error).pipe(Effect.as(1_000)))
      )
    )

    const tell = ({ _tag, epoch, managerId, suiteId }: Wish) => {
      const manager = managerOf(managerId)
      return Effect.forkDetach(
        EntityCall.inBackground(
          _tag === "Assign" ? manager.Assign({ epoch, suiteId }) : manager.Unassign({ epoch, suiteId })
        )
      )
    }

    const committed = (events: ReadonlyArray<Versioned<CoordinatorEvent>>) =>
      Effect.gen(function* () {
        for (const { event } of events) {
          if (event._tag === "SuiteAssigned") yield* tell({ ...event, _tag: "Assign" })
          else if (event._tag === "ReleaseRequested") yield* tell({ ...event, _tag: "Unassign" })
        }
        yield* planner.poke
      })

    const insist = Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      if (now - insistedAt < insistAfter) return
      insistedAt = now
      const { managers, wishes } = yield* aggregate.look((state) => ({
        wishes: directives(state),
        managers: [...state.managers.keys()]
      }))
      for (const wish of wishes) {
        if (wish._tag === "Assign" && confirmed.get(wish.managerId)?.runs === wish.suiteId) continue
        yield* tell(wish)
      }
      for (const managerId of managers) {
        if (now - (confirmed.get(managerId)?.at ?? loadedAt) < wakeAfter) continue
        yield* Effect.forkDetach(EntityCall.inBackground(managerOf(managerId).Wake()))
      }
    })

    return CoordinatorEntity.of({
      AnnounceSuite: ({ payload }) => ask((now) => ({ _tag: "AnnounceSuite", ...payload, now })),
      AnnounceManager: ({ payload: { releasing = false, ...payload } }) =>
        Effect.gen(function* () {
          const at = yield* Clock.currentTimeMillis
          confirmed.set(payload.managerId, { runs: releasing ? null : payload.assignedSuite, at })
          yield* ask((now) => ({ _tag: "AnnounceManager", ...payload, now }))
        }),
      ManagerGone: ({ payload }) =>
        Effect.gen(function* () {
          confirmed.delete(payload.managerId)
          yield* ask((now) => ({ _tag: "ManagerGone", ...payload, now }))
        }),
      AssignmentReleased: ({ payload }) => ask((now) => ({ _tag: "AssignmentReleased", ...payload, now })),
      Tick: () => Effect.andThen(planner.poke, insist)
    })
  }),
  { concurrency: "unbounded", maxIdleTime: "5 minutes", mailboxCapacity: "unbounded" }
)
