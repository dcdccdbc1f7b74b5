/**
 * All projections that follow the log.
 */
import type { Projection } from "../Subscription.ts"
import * as ManagerHistory from "./ManagerHistory.ts"
import * as Throughput from "./Throughput.ts"

export const projections: ReadonlyArray<Projection> = [ManagerHistory.projection, Throughput.projection]
