/**
 * The actor of a worker's place: records what happened in it.
 */
import { Effect } from "effect"
import type { Layer } from "effect"
import { CurrentAddress } from "effect/cluster/Entity"
import type { Sharding } from "effect/cluster/Sharding"
import { WorkerEntity } from "@muster/domain/Entities/WorkerEntity"
import { Unavailable } from "@muster/domain/Errors"
import { decider } from "@muster/domain/Worker/Decider"
import { schemaVersion } from "@muster/domain/Worker/Events"
import { WorkerId, stream } from "@muster/domain/Worker/Id"
import * as Aggregate from "../Aggregate.ts"
import type { EventStore } from "../EventStore.ts"
import * as WorkerRows from "../Projections/WorkerRows.ts"
import { worker } from "../StreamStates.ts"

/** Events between two snapshots. */
const snapshotEvery = 100

export const layer: Layer.Layer<never, never, Sharding | EventStore> = WorkerEntity.toLayer(
  Effect.gen(function* () {
    const address = yield* CurrentAddress
    const id = WorkerId.make(address.entityId)
    const aggregate = yield* Aggregate.make({
      stream: stream(id),
      decider,
      schemaVersion,
      decode: worker.decode,
      rows: WorkerRows.rows,
      snapshot: { ...worker.snapshot, every: () => snapshotEvery }
    })
    return WorkerEntity.of({
      RecordChange: ({ payload: change }) =>
        aggregate
          .ask({
            command: (now) => ({ _tag: "RecordChange", id, change, now }),
            actor: `manager:${id.slice(0, id.indexOf("."))}`,
            answer: () => undefined
          })
          .pipe(
            // What a decider refuses here, a manager can do nothing about.
            Effect.catch((error) =>
              error instanceof Unavailable
                ? Effect.fail(error)
                : Effect.logWarning(`change of worker ${id} refused`, error)
            )
          )
    })
  }),
  { concurrency: "unbounded", maxIdleTime: "30 seconds" }
)
