/**
 * What can go wrong between a program and a coordinator. What a coordinator itself answers is in `@muster/domain`.
 */
import { Data } from "effect"
import { format } from "@muster/domain/Millis"
import type { SuiteId, TaskId } from "@muster/domain/Suite/Id"
import type { SuiteView } from "@muster/domain/Suite/View"
import type { Outcome } from "@muster/domain/Task/Attempt"

/** Nobody answers at the address, or the connection broke and did not come back in time. */
export class ServerUnreachable extends Data.TaggedError("ServerUnreachable")<{
  readonly url: string
  readonly reason: string
}> {
  override get message() {
    return `cannot reach ${this.url}: ${this.reason}`
  }
}

/** Something is still pending after the time that the caller was ready to wait. */
export class WaitTimedOut extends Data.TaggedError("WaitTimedOut")<{
  readonly suite: SuiteView
  /** Milliseconds. */
  readonly timeout: number
}> {
  override get message() {
    return `suite ${this.suite.id} still has ${this.suite.tasks.pending} pending tasks after ${format(this.timeout)}`
  }
}

/** A handler's task ended without an answer of the handler: it threw, hung, crashed or was cancelled. */
export class HandlerBroke extends Data.TaggedError("HandlerBroke")<{
  readonly taskId: TaskId
  readonly outcome: Outcome
  readonly reason: string
}> {
  override get message() {
    return `task ${this.taskId} ${this.outcome.replaceAll("_", " ")}: ${this.reason}`
  }
}

/** A task was cancelled or its suite dropped it before it gave a result. */
export class ResultMissing extends Data.TaggedError("ResultMissing")<{
  readonly suiteId: SuiteId
  readonly index: number
}> {
  override get message() {
    return `task ${this.suiteId}.${this.index} was settled without running`
  }
}
