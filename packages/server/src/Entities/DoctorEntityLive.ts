/**
 * Answers for the coordinator that it is on.
 */
import { hostname } from "node:os"
import { Effect } from "effect"
import type { Layer } from "effect"
import { CurrentRunnerAddress } from "effect/cluster/Entity"
import type { Sharding } from "effect/cluster/Sharding"
import { SqlClient } from "effect/sql/SqlClient"
import { DoctorEntity } from "@muster/domain/Entities/DoctorEntity"
import * as ClockFacts from "../Doctor/ClockFacts.ts"
import { OwnSettings } from "../Doctor/OwnSettings.ts"
import * as VolumeFacts from "../Doctor/VolumeFacts.ts"
import { ServerInfo } from "../Rpc/ServerInfo.ts"

export const layer: Layer.Layer<never, never, Sharding | SqlClient | ServerInfo> = DoctorEntity.toLayer(
  Effect.gen(function* () {
    const sql = yield* SqlClient
    const { coordinator, startedAt, version } = yield* ServerInfo
    const settings = yield* OwnSettings
    const { host, port } = yield* CurrentRunnerAddress
    return DoctorEntity.of({
      DescribeCoordinator: () =>
        Effect.gen(function* () {
          const clock = yield* Effect.orElseSucceed(ClockFacts.measure(sql), () => undefined)
          return {
            address: coordinator,
            runner: `${host}:${port}`,
            version,
            hostname: hostname(),
            startedAt,
            settings,
            clock: clock ?? null,
            volumes: yield* VolumeFacts.ofDatabase(sql)
          }
        })
    })
  }),
  { concurrency: "unbounded", maxIdleTime: "10 seconds" }
)
