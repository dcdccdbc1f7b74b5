/**
 * The environment of a worker process, from which its commands inherit.
 */
import type { Machine } from "./Machine.ts"
import type { ManagerConfig } from "./ManagerConfig.ts"

/**
 * The manager's own, without its settings: the token must not reach a task. What the worker has to know comes on top.
 */
export const make = (
  machine: Machine["Service"],
  config: Pick<ManagerConfig["Service"], "handlers">,
  slot: number,
  inherited: NodeJS.ProcessEnv = process.env
): NodeJS.ProcessEnv => {
  const own = Object.fromEntries(Object.entries(inherited).filter(([name]) => !name.startsWith("MUSTER_")))
  return {
    ...own,
    MUSTER_WORKER_SOCKET: machine.socketPath,
    MUSTER_WORKER_SLOT: String(slot),
    MUSTER_MANAGER_ID: machine.managerId,
    MUSTER_LOG_DIR: machine.directory.logs,
    MUSTER_WORK_DIR: machine.directory.work,
    ...(config.handlers === "" ? {} : { MUSTER_HANDLERS: config.handlers })
  }
}
