/**
 * What a manager holds of its machine: its directory with the lock on it, its identity, the socket for its workers, and
 * their processes.
 */
import { Context, Effect, Layer } from "effect"
import type { ManagerId } from "@muster/domain/Manager/Id"
import type { SuiteId } from "@muster/domain/Suite/Id"
import * as Directory from "./Directory.ts"
import * as Identity from "./Identity.ts"
import * as LogReader from "./LogReader.ts"
import * as MachineLock from "./MachineLock.ts"
import { ManagerConfig } from "./ManagerConfig.ts"
import * as WorkerProcess from "./WorkerProcess.ts"

export class Machine extends Context.Service<
  Machine,
  {
    readonly managerId: ManagerId
    readonly directory: Directory.Directory
    /** Where workers call. */
    readonly socketPath: string
    /** Marks the logs of a suite as in use. */
    readonly keepLogs: (suiteId: SuiteId) => Effect.Effect<void, Directory.DirectoryError>
    readonly startWorker: (options: WorkerProcess.Options) => WorkerProcess.WorkerProcess
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
      return Machine.of({
        managerId,
        directory,
        socketPath: yield* Directory.socketPath(directory),
        keepLogs: (suiteId) => LogReader.keep(directory.logs, suiteId),
        startWorker: WorkerProcess.start
      })
    })
  )
