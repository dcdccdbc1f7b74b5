/**
 * Where it is noted that a manager said what cannot be: in the metrics at once, in the log once a minute for each manager,
 * and with its actor, which puts few events of it on its stream.
 */
import { Clock, Context, Effect, Layer, Schedule } from "effect"
import type { Sharding } from "effect/cluster/Sharding"
import { ManagerEntity } from "@muster/domain/Entities/ManagerEntity"
import type { ManagerId } from "@muster/domain/Manager/Id"
import * as Counts from "@muster/domain/Manager/Lies"
import type { LieCounts, LieKind } from "@muster/domain/Manager/Lies"
import { CoordinatorMetrics } from "../Metrics.ts"

export interface Lie {
  /** The manager that the connection belongs to; nothing where none has connected. */
  readonly managerId: ManagerId | undefined
  readonly kind: LieKind
  /** How many in this message. */
  readonly count: number
  /** One line. */
  readonly example: string
}

export class Lies extends Context.Service<Lies, { readonly note: (lie: Lie) => Effect.Effect<void> }>()(
  "@muster/server/Rpc/Lies"
) {}

/** How often the log and the manager's actor hear of it. Milliseconds. */
const interval = 60_000

/** How often it is looked whether somebody has waited for so long. */
const sweepEvery = "5 seconds"

/** Managers that are remembered; those that were quiet for longest are forgotten first. */
const remembered = 10_000

interface Noted {
  /** Since it was last told. */
  kinds: LieCounts
  example: string
  toldAt: number
}

const make = Effect.gen(function* () {
  const metrics = yield* CoordinatorMetrics
  const managerOf = yield* ManagerEntity.client
  const scope = yield* Effect.scope
  const noted = new Map<ManagerId | undefined, Noted>()

  const tell = (managerId: ManagerId | undefined, entry: Noted, now: number) => {
    const { example, kinds } = entry
    entry.kinds = {}
    entry.toldAt = now
    const who = managerId === undefined ? "a connection without a manager" : `manager ${managerId}`
    const what = Object.entries(kinds)
      .map(([kind, count]) => `${kind} ${count}`)
      .join(", ")
    const logged = Effect.logWarning(
      `${who} said what cannot be, and nothing was changed (${what}); such as: ${example}`
    )
    // Its actor may be elsewhere and busy: nobody waits for it, and if it cannot hear now there will be more to hear.
    return managerId === undefined
      ? logged
      : Effect.andThen(logged, Effect.forkIn(Effect.ignore(managerOf(managerId).RecordLies({ kinds, example })), scope))
  }

  const note = ({ count, example, kind, managerId }: Lie) =>
    Effect.gen(function* () {
      metrics.lied(kind, count)
      const now = yield* Clock.currentTimeMillis
      const entry = noted.get(managerId) ?? { kinds: {}, example, toldAt: Number.NEGATIVE_INFINITY }
      noted.delete(managerId)
      noted.set(managerId, entry)
      entry.kinds = Counts.add(entry.kinds, { [kind]: count })
      entry.example = example
      if (noted.size > remembered) {
        const [oldest] = noted.keys()
        noted.delete(oldest)
      }
      if (now - entry.toldAt >= interval) yield* tell(managerId, entry, now)
    })

  /** Tells what came within a minute of the last time. */
  const sweep = Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    for (const [managerId, entry] of noted) {
      if (now - entry.toldAt < interval) continue
      if (Counts.sum(entry.kinds) > 0) yield* tell(managerId, entry, now)
      else noted.delete(managerId)
    }
  })
  yield* Effect.forkScoped(Effect.repeat(sweep, Schedule.spaced(sweepEvery)))

  return Lies.of({ note })
})

export const layer: Layer.Layer<Lies, never, Sharding | CoordinatorMetrics> = Layer.effect(Lies, make)
