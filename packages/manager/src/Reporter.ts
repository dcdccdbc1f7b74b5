/**
 * Tells the coordinator what became of the leased tasks: what began, what ended, what goes back unbegun.
 *
 * A lone result leaves at once. Where one follows the other, what comes within a few milliseconds leaves together, and so
 * does what comes while two reports are on their way: the busier, the larger the reports. Results are on the disk
 * (`Journal`) before they are sent; what has to wait for a free line waits there after a moment too. A report is repeated
 * under its command id until it is answered.
 */
import { Context, Deferred, Effect, Latch, Layer, Semaphore } from "effect"
import type { Epoch } from "@muster/domain/Manager/Id"
import type { WorkItem } from "@muster/domain/Rpc/WorkLists"
import type { SuiteId } from "@muster/domain/Suite/Id"
import type { AttemptResult } from "@muster/domain/Task"
import { CoordinatorSession } from "./CoordinatorSession.ts"
import { Journal } from "./Journal.ts"
import type { Report } from "./JournalRecord.ts"

export class Reporter extends Context.Service<
  Reporter,
  {
    /** `isLast`: nothing else is under way here, so no other result will follow soon. */
    readonly ended: (suiteId: SuiteId, results: ReadonlyArray<AttemptResult>, isLast?: boolean) => void
    readonly started: (suiteId: SuiteId, attempts: ReadonlyArray<Started>) => void
    /** Leases that go back: nobody began them. */
    readonly returned: (suiteId: SuiteId, items: ReadonlyArray<WorkItem>) => void
    /** Hands in what earlier processes of this manager left in the journal. Ends when all of it is acknowledged. */
    readonly handInEarlier: Effect.Effect<void>
    /** Ends when everything that was told of these sessions until then is acknowledged. */
    readonly settled: (isMeant: (epoch: Epoch) => boolean) => Effect.Effect<void>
    /** Results that are not acknowledged. */
    readonly backlog: () => number
  }
>()("@muster/manager/Reporter") {}

/** Index, number of the attempt, time of start. */
type Started = readonly [index: number, attempt: number, startedAt: number]

/** What will be one report. */
interface Batch {
  readonly suiteId: SuiteId
  readonly epoch: Epoch
  readonly started: Array<Started>
  readonly ended: Array<AttemptResult>
  readonly returned: Array<readonly [index: number, attempt: number]>
  /** Rough number of bytes. */
  weight: number
  /** By `performance.now()`. */
  readonly since: number
  /** It may wait for others that are likely to follow. */
  canWait: boolean
}

/** A report has at most so many results, and about so many bytes: a frame has a limit, and a coordinator has others to hear. */
const maxResults = 1_000
const maxWeight = 4 * 1024 * 1024

/** Between two reports there are so many milliseconds, unless nothing more is to be expected. */
const gap = 30

/** While so many reports are on their way, the next one is collected. */
const busyLines = 2

/** After so many milliseconds a report that is collected is closed anyway, so that its results come to the disk. */
const linger = 40

/** Most reports on their way. The coordinator puts those that arrive together into one transaction. */
const maxLines = 16

/** What earlier processes left is handed in by so many reports at once. */
const earlierLines = 4

const make = Effect.gen(function* () {
  const session = yield* CoordinatorSession
  const journal = yield* Journal
  const lines = yield* Semaphore.make(maxLines)
  const hasNews = Latch.makeUnsafe(false)
  /** Closed batches, and the open one as the last. */
  const batches: Array<Batch> = []
  const unsettled = new Set<{ readonly epoch: Epoch; readonly results: number }>()
  const waiting = new Set<{ readonly isMeant: (epoch: Epoch) => boolean; readonly done: Deferred.Deferred<void> }>()

  const isFull = (batch: Batch) => batch.ended.length >= maxResults || batch.weight >= maxWeight

  const batchFor = (suiteId: SuiteId): Batch | undefined => {
    const epoch = session.speaker()?.epoch
    // Tasks come from a session, so there is one.
    if (epoch === undefined) return undefined
    const last = batches.at(-1)
    if (last !== undefined && last.suiteId === suiteId && last.epoch === epoch && !isFull(last)) return last
    const batch: Batch = {
      suiteId,
      epoch,
      started: [],
      ended: [],
      returned: [],
      weight: 0,
      since: performance.now(),
      canWait: true
    }
    batches.push(batch)
    return batch
  }

  const ended = (suiteId: SuiteId, results: ReadonlyArray<AttemptResult>, isLast = false) => {
    let batch = batchFor(suiteId)
    for (const result of results) {
      if (batch === undefined || isFull(batch)) batch = batchFor(suiteId)
      if (batch === undefined) return
      batch.ended.push(result)
      batch.weight += weightOf(result)
    }
    if (isLast && batch !== undefined) batch.canWait = false
    hasNews.openUnsafe()
  }

  const started = (suiteId: SuiteId, attempts: ReadonlyArray<Started>) => {
    batchFor(suiteId)?.started.push(...attempts)
    hasNews.openUnsafe()
  }

  const returned = (suiteId: SuiteId, items: ReadonlyArray<WorkItem>) => {
    if (items.length === 0) return
    const batch = batchFor(suiteId)
    for (const { attempt, index } of items) batch?.returned.push([index, attempt])
    hasNews.openUnsafe()
  }

  const isSettled = (isMeant: (epoch: Epoch) => boolean) => {
    for (const { epoch } of unsettled) if (isMeant(epoch)) return false
    return !batches.some(({ epoch }) => isMeant(epoch))
  }

  const settled = Effect.fnUntraced(function* (isMeant: (epoch: Epoch) => boolean) {
    if (isSettled(isMeant)) return
    const waiter = { isMeant, done: yield* Deferred.make<void>() }
    waiting.add(waiter)
    yield* Effect.ensuring(
      Deferred.await(waiter.done),
      Effect.sync(() => waiting.delete(waiter))
    )
  })

  const send = Effect.fnUntraced(function* (report: Report, rest: Pick<Batch, "started" | "returned">) {
    yield* session
      .call((client, { managerId }) => client.ReportTasks({ managerId, ...report, ...rest }))
      .pipe(
        Effect.catch((error) =>
          // No repetition can change this, so keeping the results would only fill the disk.
          Effect.logError(`${report.ended.length} results of suite ${report.suiteId} are refused: ${error.message}`)
        )
      )
    yield* journal.acknowledge(report)
  })

  const dispatch = Effect.fnUntraced(function* (batch: Batch) {
    const { epoch, suiteId } = batch
    const report: Report = { commandId: crypto.randomUUID(), suiteId, epoch, ended: batch.ended }
    const entry = { epoch, results: batch.ended.length }
    unsettled.add(entry)
    if (batch.ended.length > 0) yield* journal.append(report)
    yield* lines.withPermit(send(report, { started: batch.started, returned: batch.returned })).pipe(
      Effect.andThen(
        Effect.sync(() => {
          unsettled.delete(entry)
          hasNews.openUnsafe()
          for (const { done, isMeant } of waiting) {
            if (isSettled(isMeant)) Deferred.doneUnsafe(done, Effect.void)
          }
        })
      ),
      Effect.forkScoped
    )
  })

  let dispatchedAt = Number.NEGATIVE_INFINITY

  /** Milliseconds that a batch has to wait for others. */
  const delayOf = (batch: Batch, now: number): number => {
    if (batches.length > 1 || isFull(batch)) return 0
    if (unsettled.size >= busyLines) return batch.since + linger - now
    return batch.canWait ? dispatchedAt + gap - now : 0
  }

  const loop = Effect.gen(function* () {
    const [first] = batches
    if (first === undefined) return yield* hasNews.await
    const now = performance.now()
    const delay = delayOf(first, now)
    if (delay > 0) return yield* Effect.raceFirst(hasNews.await, Effect.sleep(delay))
    batches.shift()
    dispatchedAt = now
    return yield* dispatch(first)
  })
  yield* Effect.andThen(
    Effect.sync(() => hasNews.closeUnsafe()),
    loop
  ).pipe(Effect.forever, Effect.forkScoped)

  let earlier = [...journal.earlier]
  const handInEarlier = Effect.suspend(() => {
    if (earlier.length === 0) return Effect.void
    const count = earlier.reduce((sum, report) => sum + report.ended.length, 0)
    return Effect.logInfo(`handing in ${count} results of an earlier process`).pipe(
      Effect.andThen(
        Effect.forEach(
          earlier,
          (report) =>
            Effect.tap(send(report, { started: [], returned: [] }), () => {
              earlier = earlier.filter((other) => other !== report)
              return Effect.void
            }),
          { concurrency: earlierLines, discard: true }
        )
      )
    )
  })

  const backlog = () => {
    let results = 0
    for (const entry of unsettled) results += entry.results
    for (const batch of batches) results += batch.ended.length
    return results
  }

  return Reporter.of({ ended, started, returned, handInEarlier, settled, backlog })
})

export const layer: Layer.Layer<Reporter, never, CoordinatorSession | Journal> = Layer.effect(Reporter, make)

/** About how many bytes a result has on the wire. Only what can be large is looked at. */
const weightOf = ({ message, output, stderr, stdout }: AttemptResult): number => {
  const text = (stdout?.length ?? 0) + (stderr?.length ?? 0) + (message?.length ?? 0)
  return (
    64 + text + (typeof output === "object" && output !== null ? JSON.stringify(output).length : String(output).length)
  )
}
