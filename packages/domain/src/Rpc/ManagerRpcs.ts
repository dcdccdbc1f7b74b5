/**
 * What a manager and the coordinators say to each other, over the WebSocket `/ws/managers`. The manager always calls;
 * what a coordinator wants to tell comes on the stream that `Connect` answers with.
 *
 * Every call carries the session's epoch. Calls with a `commandId` may be repeated until answered: the id makes the
 * second one a no-op with the first one's answer.
 */
import { Schema } from "effect"
import { Rpc, RpcGroup } from "effect/rpc"
import { InvalidInput, Unavailable } from "../Errors.ts"
import { ManagerOffline, SessionFenced } from "../Manager/Errors.ts"
import { Directive } from "../Manager/Directive.ts"
import { Epoch, ManagerId } from "../Manager/Id.ts"
import { Activity, ManagerSpec } from "../Manager/Spec.ts"
import { Timestamp } from "../Millis.ts"
import { SuiteError } from "../Suite/Errors.ts"
import { SuiteId } from "../Suite/Id.ts"
import { trusted } from "./Trusted.ts"
import { AttemptResults } from "../Task/Packed.ts"
import { TaskSpec } from "../Task/Spec.ts"
import { CommandId, Text } from "../Text.ts"
import { ManagersOnly } from "./Authentication.ts"

const session = { managerId: ManagerId, epoch: Epoch }

/** `InvalidInput`: what no manager can say; it changes nothing, and saying it again does not help (`Claims`). */
const SessionError = Schema.Union([SessionFenced, ManagerOffline, Unavailable, InvalidInput])

/** Opens or resumes the session of one manager process. The stream ends when the session is over or moves elsewhere. */
export const Connect = Rpc.make("Connect", {
  payload: {
    managerId: ManagerId,
    /** Names the process: the same instance that reconnects keeps its epoch and its leases, another one gets the next. */
    instance: Text,
    spec: ManagerSpec,
    /** Instances of which the process has seen that nothing is left on this machine: what they had may be handed on. */
    gone: Schema.optionalKey(Schema.Array(Text))
  },
  success: Directive,
  error: SessionError,
  stream: true
})

/** After `Welcome`, when results kept from earlier sessions have been handed in: from now on work may be assigned. */
export const Ready = Rpc.make("Ready", { payload: session, error: SessionError })

/** What a heartbeat is answered with that asks for a renewal of the lease. */
export const HeartbeatReply = Schema.Struct({
  /**
   * Milliseconds from the last proof that the manager is this coordinator's to speak for until this answer: the lease
   * begins so long before the heartbeat was sent. Absent where there is no such proof: nothing is renewed.
   */
  age: Schema.optionalKey(Schema.Finite)
})
export type HeartbeatReply = typeof HeartbeatReply.Type

/** Liveness. Never written. */
export const Heartbeat = Rpc.make("Heartbeat", {
  payload: {
    ...session,
    activity: Activity,
    running: Schema.Int,
    buffered: Schema.Int,
    /** Since the heartbeat before: tasks that workers found in the buffer, and times that they had to wait for one. */
    prefetchHits: Schema.optionalKey(Schema.Int),
    prefetchMisses: Schema.optionalKey(Schema.Int),
    /** The lease shall be renewed. Only who asks is answered with more than that he was heard. */
    renews: Schema.optionalKey(Schema.Boolean)
  },
  success: Schema.UndefinedOr(HeartbeatReply),
  error: SessionError
})

/** The manager's state machine made a step. */
export const ChangeActivity = Rpc.make("ChangeActivity", {
  payload: { ...session, activity: Activity, suiteId: Schema.NullOr(SuiteId) },
  error: SessionError
})

/** A task with the right to run it once. */
export const Lease = Schema.Struct({ index: Schema.Int, attempt: Schema.Int, spec: TaskSpec })
export type Lease = typeof Lease.Type

export const LeaseReply = Schema.Struct({
  leases: Schema.Array(Lease),
  /** Nothing can be leased again under this assignment: the suite is cancelled. */
  ended: Schema.Boolean
})
export type LeaseReply = typeof LeaseReply.Type

/**
 * Up to `max` tasks; waits up to `wait` milliseconds for the first one. The answer passes as it is: its specs were checked
 * when they were submitted.
 */
export const LeaseTasks = Rpc.make("LeaseTasks", {
  payload: { ...session, suiteId: SuiteId, commandId: CommandId, max: Schema.Int, wait: Schema.Int },
  success: trusted<LeaseReply>(),
  error: Schema.Union([SuiteError, Unavailable, InvalidInput])
})

/** What the coordinator made of a report. Anything but an error means that it is durable and may be forgotten. */
export const ReportReply = Schema.Struct({
  /** Results recorded as outcomes. */
  accepted: Schema.Int,
  /** Results that were known already. */
  repeated: Schema.Int,
  /** Results kept as evidence only. */
  late: Schema.Int,
  /** Results of attempts that this manager was never given: dropped. */
  refused: Schema.optionalKey(Schema.Int)
})
export type ReportReply = typeof ReportReply.Type

export const ReportTasks = Rpc.make("ReportTasks", {
  payload: {
    ...session,
    suiteId: SuiteId,
    commandId: CommandId,
    started: Schema.Array(Schema.Tuple([Schema.Int, Schema.Int, Timestamp])),
    ended: AttemptResults,
    returned: Schema.Array(Schema.Tuple([Schema.Int, Schema.Int]))
  },
  success: ReportReply,
  error: Schema.Union([SuiteError, Unavailable, InvalidInput])
})

/** The answer to the directive `Release`, or to a suite that ended: nothing of it is left on the machine. */
export const Released = Rpc.make("Released", { payload: { ...session, suiteId: SuiteId }, error: SessionError })

/** What happened to a worker process. */
export const WorkerChange = Schema.Struct({
  slot: Schema.Int,
  change: Schema.Literals(["started", "crashed", "stopped"]),
  pid: Schema.Int,
  exitCode: Schema.optionalKey(Schema.Int),
  signal: Schema.optionalKey(Text),
  at: Timestamp
})
export type WorkerChange = typeof WorkerChange.Type

export const ReportWorkers = Rpc.make("ReportWorkers", {
  payload: { ...session, changes: Schema.Array(WorkerChange) },
  error: SessionError
})

/** The answer to the directive `ReadLog`. */
export const LogChunk = Schema.Struct({
  data: Schema.Uint8Array,
  /** Bytes in the file so far. */
  size: Schema.Int,
  /** The attempt has ended: nothing more will be written. */
  ended: Schema.Boolean,
  /** There is no such log on this machine (any more). */
  missing: Schema.Boolean
})
export type LogChunk = typeof LogChunk.Type

export const AnswerLog = Rpc.make("AnswerLog", {
  payload: { ...session, requestId: Text, chunk: LogChunk },
  error: SessionError
})

/** Goodbye: the manager has given everything back and goes. */
export const Leave = Rpc.make("Leave", { payload: session, error: SessionError })

export class ManagerRpcs extends RpcGroup.make(
  Connect,
  Ready,
  Heartbeat,
  ChangeActivity,
  LeaseTasks,
  ReportTasks,
  Released,
  ReportWorkers,
  AnswerLog,
  Leave
).middleware(ManagersOnly) {}
