/**
 * `Managers` through the manager entities of the cluster.
 */
import { Effect, Layer } from "effect"
import type { Sharding } from "effect/cluster/Sharding"
import { ManagerEntity } from "@muster/domain/Entities/ManagerEntity"
import type { ManagerError } from "@muster/domain/Manager/Refusals"
import { untilAnswered } from "./Entities/EntityCall.ts"
import { Managers } from "./Managers.ts"

/** Refusals that only a manager's own session can meet: whoever else meets one has found a bug. */
const onlyOfSessions = {
  SessionFenced: (error: Extract<ManagerError, { readonly _tag: "SessionFenced" }>) => Effect.die(error),
  ActivityNotAllowed: (error: Extract<ManagerError, { readonly _tag: "ActivityNotAllowed" }>) => Effect.die(error),
  ManagerNotAvailable: (error: Extract<ManagerError, { readonly _tag: "ManagerNotAvailable" }>) => Effect.die(error)
}

export const layer: Layer.Layer<Managers, never, Sharding> = Layer.effect(
  Managers,
  Effect.gen(function* () {
    const manager = yield* ManagerEntity.client
    return Managers.of({
      drain: ({ managerId, ...payload }) =>
        untilAnswered(manager(managerId).Drain(payload)).pipe(
          Effect.catchTags({ ...onlyOfSessions, ManagerOffline: (error) => Effect.die(error) })
        ),
      shutdown: ({ managerId, ...payload }) =>
        untilAnswered(manager(managerId).Shutdown(payload)).pipe(Effect.catchTags(onlyOfSessions)),
      readLog: ({ managerId, ...payload }) =>
        untilAnswered(manager(managerId).ReadLog(payload)).pipe(Effect.catchTags(onlyOfSessions))
    })
  })
)
