/**
 * `ManagerRpcs` as coordinators hear them: what can be lied about arrives as it came out of JSON, and is checked by
 * `domain/Rpc/Claims.ts`, so that a lie is told from a broken message and counted. On the wire they are the same.
 */
import { ManagersOnly } from "@muster/domain/Rpc/Authentication"
import * as Manager from "@muster/domain/Rpc/ManagerRpcs"
import { trusted } from "@muster/domain/Rpc/Trusted"

const unchecked = trusted<unknown>()

export const ManagerRpcs = Manager.ManagerRpcs.omit("ReportTasks", "LeaseTasks", "ReportWorkers", "Heartbeat").add(
  Manager.ReportTasks.setPayload(unchecked).middleware(ManagersOnly),
  Manager.LeaseTasks.setPayload(unchecked).middleware(ManagersOnly),
  Manager.ReportWorkers.setPayload(unchecked).middleware(ManagersOnly),
  Manager.Heartbeat.setPayload(unchecked).middleware(ManagersOnly)
)
