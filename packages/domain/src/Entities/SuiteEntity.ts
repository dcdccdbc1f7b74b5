/**
 * The actor of one suite. Its id is the suite's id.
 *
 * All messages are volatile: a message that is lost with its coordinator was not answered, so whoever sent it sends it
 * again, and the command id makes that harmless. Nothing is stored twice, once as message and once as event.
 *
 * What comes in thousands is not checked here again: specs were where a client's call arrived, results where a manager's did.
 */
import { Schema } from "effect"
import { Entity } from "effect/cluster"
import { Rpc } from "effect/rpc"
import { Unavailable } from "../Errors.ts"
import { Epoch, ManagerId } from "../Manager/Id.ts"
import { ReportReply } from "../Rpc/ManagerRpcs.ts"
import type { LeaseReply, ReportTasks } from "../Rpc/ManagerRpcs.ts"
import { trusted } from "../Rpc/Trusted.ts"
import { SuiteError } from "../Suite/Errors.ts"
import { TaskIndex } from "../Suite/Id.ts"
import { CancelMode, SuiteSpec } from "../Suite/Spec.ts"
import { SuiteView } from "../Suite/View.ts"
import { AttemptResults } from "../Task/Packed.ts"
import type { TaskSpec } from "../Task/Spec.ts"

const asked = { commandId: Schema.String, actor: Schema.String }
const error = Schema.Union([SuiteError, Unavailable])

/** A command that is answered with the suite as it is afterwards. */
const command = <const Tag extends string>(tag: Tag) => Rpc.make(tag, { payload: asked, success: SuiteView, error })

/** What a manager reports of its tasks. */
type Report = (typeof ReportTasks)["payloadSchema"]["Type"]

/** What a command did to how many tasks. */
const Affected = Schema.Struct({ suite: SuiteView, tasks: Schema.Int })

export const SuiteEntity = Entity.make("Suite", [
  Rpc.make("Create", { payload: { ...asked, spec: SuiteSpec }, success: SuiteView, error }),
  Rpc.make("Submit", {
    payload: { ...asked, tasks: trusted<ReadonlyArray<TaskSpec>>() },
    success: Schema.Struct({ firstIndex: Schema.Int, count: Schema.Int }),
    error
  }),
  command("Close"),
  command("Pause"),
  command("Resume"),
  Rpc.make("Cancel", { payload: { ...asked, mode: CancelMode, reason: Schema.String }, success: Affected, error }),
  Rpc.make("Retry", {
    payload: { ...asked, tasks: Schema.Union([Schema.Literal("failed"), Schema.Array(TaskIndex)]) },
    success: Affected,
    error
  }),
  Rpc.make("CancelTasks", {
    payload: { ...asked, tasks: Schema.Array(TaskIndex), reason: Schema.String },
    success: Affected,
    error
  }),
  Rpc.make("Lease", {
    payload: { ...asked, managerId: ManagerId, epoch: Epoch, max: Schema.Int, wait: Schema.Int },
    success: trusted<LeaseReply>(),
    error
  }),
  Rpc.make("Report", {
    payload: {
      ...asked,
      managerId: ManagerId,
      epoch: Epoch,
      started: trusted<Report["started"]>(),
      ended: AttemptResults,
      returned: trusted<Report["returned"]>()
    },
    success: ReportReply,
    error
  }),
  /** Takes back what the manager held under this epoch and older ones. */
  Rpc.make("Reclaim", { payload: { managerId: ManagerId, epoch: Epoch }, error }),
  /** What the suite was created with. */
  Rpc.make("Describe", { success: SuiteSpec, error }),
  /** Loads the suite if it is not, lets time pass for it, and has it say again how much work it has. */
  Rpc.make("Wake", { error })
])
