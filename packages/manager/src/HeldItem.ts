/**
 * A task that a worker has, and what becomes of it when the worker is no more.
 */
import * as Lease from "@muster/domain/Lease"
import type { WorkItem } from "@muster/domain/Rpc/WorkLists"
import type { AttemptResult } from "@muster/domain/Task"
import * as WorkerExit from "@muster/domain/WorkerExit"

export interface HeldItem {
  readonly item: WorkItem
  /** Milliseconds since 1970. */
  readonly handedOutAt: number
  /** As the worker told; absent for what runs only for a moment. */
  startedAt: number | undefined
  /** Somebody asked to end it. */
  isCancelled: boolean
}

/** How a worker's process ended. */
export interface Death {
  readonly pid: number
  readonly exitCode: number | undefined
  readonly signal: string | undefined
  /** Milliseconds since 1970. */
  readonly at: number
  /**
   * - `died`: by itself, or killed by somebody else
   * - `blocked`: killed by its manager because its thread did nothing any more
   * - `dismissed`: ended by its manager, whose work is to be done by others
   * - `lease_lost`: ended by whoever saw first that the lease of its suite was over
   */
  readonly reason: "died" | "blocked" | "dismissed" | "lease_lost"
}

/** What becomes of the tasks of a dead worker. */
export interface Settlement {
  readonly results: ReadonlyArray<AttemptResult>
  /** Nobody began these, or nobody knows: they run again, under the same attempt. */
  readonly again: ReadonlyArray<WorkItem>
}

/** How the process ended, for people. */
export const describe = (death: Pick<Death, "pid" | "exitCode" | "signal">): string =>
  death.signal === undefined
    ? `worker process ${death.pid} ended with exit code ${death.exitCode ?? "unknown"}`
    : `worker process ${death.pid} was ended by ${death.signal}`

/**
 * A worker hands in results in batches, so of several handler tasks that it had it may have finished some and never begun
 * others. Blaming one of them would be a guess, and three wrong guesses fail a task that did nothing wrong. Therefore only
 * what the worker is known to have begun is reported: what it told, or its only task. All others run again, one worker to
 * each (`WorkBuffer.putBack`), where the next death is certain.
 */
export const settle = (
  held: ReadonlyArray<HeldItem>,
  death: Death,
  /** Time from a task's start until it must have been ended, in milliseconds; nothing if it has no timeout. */
  patience: (item: WorkItem) => number | undefined
): Settlement => {
  const results: Array<AttemptResult> = []
  const again: Array<WorkItem> = []
  for (const one of held) {
    const { attempt, index } = one.item
    const finishedAt = death.at
    const startedAt = one.startedAt ?? (held.length === 1 ? one.handedOutAt : undefined)
    if (startedAt === undefined) {
      if (one.isCancelled) results.push({ index, attempt, outcome: "cancelled", finishedAt })
      else again.push(one.item)
      continue
    }
    const limit = patience(one.item)
    const isHanging = death.exitCode === WorkerExit.handlerHangs
    const hadToEnd = death.reason === "blocked" || isHanging
    const outcome = one.isCancelled
      ? "cancelled"
      : death.reason === "dismissed"
        ? "lost"
        : death.reason === "lease_lost"
          ? "lease_lost"
          : hadToEnd && limit !== undefined && finishedAt - startedAt >= limit
            ? "timed_out"
            : "crashed"
    results.push({
      index,
      attempt,
      outcome,
      startedAt,
      finishedAt,
      ...(outcome === "crashed" || outcome === "timed_out" ? exitOf(death) : {}),
      ...(isHanging ? { message: hanging } : outcome === "cancelled" ? {} : { message: messages[death.reason](death) })
    })
  }
  return { results, again }
}

const exitOf = (death: Death) => ({
  ...(death.exitCode === undefined ? {} : { exitCode: death.exitCode }),
  ...(death.signal === undefined ? {} : { signal: death.signal })
})

const hanging = "its handler did not heed its interruption, and was ended with its worker"

const messages: Readonly<Record<Death["reason"], (death: Death) => string>> = {
  died: describe,
  blocked: (death) => `worker process ${death.pid} did not react any more and was killed`,
  dismissed: () => "its manager was shut down",
  lease_lost: () => Lease.lostMessage
}

/**
 * Whether a worker that is silent for `silence` milliseconds has to be killed: whatever of its tasks blocks its thread is
 * past the time at which it should have been ended, and nobody but its manager can end it.
 */
export const isStuck = (
  held: ReadonlyArray<HeldItem>,
  silence: number,
  now: number,
  patience: (item: WorkItem) => number | undefined
): boolean =>
  held.length > 0 &&
  held.every((one) => {
    const limit = patience(one.item)
    if (limit === undefined) return false
    // Which of several it is cannot be known: none may be in its right. What blocks has run at least for the silence.
    const ran = held.length === 1 ? now - (one.startedAt ?? one.handedOutAt) : silence
    return ran >= limit
  })
