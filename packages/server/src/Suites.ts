/**
 * What may be asked of suites, wherever it comes from: RPC and HTTP handlers call this and nothing else. Behind it stand
 * the suite entities; it hides on which coordinator they live and repeats what a moving shard interrupted.
 */
import { Context } from "effect"
import type { Effect } from "effect"
import type { TooLarge, Unavailable } from "@muster/domain/Errors"
import type { Epoch, ManagerId } from "@muster/domain/Manager/Id"
import type { LeaseReply, ReportReply } from "@muster/domain/Rpc/ManagerRpcs"
import type { SuiteError } from "@muster/domain/Suite/Errors"
import type { SuiteId } from "@muster/domain/Suite/Id"
import type { CancelMode, SuiteSpec } from "@muster/domain/Suite/Spec"
import type { SuiteView } from "@muster/domain/Suite/View"
import type { AttemptResult } from "@muster/domain/Task/Attempt"
import type { TaskSpec } from "@muster/domain/Task/Spec"

/** Who asks, and under which id: the same id again gives the first answer. */
export interface Asked {
  readonly suiteId: SuiteId
  readonly commandId: string
  /** As it stands in the events. */
  readonly actor: string
}

export type Answer<A> = Effect.Effect<A, SuiteError | TooLarge | Unavailable>

export class Suites extends Context.Service<
  Suites,
  {
    readonly create: (options: Asked & { readonly spec: SuiteSpec }) => Answer<SuiteView>
    /** Answers after the commit. */
    readonly submit: (
      options: Asked & { readonly tasks: ReadonlyArray<TaskSpec> }
    ) => Answer<{ readonly firstIndex: number; readonly count: number }>
    readonly close: (options: Asked) => Answer<SuiteView>
    readonly pause: (options: Asked) => Answer<SuiteView>
    readonly resume: (options: Asked) => Answer<SuiteView>
    readonly cancel: (
      options: Asked & { readonly mode: CancelMode; readonly reason: string }
    ) => Answer<{ readonly suite: SuiteView; readonly cancelledTasks: number }>
    readonly retry: (
      options: Asked & { readonly tasks: ReadonlyArray<number> | "failed" }
    ) => Answer<{ readonly suite: SuiteView; readonly retriedTasks: number }>
    readonly cancelTasks: (
      options: Asked & { readonly tasks: ReadonlyArray<number>; readonly reason: string }
    ) => Answer<{ readonly suite: SuiteView; readonly cancelledTasks: number }>
    /** Waits up to `wait` milliseconds for the first task. */
    readonly lease: (
      options: Asked & {
        readonly managerId: ManagerId
        readonly epoch: Epoch
        readonly max: number
        readonly wait: number
      }
    ) => Answer<LeaseReply>
    readonly report: (
      options: Asked & {
        readonly managerId: ManagerId
        readonly epoch: Epoch
        readonly started: ReadonlyArray<readonly [index: number, attempt: number, startedAt: number]>
        readonly ended: ReadonlyArray<AttemptResult>
        readonly returned: ReadonlyArray<readonly [index: number, attempt: number]>
      }
    ) => Answer<ReportReply>
  }
>()("@muster/server/Suites") {}
