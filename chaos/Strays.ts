/**
 * Processes of tasks that nobody has a lease for.
 */
import type { Found } from "./Machine.ts"
import type { Log } from "./Log.ts"

/** A process of a task, as far as its environment tells. */
export interface TaskProcess {
  readonly pid: number
  readonly command: string
  readonly taskId: string
  readonly attempt: number
  /** Number of the manager that it runs at. */
  readonly manager: number
  /** Left behind in a session of its own, which the engine allows until the next suite. */
  readonly isDaemon: boolean
}

export const fromFound = ({ command, environment, pid }: Found): TaskProcess | undefined => {
  const taskId = environment.get("MUSTER_TASK_ID")
  if (taskId === undefined) return undefined
  return {
    pid,
    command,
    taskId,
    attempt: Number(environment.get("MUSTER_ATTEMPT")),
    manager: Number(environment.get("CHAOS_MANAGER")),
    isDaemon: environment.has("CHAOS_DAEMON")
  }
}

/** Whether its manager has the right to run it now. */
export const hasLease = (process: TaskProcess, managerId: string | undefined, log: Pick<Log, "suites">): boolean => {
  const [suiteId = "", index] = process.taskId.split(".")
  const task = log.suites.get(suiteId)?.tasks[Number(index)]
  return task?.phase === "held" && task.holder?.manager === managerId && process.attempt === task.ended + 1
}

export interface Strays {
  /** What is seen now, at this time in seconds; tells which have been without a lease for too long. */
  readonly look: (
    now: number,
    processes: ReadonlyArray<TaskProcess>,
    isHeld: (process: TaskProcess) => boolean,
    /** When its manager could last not hear that the lease is over. */
    impairedUntil: (manager: number) => number
  ) => ReadonlyArray<string>
}

/** A manager that hears of it needs time: to be told, for TERM, grace and KILL. Seconds. */
export const patience = 20

export const make = (): Strays => {
  let since = new Map<string, number>()
  return {
    look: (now, processes, isHeld, impairedUntil) => {
      const next = new Map<string, number>()
      const found: Array<string> = []
      for (const process of processes) {
        if (process.isDaemon || isHeld(process)) continue
        const { attempt, command, manager, pid, taskId } = process
        const name = `${pid} ${taskId} ${attempt}`
        const began = Math.max(since.get(name) ?? now, impairedUntil(manager))
        next.set(name, began)
        if (now - began > patience) {
          found.push(
            `processes: ${pid} (${command}) of task ${taskId} attempt ${attempt} at manager ${manager} is alive without a lease`
          )
        }
      }
      since = next
      return found
    }
  }
}
