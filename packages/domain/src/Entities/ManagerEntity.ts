/**
 * The actor of one manager: its registration, its session, and the way to its machine. Its id is the manager's id.
 * Messages are volatile, as for suites.
 */
import { Schema } from "effect"
import { Entity } from "effect/cluster"
import { Rpc } from "effect/rpc"
import { Unavailable } from "../Errors.ts"
import { Directive, OutputStream } from "../Manager/Directive.ts"
import { ManagerOffline } from "../Manager/Errors.ts"
import { Epoch } from "../Manager/Id.ts"
import { LieCounts } from "../Manager/Lies.ts"
import { ManagerError } from "../Manager/Refusals.ts"
import { Activity, ManagerSpec, ShutdownMode } from "../Manager/Spec.ts"
import { HeartbeatReply, LogChunk } from "../Rpc/ManagerRpcs.ts"
import { SuiteId } from "../Suite/Id.ts"

const session = { epoch: Epoch }
const error = Schema.Union([ManagerError, Unavailable])
const asked = { commandId: Schema.String, actor: Schema.String }

export const ManagerEntity = Entity.make("Manager", [
  /** Opens or resumes a session; the stream carries what the manager is told, and its end says that it is gone. */
  Rpc.make("Connect", {
    payload: { instance: Schema.String, spec: ManagerSpec, gone: Schema.optionalKey(Schema.Array(Schema.String)) },
    success: Directive,
    error,
    stream: true
  }),
  Rpc.make("Ready", { payload: session, error }),
  Rpc.make("Heartbeat", {
    payload: {
      ...session,
      activity: Activity,
      running: Schema.Int,
      buffered: Schema.Int,
      renews: Schema.optionalKey(Schema.Boolean)
    },
    success: Schema.UndefinedOr(HeartbeatReply),
    error
  }),
  Rpc.make("ChangeActivity", {
    payload: { ...session, activity: Activity, suiteId: Schema.NullOr(SuiteId) },
    error
  }),
  Rpc.make("Released", { payload: { ...session, suiteId: SuiteId }, error }),
  Rpc.make("Leave", { payload: session, error }),
  Rpc.make("AnswerLog", { payload: { requestId: Schema.String, chunk: LogChunk } }),
  /** From the pool: this session shall run this suite. */
  Rpc.make("Assign", { payload: { ...session, suiteId: SuiteId }, error }),
  /** From the pool: this session shall give this suite back. */
  Rpc.make("Unassign", { payload: { ...session, suiteId: SuiteId }, error }),
  /** From a suite: these attempts shall end. Lost when the manager is not connected; the suite says it again. */
  Rpc.make("CancelTasks", {
    payload: { suiteId: SuiteId, tasks: Schema.Array(Schema.Tuple([Schema.Int, Schema.Int])) }
  }),
  Rpc.make("Drain", { payload: { ...asked, draining: Schema.Boolean }, error }),
  Rpc.make("Shutdown", { payload: { ...asked, mode: ShutdownMode }, error: Schema.Union([error, ManagerOffline]) }),
  Rpc.make("ReadLog", {
    payload: {
      suiteId: SuiteId,
      index: Schema.Int,
      attempt: Schema.Int,
      stream: OutputStream,
      offset: Schema.Int,
      limit: Schema.Int
    },
    success: LogChunk,
    error: Schema.Union([error, ManagerOffline])
  }),
  /** From a coordinator that has heard it say what cannot be. */
  Rpc.make("RecordLies", { payload: { kinds: LieCounts, example: Schema.String }, error }),
  /** From the pool: loads the manager if it is not, and has it say again how it is. */
  Rpc.make("Wake", { error })
])
