/**
 * What each kind of stream is folded into: by the actor that owns it, and by whoever looks at the past.
 */
import { decider as poolDecider } from "@muster/domain/Coordinator/Decider"
import type { CoordinatorEvent } from "@muster/domain/Coordinator/Events"
import * as Pool from "@muster/domain/Coordinator/State"
import { decider as managerDecider } from "@muster/domain/Manager/Decider"
import type { ManagerEvent } from "@muster/domain/Manager/Events"
import * as Manager from "@muster/domain/Manager/State"
import type { Recorded } from "@muster/domain/Recorded"
import { decider as suiteDecider } from "@muster/domain/Suite/Decider"
import type { SuiteEvent } from "@muster/domain/Suite/Events"
import * as SuiteSnapshot from "@muster/domain/Suite/Snapshot"
import type { SuiteState } from "@muster/domain/Suite/State"
import { decider as workerDecider } from "@muster/domain/Worker/Decider"
import type { WorkerEvent } from "@muster/domain/Worker/Events"
import * as Worker from "@muster/domain/Worker/State"
import * as JsonSnapshot from "./JsonSnapshot.ts"
import * as LogEvent from "./LogEvent.ts"

/** A kind of stream. */
export interface StreamState<State, Event> {
  readonly decider: { readonly initial: () => State; readonly evolve: (state: State, event: Event) => State }
  /** Brings an event of the log, of whatever version, to today's shape. */
  readonly decode: (recorded: Recorded) => Event
  readonly snapshot: {
    readonly schemaVersion: number
    readonly encode: (state: State) => Uint8Array | undefined
    /** `undefined` for a shape that is not known: then the stream is read from its start. */
    readonly decode: (bytes: Uint8Array) => State | undefined
  }
}

export const suite: StreamState<SuiteState, SuiteEvent> = {
  decider: suiteDecider,
  decode: LogEvent.decode<SuiteEvent>,
  snapshot: {
    schemaVersion: SuiteSnapshot.schemaVersion,
    encode: (state) => (state._tag === "Missing" ? undefined : SuiteSnapshot.encode(state)),
    decode: SuiteSnapshot.decode
  }
}

export const manager: StreamState<Manager.State, ManagerEvent> = {
  decider: managerDecider,
  decode: LogEvent.decode<ManagerEvent>,
  snapshot: JsonSnapshot.make(Manager.State, { schemaVersion: 1 })
}

export const worker: StreamState<Worker.State, WorkerEvent> = {
  decider: workerDecider,
  decode: LogEvent.decode<WorkerEvent>,
  snapshot: JsonSnapshot.make(Worker.State, { schemaVersion: 1 })
}

const poolSnapshot = JsonSnapshot.make(Pool.Snapshot, { schemaVersion: 1 })

export const pool: StreamState<Pool.State, CoordinatorEvent> = {
  decider: poolDecider,
  decode: LogEvent.decode<CoordinatorEvent>,
  snapshot: {
    schemaVersion: poolSnapshot.schemaVersion,
    encode: (state) => poolSnapshot.encode(Pool.toSnapshot(state)),
    decode: (bytes) => {
      const snapshot = poolSnapshot.decode(bytes)
      return snapshot === undefined ? undefined : Pool.fromSnapshot(snapshot)
    }
  }
}
