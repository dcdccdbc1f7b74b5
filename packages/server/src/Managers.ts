/**
 * What users may ask of managers: RPC and HTTP handlers call this. Behind it stand the manager entities.
 */
import { Context } from "effect"
import type { Effect } from "effect"
import type { Unavailable } from "@muster/domain/Errors"
import type { OutputStream } from "@muster/domain/Manager/Directive"
import type { ManagerNotFound, ManagerOffline } from "@muster/domain/Manager/Errors"
import type { ManagerId } from "@muster/domain/Manager/Id"
import type { ShutdownMode } from "@muster/domain/Manager/Spec"
import type { LogChunk } from "@muster/domain/Rpc/ManagerRpcs"
import type { SuiteId } from "@muster/domain/Suite/Id"

export class Managers extends Context.Service<
  Managers,
  {
    readonly drain: (options: {
      readonly managerId: ManagerId
      readonly draining: boolean
      readonly commandId: string
      readonly actor: string
    }) => Effect.Effect<void, ManagerNotFound | Unavailable>
    readonly shutdown: (options: {
      readonly managerId: ManagerId
      readonly mode: ShutdownMode
      readonly commandId: string
      readonly actor: string
    }) => Effect.Effect<void, ManagerNotFound | ManagerOffline | Unavailable>
    /** Asks the manager's machine for a part of a log. */
    readonly readLog: (options: {
      readonly managerId: ManagerId
      readonly suiteId: SuiteId
      readonly index: number
      readonly attempt: number
      readonly stream: OutputStream
      readonly offset: number
      readonly limit: number
    }) => Effect.Effect<LogChunk, ManagerNotFound | ManagerOffline | Unavailable>
  }
>()("@muster/server/Managers") {}
