import { Schema } from "effect"
import { Name, Tags } from "../Text.ts"

/** What a manager says of itself and its machine when it connects. */
export const ManagerSpec = Schema.Struct({
  /** Defaults to the host name. For people; need not be unique. */
  name: Name,
  tags: Tags,
  labels: Tags,
  /** Workers that it starts when a suite does not say. */
  workers: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 256 })),
  /** Version of Muster that it runs. */
  version: Schema.String,
  host: Schema.Struct({
    hostname: Schema.String,
    platform: Schema.String,
    cpus: Schema.Int,
    /** Bytes. */
    memory: Schema.Int
  })
})
export type ManagerSpec = typeof ManagerSpec.Type

/** What a manager is doing. Allowed moves: `docs/states/manager.md`. */
export const Activity = Schema.Literals(["idle", "preparing", "executing", "cleanup"])
export type Activity = typeof Activity.Type

/** A manager's state as users see it: its activity, or that it is not there. */
export const ManagerState = Schema.Literals(["idle", "preparing", "executing", "cleanup", "offline"])
export type ManagerState = typeof ManagerState.Type

/** `graceful` finishes what runs, `force` ends it. */
export const ShutdownMode = Schema.Literals(["graceful", "force"])
export type ShutdownMode = typeof ShutdownMode.Type
