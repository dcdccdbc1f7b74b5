/**
 * Names and small things that tests are about.
 */
import { Epoch, ManagerId } from "@muster/domain/Manager/Id"
import type { WorkItem } from "@muster/domain/Rpc/WorkLists"
import { SuiteId } from "@muster/domain/Suite/Id"
import type { AttemptResult, TaskSpec } from "@muster/domain/Task"

export const suite = SuiteId.make("000000000000ste1")
export const otherSuite = SuiteId.make("000000000000ste2")
export const managerId = ManagerId.make("0000000000000mgr")
export const epoch = (number: number) => Epoch.make(number)

export const noop: TaskSpec = { handler: "noop" }
export const command: TaskSpec = { program: "/bin/true" }

export const item = (index: number, spec: TaskSpec = noop): WorkItem => ({ suiteId: suite, index, attempt: 1, spec })

export const succeeded = (index: number): AttemptResult => ({
  index,
  attempt: 1,
  outcome: "succeeded",
  startedAt: 1_000,
  finishedAt: 1_001
})

export const range = (count: number): Array<number> => Array.from({ length: count }, (_, index) => index)
