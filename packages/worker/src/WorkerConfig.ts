/**
 * What a worker process is told by the manager that starts it.
 */
import { Config, Context, Effect, Layer } from "effect"
import { ManagerId } from "@muster/domain/Manager/Id"

export class WorkerConfig extends Context.Service<
  WorkerConfig,
  {
    /** Unix socket on which the manager serves `WorkerRpcs`. */
    readonly socket: string
    /** Number of the worker on its machine, from 0. No other living worker of the manager has it. */
    readonly slot: number
    readonly managerId: ManagerId
    /** Directory for the output of tasks, laid out as `@muster/domain/LogFile` says. */
    readonly logDir: string
    /** Directory for what tasks work in. The worker uses `worker-<slot>` in it and empties that at its start. */
    readonly workDir: string
    /** Path of a module that exports handlers, relative to the process's directory; without it only `noop` is known. */
    readonly handlers: string | undefined
  }
>()("@muster/worker/WorkerConfig") {}

/** Variables that are between a manager and its worker: tasks do not inherit them. */
export const variables = {
  socket: "MUSTER_WORKER_SOCKET",
  slot: "MUSTER_WORKER_SLOT",
  managerId: "MUSTER_MANAGER_ID",
  logDir: "MUSTER_LOG_DIR",
  workDir: "MUSTER_WORK_DIR",
  handlers: "MUSTER_HANDLERS"
} as const

const config = Config.all({
  socket: Config.NonEmptyString(variables.socket),
  slot: Config.Int(variables.slot),
  managerId: Config.schema(ManagerId, variables.managerId),
  logDir: Config.NonEmptyString(variables.logDir),
  workDir: Config.NonEmptyString(variables.workDir),
  handlers: Config.NonEmptyString(variables.handlers).pipe(Config.withDefault(undefined))
})

export const layer = (values: WorkerConfig["Service"]): Layer.Layer<WorkerConfig> => Layer.succeed(WorkerConfig, values)

/** From the process's environment. Fails with a message that names the variable. */
export const layerConfig: Layer.Layer<WorkerConfig, Config.ConfigError> = Layer.effect(
  WorkerConfig,
  Effect.gen(function* () {
    return yield* config
  })
)

/**
 * What each task of this worker carries in its environment, so that whoever cleans up behind a dead worker finds its
 * processes wherever they went. The process id keeps the worker from being taken for its predecessor.
 */
export const cookie = (settings: Pick<WorkerConfig["Service"], "managerId" | "slot">): string =>
  `${settings.managerId}.${settings.slot}.${process.pid}`

/** The cookie as it stands in an environment. */
export const cookieVariable = (settings: Pick<WorkerConfig["Service"], "managerId" | "slot">): string =>
  `MUSTER_WORKER=${cookie(settings)}`
