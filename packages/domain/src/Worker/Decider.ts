/**
 * The rules of a worker: what its manager says of it is recorded once. Nothing is refused, since it has happened.
 * `docs/states/worker.md` draws them.
 */
import { Result } from "effect"
import type { Decider } from "../Decider.ts"
import type { RecordChange, WorkerCommand } from "./Commands.ts"
import type { WorkerEvent } from "./Events.ts"
import { initial, maxRecent } from "./State.ts"
import type { Crashed, Recent, Running, State, Stopped } from "./State.ts"

/** Without its tag: the same in every stage. */
type Known = Omit<Running | Crashed | Stopped, "_tag">

const changes = {
  WorkerStarted: "started",
  WorkerCrashed: "crashed",
  WorkerStopped: "stopped"
} as const satisfies { readonly [Tag in WorkerEvent["_tag"]]: Recent[0] }

/**
 * Whether a change was recorded already. A process starts once and ends once; a number that comes again after its end
 * names a new process, unless it is the very same report.
 */
const isRecorded = (state: State, [change, pid, at]: Recent): boolean => {
  if (state._tag === "Unknown") return false
  const ofProcess = state.recent.filter((recent) => recent[1] === pid)
  const last = ofProcess.at(-1)
  return (
    (last !== undefined && (last[0] === "started") === (change === "started")) ||
    ofProcess.some((recent) => recent[0] === change && recent[2] === at)
  )
}

export const evolve = (state: State, event: WorkerEvent): State => {
  const change: Recent = [changes[event._tag], event.pid, event.at]
  if (isRecorded(state, change)) return state
  const known: Known =
    state._tag === "Unknown"
      ? {
          id: event.id,
          pid: event.pid,
          startedAt: null,
          crashes: 0,
          lastExitCode: null,
          lastSignal: null,
          recent: [change],
          updatedAt: event.at
        }
      : { ...state, recent: [...state.recent, change].slice(-maxRecent), updatedAt: event.at }
  if (event._tag === "WorkerStarted") {
    return { ...known, _tag: "Running", pid: event.pid, startedAt: event.at }
  }
  const counted: Known =
    event._tag === "WorkerCrashed"
      ? {
          ...known,
          crashes: known.crashes + 1,
          lastExitCode: event.exitCode ?? null,
          lastSignal: event.signal ?? null
        }
      : known
  // The end of an earlier process may be told after the start of the next one, which it does not concern.
  if (state._tag === "Running" && state.pid !== event.pid) return { ...counted, _tag: "Running" }
  return {
    ...counted,
    _tag: event._tag === "WorkerCrashed" ? "Crashed" : "Stopped",
    pid: event.pid,
    startedAt: known.pid === event.pid ? known.startedAt : null
  }
}

export const decide = (
  state: State,
  { id, change }: RecordChange
): Result.Result<ReadonlyArray<WorkerEvent>, never> => {
  const { at, exitCode, pid, signal } = change
  if (isRecorded(state, [change.change, pid, at])) return Result.succeed([])
  switch (change.change) {
    case "started":
      return Result.succeed([{ _tag: "WorkerStarted", id, pid, at }])
    case "stopped":
      return Result.succeed([{ _tag: "WorkerStopped", id, pid, at }])
    case "crashed":
      return Result.succeed([
        {
          _tag: "WorkerCrashed",
          id,
          pid,
          ...(exitCode === undefined ? {} : { exitCode }),
          ...(signal === undefined ? {} : { signal }),
          at
        }
      ])
  }
}

export const decider: Decider<State, WorkerCommand, WorkerEvent, never> = { initial, evolve, decide }
