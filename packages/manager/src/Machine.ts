/**
 * What a manager holds of its machine: its directory with the lock on it, its identity, the socket for its workers.
 */
import { Context, Effect, Layer } from "effect"
import type { ManagerId } from "@muster/domain/Manager/Id"
import * as Directory from "./Directory.ts"
import * as Identity from "./Identity.ts"
import * as MachineLock from "./MachineLock.ts"
import { ManagerConfig } from "./ManagerConfig.ts"

export class Machine extends Context.Service<
  Machine,
  {
    readonly managerId: ManagerId
    readonly directory: Directory.Directory
    /** Where workers call. */
    readonly socketPath: string
  }
>()("@muster/manager/Machine") {}

export const layer: Layer.Layer<Machine, Directory.DirectoryError | MachineLock.DirectoryInUse, ManagerConfig> =
  Layer.effect(
    Machine,
    Effect.gen(function* () {
      const config = yield* ManagerConfig
      const directory = yield* Directory.prepare(config.directory)
      yield* MachineLock.acquire(directory.root)
      const managerId = yield* Identity.load(directory)
      return Machine.of({ managerId, directory, socketPath: yield* Directory.socketPath(directory) })
    })
  )
