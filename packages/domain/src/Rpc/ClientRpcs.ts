/**
 * What users' programs ask of a coordinator, over the WebSocket `/rpc`. Any coordinator of the cluster answers
 * anything. Commands carry a `commandId`: sent again with the same id they do nothing and give the first answer.
 */
import { Schema } from "effect"
import { Rpc, RpcGroup } from "effect/rpc"
import * as Bundle from "../Bundle.ts"
import { ClusterView } from "../Cluster/View.ts"
import { Report } from "../Doctor/Finding.ts"
import { InvalidInput, TooLarge, Unavailable } from "../Errors.ts"
import { ManagerNotFound, ManagerOffline } from "../Manager/Errors.ts"
import { TaskExplanation } from "../Explanation/View.ts"
import { OutputStream } from "../Manager/Directive.ts"
import { ManagerId } from "../Manager/Id.ts"
import { ManagerState, ShutdownMode } from "../Manager/Spec.ts"
import { ManagerView } from "../Manager/View.ts"
import * as Page from "../Page.ts"
import { Recorded } from "../Recorded.ts"
import { SuiteError } from "../Suite/Errors.ts"
import { SuiteId, TaskId, TaskIndex } from "../Suite/Id.ts"
import { CancelMode, SuiteSpec, SuiteState } from "../Suite/Spec.ts"
import { SuiteDetail, SuiteView, TaskDetail, TaskResult, TaskView } from "../Suite/View.ts"
import { TaskState } from "../Task/Attempt.ts"
import { TaskSpec } from "../Task/Spec.ts"
import { CommandId, Name, Tag, Text } from "../Text.ts"
import { NewToken, TokenNameTaken, TokenView } from "../Token.ts"
import { WorkerView } from "../Worker/View.ts"
import { AdminOnly, Role } from "./Authentication.ts"
import { LogChunk } from "./ManagerRpcs.ts"

/** Most tasks in one `SubmitTasks`. */
export const maxSubmit = 10_000

const SuiteCommandError = Schema.Union([SuiteError, InvalidInput, TooLarge, Unavailable])
const QueryError = Schema.Union([InvalidInput, Unavailable])

export const GetServerInfo = Rpc.make("GetServerInfo", {
  success: Schema.Struct({
    version: Schema.String,
    /** This coordinator's address within the cluster. */
    coordinator: Schema.String,
    startedAt: Schema.String
  }),
  error: Unavailable
})

/** Coordinators and who of them leads what; with `suites` also where each suite is. */
export const GetCluster = Rpc.make("GetCluster", {
  payload: { suites: Schema.optionalKey(Schema.Boolean) },
  success: ClusterView,
  error: Unavailable
})

/** The caller chooses the id, so that a repeated request cannot make two suites. */
export const CreateSuite = Rpc.make("CreateSuite", {
  payload: { suiteId: SuiteId, spec: SuiteSpec, commandId: CommandId },
  success: SuiteView,
  error: SuiteCommandError
})

/** Answered after the tasks are durable. They get the indexes from `firstIndex` on, in order. */
export const SubmitTasks = Rpc.make("SubmitTasks", {
  payload: {
    suiteId: SuiteId,
    tasks: Schema.Array(TaskSpec).check(Schema.isMinLength(1), Schema.isMaxLength(maxSubmit)),
    commandId: CommandId
  },
  success: Schema.Struct({ firstIndex: Schema.Int, count: Schema.Int }),
  error: SuiteCommandError
})

const suiteCommand = <const Tag extends string>(tag: Tag) =>
  Rpc.make(tag, { payload: { suiteId: SuiteId, commandId: CommandId }, success: SuiteView, error: SuiteCommandError })

export const CloseSuite = suiteCommand("CloseSuite")
export const PauseSuite = suiteCommand("PauseSuite")
export const ResumeSuite = suiteCommand("ResumeSuite")

export const CancelSuite = Rpc.make("CancelSuite", {
  payload: { suiteId: SuiteId, mode: CancelMode, reason: Text, commandId: CommandId },
  /** `cancelledTasks` counts what was queued, and with `force` also what was leased or running. */
  success: Schema.Struct({ suite: SuiteView, cancelledTasks: Schema.Int }),
  error: SuiteCommandError
})

/** Settled tasks go back into the queue: the given ones (failed or cancelled), or all failed ones. */
export const RetryTasks = Rpc.make("RetryTasks", {
  payload: {
    suiteId: SuiteId,
    tasks: Schema.Union([Schema.Literal("failed"), Schema.Array(TaskIndex)]),
    commandId: CommandId
  },
  success: Schema.Struct({ suite: SuiteView, retriedTasks: Schema.Int }),
  error: SuiteCommandError
})

export const CancelTasks = Rpc.make("CancelTasks", {
  payload: { suiteId: SuiteId, tasks: Schema.Array(TaskIndex), reason: Text, commandId: CommandId },
  success: Schema.Struct({ suite: SuiteView, cancelledTasks: Schema.Int }),
  error: SuiteCommandError
})

export const GetSuite = Rpc.make("GetSuite", {
  payload: { suiteId: SuiteId },
  success: SuiteDetail,
  error: Schema.Union([SuiteError, Unavailable])
})

export const ListSuites = Rpc.make("ListSuites", {
  payload: {
    ...Page.query,
    states: Schema.optionalKey(Schema.Array(SuiteState)),
    /** Part of the name, upper and lower case alike. */
    name: Schema.optionalKey(Text),
    /** Suites that have all of these. */
    labels: Schema.optionalKey(Schema.Array(Tag)),
    tags: Schema.optionalKey(Schema.Array(Tag))
  },
  success: Page.page(SuiteView),
  error: QueryError
})

/** The suite now and after each change, at most every `interval` milliseconds. Ends when nothing is pending any more. */
export const WatchSuite = Rpc.make("WatchSuite", {
  payload: { suiteId: SuiteId, interval: Schema.optionalKey(Schema.Int) },
  success: SuiteView,
  error: Schema.Union([SuiteError, Unavailable]),
  stream: true
})

/** Settled tasks as they settle, from the first on. With `follow` it goes on until nothing is pending any more. */
export const StreamResults = Rpc.make("StreamResults", {
  payload: { suiteId: SuiteId, follow: Schema.Boolean },
  success: TaskResult,
  error: Schema.Union([SuiteError, Unavailable]),
  stream: true
})

export const ListTasks = Rpc.make("ListTasks", {
  payload: {
    ...Page.query,
    suiteId: SuiteId,
    states: Schema.optionalKey(Schema.Array(TaskState)),
    labels: Schema.optionalKey(Schema.Array(Tag))
  },
  success: Page.page(TaskView),
  error: Schema.Union([SuiteError, InvalidInput, Unavailable])
})

export const GetTask = Rpc.make("GetTask", {
  payload: { taskId: TaskId },
  success: TaskDetail,
  error: Schema.Union([SuiteError, Unavailable])
})

/** Why a task is in its state, now or `at` another time: `2026-11-24T18:20:00Z`, or `10m` for ten minutes ago. */
export const ExplainTask = Rpc.make("ExplainTask", {
  payload: { taskId: TaskId, at: Schema.optionalKey(Schema.String) },
  success: TaskExplanation,
  error: Schema.Union([SuiteError, InvalidInput, Unavailable])
})

/** Up to `limit` bytes of an attempt's output from `offset`, read on the machine that has it. */
export const ReadTaskLog = Rpc.make("ReadTaskLog", {
  payload: {
    taskId: TaskId,
    /** Default: the latest. */
    attempt: Schema.optionalKey(Schema.Int),
    stream: OutputStream,
    offset: Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)),
    limit: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1024 ** 2 }))
  },
  success: LogChunk,
  error: Schema.Union([SuiteError, ManagerNotFound, ManagerOffline, Unavailable])
})

export const ListManagers = Rpc.make("ListManagers", {
  payload: {
    ...Page.query,
    states: Schema.optionalKey(Schema.Array(ManagerState)),
    tags: Schema.optionalKey(Schema.Array(Tag))
  },
  success: Page.page(ManagerView),
  error: QueryError
})

export const GetManager = Rpc.make("GetManager", {
  payload: { managerId: ManagerId },
  success: ManagerView,
  error: Schema.Union([ManagerNotFound, Unavailable])
})

/** `draining: false` ends a drain. */
export const DrainManager = Rpc.make("DrainManager", {
  payload: { managerId: ManagerId, draining: Schema.Boolean, commandId: CommandId },
  success: ManagerView,
  error: Schema.Union([ManagerNotFound, Unavailable])
})

export const ShutdownManager = Rpc.make("ShutdownManager", {
  payload: { managerId: ManagerId, mode: ShutdownMode, commandId: CommandId },
  success: ManagerView,
  error: Schema.Union([ManagerNotFound, ManagerOffline, Unavailable])
})

export const ListWorkers = Rpc.make("ListWorkers", {
  payload: { ...Page.query, managerId: Schema.optionalKey(ManagerId) },
  success: Page.page(WorkerView),
  error: QueryError
})

/** Events of one stream by version, or of the whole log in the order in which they became visible. */
export const ListEvents = Rpc.make("ListEvents", {
  payload: { ...Page.query, stream: Schema.optionalKey(Text) },
  success: Page.page(Recorded),
  error: QueryError
})

/** Events after the cursor (or from now on) as they are stored. */
export const TailEvents = Rpc.make("TailEvents", {
  payload: { stream: Schema.optionalKey(Text), cursor: Schema.optionalKey(Text) },
  success: Recorded,
  error: QueryError,
  stream: true
})

/** All that happened to a suite, to be taken elsewhere: the bundle's header first, then its events. */
export const ExportSuite = Rpc.make("ExportSuite", {
  payload: { suiteId: SuiteId },
  success: Schema.Union([Schema.Struct({ header: Bundle.Header }), Schema.Struct({ event: Recorded })]),
  error: Schema.Union([SuiteError, Unavailable]),
  stream: true
})

export const CreateToken = Rpc.make("CreateToken", {
  payload: { name: Name, role: Role },
  success: NewToken,
  error: Schema.Union([TokenNameTaken, Unavailable])
})
export const ListTokens = Rpc.make("ListTokens", { success: Schema.Array(TokenView), error: Unavailable })
export const RevokeToken = Rpc.make("RevokeToken", {
  payload: { name: Name },
  success: Schema.Boolean,
  error: Unavailable
})

/** Findings about the coordinators of the cluster, and unless `database` is false about the database. */
export const Examine = Rpc.make("Examine", {
  payload: {
    /** Compare read models with all events instead of a sample. */
    full: Schema.Boolean,
    database: Schema.Boolean
  },
  success: Report,
  error: Unavailable
})

export class ClientRpcs extends RpcGroup.make(
  GetServerInfo,
  GetCluster,
  CreateSuite,
  SubmitTasks,
  CloseSuite,
  PauseSuite,
  ResumeSuite,
  CancelSuite,
  RetryTasks,
  CancelTasks,
  GetSuite,
  ListSuites,
  WatchSuite,
  StreamResults,
  ListTasks,
  GetTask,
  ExplainTask,
  ReadTaskLog,
  ListManagers,
  GetManager,
  DrainManager,
  ShutdownManager,
  ListWorkers,
  ListEvents,
  TailEvents,
  ExportSuite,
  CreateToken,
  ListTokens,
  RevokeToken,
  Examine
).middleware(AdminOnly) {}
