/**
 * All read models that are written with their events, as `Rebuild` replays them.
 */
import type { ManagerEvent } from "@muster/domain/Manager/Events"
import { decider as manager } from "@muster/domain/Manager/Decider"
import { decider as suite } from "@muster/domain/Suite/Decider"
import type { SuiteEvent } from "@muster/domain/Suite/Events"
import { decider as worker } from "@muster/domain/Worker/Decider"
import type { WorkerEvent } from "@muster/domain/Worker/Events"
import * as InlineProjection from "../InlineProjection.ts"
import * as LogEvent from "../LogEvent.ts"
import * as ManagerRows from "./ManagerRows.ts"
import * as SuiteRows from "./SuiteRows.ts"
import * as WorkerRows from "./WorkerRows.ts"

export const suites: InlineProjection.InlineProjection = InlineProjection.ofAggregate({
  name: "suites",
  tables: ["suites", "submissions", "leases", "tasks", "attempts", "late_results"],
  streams: "suite-",
  decider: suite,
  decode: LogEvent.decode<SuiteEvent>,
  rows: SuiteRows.rows
})

export const managers: InlineProjection.InlineProjection = InlineProjection.ofAggregate({
  name: "managers",
  tables: ["managers"],
  streams: "manager-",
  decider: manager,
  decode: LogEvent.decode<ManagerEvent>,
  rows: ManagerRows.rows
})

export const workers: InlineProjection.InlineProjection = InlineProjection.ofAggregate({
  name: "workers",
  tables: ["workers"],
  streams: "worker-",
  decider: worker,
  decode: LogEvent.decode<WorkerEvent>,
  rows: WorkerRows.rows
})

export const projections: ReadonlyArray<InlineProjection.InlineProjection> = [suites, managers, workers]
