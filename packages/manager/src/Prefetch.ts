/**
 * Keeps leased tasks ready, so that a worker that asks has its next task at once.
 *
 * While a suite runs here one call for tasks is always open with the coordinator, unless enough is ready: a task that is
 * submitted to an idle suite reaches a worker without anybody having to ask. The next call is made when half of what
 * should be ready is gone, so that leasing and running go on side by side.
 */
import { Context, Effect, Latch, Layer } from "effect"
import type { Lease, LeaseReply } from "@muster/domain/Rpc/ManagerRpcs"
import type { WorkItem } from "@muster/domain/Rpc/WorkLists"
import type { SuiteId } from "@muster/domain/Suite/Id"
import type { AttemptResult } from "@muster/domain/Task"
import { CoordinatorSession } from "./CoordinatorSession.ts"
import { ManagerConfig } from "./ManagerConfig.ts"
import { Pace } from "./Pace.ts"
import * as PrefetchTarget from "./PrefetchTarget.ts"
import { Reporter } from "./Reporter.ts"
import { WorkBuffer } from "./WorkBuffer.ts"

export class Prefetch extends Context.Service<
  Prefetch,
  {
    readonly buffer: WorkBuffer
    readonly pace: Pace
    /** Leases tasks of this suite until the coordinator says that there are no more, or until it is closed. */
    readonly run: (suiteId: SuiteId, workers: number) => Effect.Effect<void>
    /** Ends `run`, which gives back what nobody began before it ends. */
    readonly close: () => void
    /** Ends these attempts if no worker has them. */
    readonly cancel: (attempts: Attempts) => void
    /** Takes no new tasks while draining, and gives back what nobody began. */
    readonly drain: (draining: boolean) => void
    /** Tasks that a worker did not begin: they are the next ones here if that is still allowed, else they go elsewhere. */
    readonly giveBack: (items: ReadonlyArray<WorkItem>) => void
    /** As `giveBack` for tasks that a dead worker may have begun: each runs alone. */
    readonly putBack: (items: ReadonlyArray<WorkItem>) => void
    /** Gives back what nobody began, and goes on. */
    readonly recall: () => void
    /** Forgets everything: the session is over, and with it all leases. */
    readonly abandon: () => void
    /** Tasks that workers found in the buffer, and times that they had to wait for one, since this was last asked. */
    readonly takeCounters: () => { readonly prefetchHits: number; readonly prefetchMisses: number }
  }
>()("@muster/manager/Prefetch") {}

/** How much a new measurement counts against the earlier ones. */
const latencyWeight = 0.2

/** A call that waited for tasks says little about how fast the coordinator is. Milliseconds. */
const maxLatency = 250

/** An answer without tasks should have taken its time. If it did not, the next call waits. Milliseconds. */
const emptyHanded = { early: 50, wait: 250 }

/** Wait after a refusal that may pass. */
const refusalWait = "1 second"

/** Between two calls that are answered as soon as there is a task: what came in between is leased at once. Milliseconds. */
const restAfterWait = 1

type Attempts = ReadonlyArray<readonly [index: number, attempt: number]>

type Phase = "idle" | "open" | "closing"

const make = Effect.gen(function* () {
  const config = yield* ManagerConfig
  const session = yield* CoordinatorSession
  const reporter = yield* Reporter
  const limits: PrefetchTarget.Limits = { horizon: config.prefetchHorizon, limit: config.prefetchLimit }

  const pace = new Pace()
  let phase: Phase = "idle"
  let isDraining = false
  let suite: SuiteId | undefined
  let workers = config.workers
  let leaseLatency = 10
  /** Open when there may be something to do for `run`. */
  const news = Latch.makeUnsafe(false)
  /** Open when no call for tasks may stay open. */
  const withdrawn = Latch.makeUnsafe(false)

  const load = (): PrefetchTarget.Load => ({ workers, waiting: buffer.waiting, perItem: pace.perItem, leaseLatency })
  const wanted = () => (isDraining ? 0 : PrefetchTarget.request(load(), buffer.size, limits))
  const buffer: WorkBuffer = new WorkBuffer(
    () => {
      if (phase === "open" && wanted() > 0) news.openUnsafe()
    },
    () => workers
  )

  const giveBackAll = () => {
    if (suite !== undefined) reporter.returned(suite, buffer.clear())
  }

  /** Cancelled before they came: the word of it may overtake the lease. */
  const unwanted = new Map<number, number>()

  const cancelled = (suiteId: SuiteId, leases: ReadonlyArray<Pick<Lease, "index" | "attempt">>) => {
    const finishedAt = Date.now()
    const result = ({ attempt, index }: (typeof leases)[number]): AttemptResult => {
      unwanted.delete(index)
      return { index, attempt, outcome: "cancelled", finishedAt }
    }
    if (leases.length > 0) reporter.ended(suiteId, leases.map(result))
  }

  const cancel = (attempts: Attempts) => {
    if (suite === undefined) return
    for (const [index, attempt] of attempts) unwanted.set(index, attempt)
    cancelled(suite, buffer.remove(attempts))
  }

  const add = (suiteId: SuiteId, leases: ReadonlyArray<Lease>) => {
    if (unwanted.size === 0) return buffer.add(suiteId, leases)
    const isUnwanted = ({ attempt, index }: Lease) => unwanted.get(index) === attempt
    buffer.add(
      suiteId,
      leases.filter((lease) => !isUnwanted(lease))
    )
    cancelled(suiteId, leases.filter(isUnwanted))
  }

  const lease = Effect.fnUntraced(function* (suiteId: SuiteId, max: number) {
    const commandId = crypto.randomUUID()
    const ask = (count: number, wait: number) =>
      session.call((client, speaker) => client.LeaseTasks({ ...speaker, suiteId, commandId, max: count, wait }))
    const reply = yield* Effect.raceFirst(ask(max, config.leaseWait), Effect.as(withdrawn.await, undefined))
    // The coordinator may have given out tasks whose names are still on their way. Only the answer to the same command
    // tells, and if it was not carried out it must not be now.
    return reply ?? (yield* ask(0, 0))
  })

  const measure = (reply: LeaseReply, max: number, elapsed: number) => {
    // Fewer than wanted means that the call waited for the first one.
    if (reply.leases.length === max) leaseLatency += (Math.min(elapsed, maxLatency) - leaseLatency) * latencyWeight
  }

  // Asked anew after each wait: `close` may have been called meanwhile.
  const isClosing = () => phase === "closing"

  /** One round; answers whether there is to be another. */
  const round = Effect.fnUntraced(function* (suiteId: SuiteId) {
    if (isClosing()) return false
    const max = wanted()
    if (max === 0) {
      news.closeUnsafe()
      yield* news.await
      return true
    }
    const askedAt = performance.now()
    const reply = yield* lease(suiteId, max)
    const elapsed = performance.now() - askedAt
    measure(reply, max, elapsed)
    add(suiteId, reply.leases)
    if (isClosing() || isDraining) giveBackAll()
    if (reply.ended) return false
    // The call waited for what it got, so a worker is about to begin it, and is to have a processor for that.
    if (reply.leases.length > 0 && reply.leases.length < max) yield* Effect.sleep(restAfterWait)
    if (reply.leases.length === 0 && elapsed < emptyHanded.early && !withdrawn.isOpen()) {
      yield* Effect.raceFirst(Effect.sleep(emptyHanded.wait), withdrawn.await)
    }
    return true
  })

  const run = Effect.fn("Prefetch.run")(function* (suiteId: SuiteId, count: number) {
    suite = suiteId
    workers = count
    phase = "open"
    pace.reset()
    unwanted.clear()
    if (!isDraining) withdrawn.closeUnsafe()
    let goesOn = true
    while (goesOn) {
      goesOn = yield* round(suiteId).pipe(
        Effect.catchTag(["SuiteNotFound", "SuiteIsCancelled"], () => Effect.succeed(false)),
        Effect.catch((error) =>
          Effect.logWarning(`no tasks of suite ${suiteId}: ${error.message}`).pipe(
            Effect.andThen(Effect.raceFirst(Effect.sleep(refusalWait), withdrawn.await)),
            Effect.as(true)
          )
        )
      )
    }
    phase = "idle"
    giveBackAll()
  })

  const close = () => {
    if (phase === "idle") return
    phase = "closing"
    giveBackAll()
    withdrawn.openUnsafe()
    news.openUnsafe()
  }

  const drain = (draining: boolean) => {
    isDraining = draining
    if (draining) {
      giveBackAll()
      withdrawn.openUnsafe()
    } else if (phase === "open") {
      withdrawn.closeUnsafe()
      news.openUnsafe()
    }
  }

  const comeBack = (items: ReadonlyArray<WorkItem>, take: (items: ReadonlyArray<WorkItem>) => void) => {
    if (items.length === 0) return
    if (phase === "open" && !isDraining) take(items)
    else if (suite !== undefined) reporter.returned(suite, items)
  }
  const giveBack = (items: ReadonlyArray<WorkItem>) => comeBack(items, (some) => buffer.giveBack(some))
  const putBack = (items: ReadonlyArray<WorkItem>) => comeBack(items, (some) => buffer.putBack(some))

  const abandon = () => {
    phase = "idle"
    suite = undefined
    buffer.clear()
  }

  const takeCounters = () => {
    const taken = { prefetchHits: buffer.hits, prefetchMisses: buffer.misses }
    buffer.hits = 0
    buffer.misses = 0
    return taken
  }

  return Prefetch.of({
    buffer,
    pace,
    run,
    close,
    cancel,
    drain,
    giveBack,
    putBack,
    recall: giveBackAll,
    abandon,
    takeCounters
  })
})

export const layer: Layer.Layer<Prefetch, never, ManagerConfig | CoordinatorSession | Reporter> = Layer.effect(
  Prefetch,
  make
)
