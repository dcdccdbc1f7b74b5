/**
 * The database as a program sees it that is no coordinator.
 */
import { PgClient } from "@effect/sql-pg"
import { Duration, Effect } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import * as Clocks from "@muster/domain/Doctor/Clocks"
import * as Coordinators from "@muster/domain/Doctor/Coordinators"
import type { Finding } from "@muster/domain/Doctor/Finding"
import * as Server from "@muster/domain/Doctor/Server"
import * as Storage from "@muster/domain/Doctor/Storage"
import * as Cluster from "../Cluster.ts"
import * as Database from "../Database.ts"
import * as ClockFacts from "./ClockFacts.ts"
import * as ClusterFacts from "./ClusterFacts.ts"
import * as DatabaseDoctor from "./Database.ts"
import * as VolumeFacts from "./VolumeFacts.ts"

export interface Options {
  readonly settings: Database.Settings
  readonly full: boolean
  /** Also say which coordinators there are: for a caller that no coordinator has told. */
  readonly cluster: boolean
}

const subject = "this machine"

/** A server that does not answer at once is a finding, not worth a wait. */
const waitFor = Duration.seconds(2)

export const examine = Effect.fn("Doctor.FromOutside.examine")(function* ({ cluster, full, settings }: Options) {
  const looks = Effect.gen(function* () {
    const client = yield* PgClient.PgClient
    const sql = yield* SqlClient
    const found = yield* DatabaseDoctor.examine(client, { full, connections: settings.maxConnections })
    const clock = yield* Effect.orElseSucceed(ClockFacts.measure(sql), () => undefined)
    const members = cluster ? yield* Effect.orElseSucceed(ClusterFacts.gather, () => []) : []
    return [
      ...found,
      ...(cluster
        ? Coordinators.judge({
            members: members.map(({ address, shards }) => ({ address, shards, facts: null })),
            shards: Cluster.shardsPerGroup,
            isFromOutside: true
          })
        : []),
      Clocks.judge("clock.database", subject, "the database", clock),
      ...Storage.judge(subject, yield* VolumeFacts.ofDatabase(sql))
    ]
  })
  return yield* looks.pipe(
    Effect.provide(Database.layer({ ...settings, waitFor }), { local: true }),
    Effect.catch((error): Effect.Effect<ReadonlyArray<Finding>> => Effect.succeed([Server.unreachable(error.message)]))
  )
})
