/**
 * What really ran where and when, as the simulated workers know it: the log of the system under test is held against it.
 */
import type { SuiteId } from "@muster/domain/Suite/Id"
import type { Outcome } from "@muster/domain/Task/Attempt"

export interface Execution {
  readonly suiteId: SuiteId
  readonly index: number
  readonly attempt: number
  /** Name of the machine. */
  readonly machine: string
  readonly from: number
  /** Absent while it runs. */
  to: number | undefined
  /** How it ended, as its worker reported it; absent where the worker could not. */
  outcome: Outcome | undefined
}

export class Executions {
  readonly all: Array<Execution> = []
  private readonly running = new Map<string, Set<Execution>>()
  /** Two that ran at once. */
  readonly overlaps: Array<readonly [Execution, Execution]> = []

  begin(execution: Execution): void {
    this.all.push(execution)
    const task = `${execution.suiteId}.${execution.index}`
    const others = this.running.get(task) ?? new Set()
    for (const other of others) this.overlaps.push([other, execution])
    others.add(execution)
    this.running.set(task, others)
  }

  end(execution: Execution, at: number, outcome?: Outcome): void {
    execution.to = at
    execution.outcome = outcome
    this.running.get(`${execution.suiteId}.${execution.index}`)?.delete(execution)
  }
}
