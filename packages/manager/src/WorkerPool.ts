/**
 * The workers of this machine: as many as the suite wants, each in a slot of its own, and what becomes of tasks when a
 * worker dies under them.
 */
import { Context, Deferred, Effect, FiberMap, Layer, Queue } from "effect"
import type { Stream } from "effect"
import type { WorkerChange } from "@muster/domain/Rpc/ManagerRpcs"
import type { Returned, WorkerDirective } from "@muster/domain/Rpc/WorkerRpcs"
import type { WorkItem, WorkResult } from "@muster/domain/Rpc/WorkLists"
import type { SuiteId } from "@muster/domain/Suite/Id"
import { defaultGrace, resolve } from "@muster/domain/Task"
import * as WorkerExit from "@muster/domain/WorkerExit"
import { Announcer } from "./Announcer.ts"
import * as HeldItem from "./HeldItem.ts"
import { Machine } from "./Machine.ts"
import { ManagerConfig } from "./ManagerConfig.ts"
import { Prefetch } from "./Prefetch.ts"
import { Reporter } from "./Reporter.ts"
import * as Supervision from "./Supervision.ts"
import * as WorkerEnvironment from "./WorkerEnvironment.ts"
import type * as WorkerProcess from "./WorkerProcess.ts"
import { SuiteLease } from "./SuiteLease.ts"
import { WorkerSlot } from "./WorkerSlot.ts"
import type { CurrentSuite, Fates } from "./WorkerSlot.ts"

type Attempts = ReadonlyArray<readonly [index: number, attempt: number]>

export class WorkerPool extends Context.Service<
  WorkerPool,
  {
    /** From now on tasks of this suite come, for so many workers. */
    readonly useSuite: (suite: CurrentSuite, workers: number) => Effect.Effect<void>
    /** Nothing of this suite runs any more: workers end what its commands left behind. */
    readonly leaveSuite: (suiteId: SuiteId) => void
    /** Ends those of these attempts that workers have: TERM, grace, KILL. */
    readonly cancel: (suiteId: SuiteId, attempts: Attempts) => void
    /** As `cancel` for everything that runs, but nobody asked for it: the attempts are lost and run again elsewhere. */
    readonly evict: () => void
    /**
     * Kills every worker that has a task. With `report` what they ran is reported as lost; without, the session that it
     * belonged to is over and nobody wants to know. Ends when all is gone.
     */
    readonly dismiss: (options: { readonly report: boolean }) => Effect.Effect<void>
    /** Ends when no worker has a task. */
    readonly idle: Effect.Effect<void>
    /** Tasks that workers have. */
    readonly running: () => number
    readonly has: (suiteId: SuiteId, index: number, attempt: number) => boolean
    /** The processes that live now, as `started`. */
    readonly present: () => Array<WorkerChange>
    /** Starts the manager's own number of workers. */
    readonly start: Effect.Effect<void>
    /** Ends all workers, and ends itself when they are gone. None is started any more. */
    readonly stop: Effect.Effect<void>
    /** What workers call. A `clientId` names a worker's connection. */
    readonly calls: Calls
  }
>()("@muster/manager/WorkerPool") {}

interface Calls {
  readonly attach: (
    clientId: number,
    slot: number,
    concurrency: ReadonlyMap<string, number>
  ) => Stream.Stream<WorkerDirective> | undefined
  /** The slot whose worker calls on this connection. */
  readonly slotOf: (clientId: number, slot: number) => WorkerSlot | undefined
  readonly ended: (slot: WorkerSlot, results: ReadonlyArray<WorkResult>) => void
  readonly givenBack: (slot: WorkerSlot, items: ReadonlyArray<Returned>) => void
  readonly disconnected: (clientId: number) => void
}

/** A worker that has not called by then will not: it is killed, and the next one started. */
const attachTimeout = "30 seconds"

/** What a worker sent before its death arrives within this time after it, or never. */
const lastWords = "1 second"

/** How long a worker may take to end when it has nothing to do. Then it is killed. */
const stopTimeout = "1500 millis"

/** The guardian of a dead worker needs this long to clean up at most, unless something is wrong. */
const cleanupWarning = "10 seconds"

const watchInterval = 1_000

/** If the watch itself comes so much too late, this process was not running, and the workers' silence means nothing. */
const watchTolerance = 1_000

const make = Effect.gen(function* () {
  const announcer = yield* Announcer
  const config = yield* ManagerConfig
  const machine = yield* Machine
  const prefetch = yield* Prefetch
  const reporter = yield* Reporter
  const lease = yield* SuiteLease
  const supervisors = yield* FiberMap.make<number, void, never>()

  const slots: Array<WorkerSlot> = []
  const startedAt = new Map<WorkerSlot, number>()
  const disconnections = new Map<number, Deferred.Deferred<void>>()
  const idlers = new Set<Deferred.Deferred<void>>()
  let suite: CurrentSuite | undefined
  let reportsDismissed = true
  let isStopped = false

  const announce = (change: WorkerChange) => announcer.say({ _tag: "Workers", changes: [change] })

  const running = () => slots.reduce((sum, slot) => sum + slot.held.size, 0)

  const checkIdle = () => {
    if (idlers.size === 0 || running() > 0) return
    for (const idler of idlers) Deferred.doneUnsafe(idler, Effect.void)
  }

  const idle = Effect.suspend(() => {
    if (running() === 0) return Effect.void
    const idler = Deferred.makeUnsafe<void>()
    idlers.add(idler)
    return Effect.ensuring(
      Deferred.await(idler),
      Effect.sync(() => idlers.delete(idler))
    )
  })

  /** Time from a task's start until it must have been ended. */
  const patience = ({ spec }: WorkItem): number | undefined => {
    const { grace, timeout } = resolve(spec, suite?.defaults ?? {})
    return timeout === undefined ? undefined : timeout + grace
  }

  const settle = (slot: WorkerSlot, death: HeldItem.Death) => {
    const left = slot.detach()
    const [first] = left
    if (first !== undefined && (death.reason !== "dismissed" || reportsDismissed)) {
      const { again, results } = HeldItem.settle(left, death, patience)
      if (results.length > 0) reporter.ended(first.item.suiteId, results)
      prefetch.putBack(again)
    }
    checkIdle()
  }

  const warnOfRemains = (pid: number) =>
    Effect.sleep(cleanupWarning).pipe(
      Effect.andThen(Effect.logWarning(`worker process ${pid} has ended, but what it ran has not; waiting for it`))
    )

  /** One worker process from its start until nothing of it is left. */
  const live = Effect.fnUntraced(function* (slot: WorkerSlot) {
    const begun = performance.now()
    const exited = yield* Deferred.make<void>()
    const gone = yield* Deferred.make<WorkerProcess.Exit>()
    const directives = yield* Queue.unbounded<WorkerDirective>()
    const worker = machine.startWorker({
      command: config.workerCommand,
      env: WorkerEnvironment.make(machine, config, slot.number),
      onExit: ({ exitCode }) => {
        // Whoever ended it may have been the worker itself, or what watches it, while this process was not running.
        const isLeaseLost = exitCode === WorkerExit.leaseLost || lease.isOver()
        if (slot.reason === "died" && slot.held.size > 0 && isLeaseLost) slot.reason = "lease_lost"
        Deferred.doneUnsafe(exited, Effect.void)
      },
      onGone: (exit) => Deferred.doneUnsafe(gone, Effect.succeed(exit))
    })
    const { pid } = worker
    slot.begin(worker, directives)
    startedAt.set(slot, Date.now())
    if (pid > 0) announce({ slot: slot.number, change: "started", pid, at: Date.now() })

    const wait = Effect.gen(function* () {
      yield* Effect.forkScoped(Effect.andThen(Deferred.await(exited), warnOfRemains(pid)))
      yield* Effect.sleep(attachTimeout).pipe(
        Effect.andThen(Effect.sync(() => slot.clientId === undefined && worker.kill("SIGKILL"))),
        Effect.forkScoped
      )
      return yield* Deferred.await(gone)
    })
    const exit = yield* Effect.scoped(wait).pipe(
      Effect.onInterrupt(() => {
        worker.kill("SIGKILL")
        return Effect.asVoid(Deferred.await(gone))
      })
    )
    // Its last results may still be in the socket.
    const disconnection = slot.clientId === undefined ? undefined : disconnections.get(slot.clientId)
    if (disconnection !== undefined) yield* Effect.timeoutOption(Deferred.await(disconnection), lastWords)

    const { exitCode, failure, signal } = exit
    const { isStopping, reason } = slot
    const wasExpected = reason === "dismissed" || reason === "lease_lost" || (isStopping && exitCode === 0)
    startedAt.delete(slot)
    settle(slot, { pid, exitCode, signal, at: Date.now(), reason })
    if (pid > 0) {
      announce({
        slot: slot.number,
        change: wasExpected ? "stopped" : "crashed",
        pid,
        at: Date.now(),
        ...(exitCode === undefined ? {} : { exitCode }),
        ...(signal === undefined ? {} : { signal })
      })
    }
    if (failure !== undefined) yield* Effect.logError(`worker ${slot.number} cannot be started: ${failure.message}`)
    else if (!wasExpected)
      yield* Effect.logWarning(`worker ${slot.number}: ${HeldItem.describe({ pid, exitCode, signal })}`)
    return { lasted: performance.now() - begun, wasExpected }
  })

  const slotAt = (number: number): WorkerSlot => {
    const known = slots[number]
    if (known !== undefined) return known
    const slot = new WorkerSlot(
      number,
      prefetch.pace,
      () => suite,
      lease,
      () => prefetch.buffer.serve()
    )
    slots.push(slot)
    return slot
  }

  const stopSlot = (slot: WorkerSlot) => {
    slot.isWanted = false
    slot.stop()
    prefetch.buffer.dismiss(slot)
  }

  const resize = Effect.fnUntraced(function* (count: number) {
    if (isStopped) return
    for (let number = 0; number < count; number++) {
      const slot = slotAt(number)
      slot.isWanted = true
      yield* FiberMap.run(
        supervisors,
        number,
        Supervision.supervise(() => slot.isWanted, live(slot)),
        { onlyIfMissing: true }
      )
    }
    for (const slot of slots.slice(count)) stopSlot(slot)
  })

  const useSuite = Effect.fn("WorkerPool.useSuite")(function* (next: CurrentSuite, workers: number) {
    suite = next
    reportsDismissed = true
    lease.use(next.lease, next.defaults.grace ?? defaultGrace)
    for (const slot of slots) slot.use(next)
    yield* resize(workers)
  })

  const leaveSuite = (suiteId: SuiteId) => {
    for (const slot of slots) slot.tell({ _tag: "LeaveSuite", suiteId })
  }

  const cancel = (suiteId: SuiteId, attempts: Attempts) => {
    const wanted = new Map(attempts)
    for (const slot of slots) {
      for (const one of slot.held.values()) {
        const { attempt, index, suiteId: of } = one.item
        if (of !== suiteId || wanted.get(index) !== attempt) continue
        one.isCancelled = true
        slot.tell({ _tag: "Cancel", suiteId, index, attempt })
      }
    }
  }

  const evict = () => {
    for (const slot of slots) {
      for (const { item } of slot.held.values()) {
        slot.tell({ _tag: "Cancel", suiteId: item.suiteId, index: item.index, attempt: item.attempt })
      }
    }
  }

  const dismiss = Effect.fnUntraced(function* ({ report }: { readonly report: boolean }) {
    reportsDismissed = report
    for (const slot of slots) {
      if (slot.held.size === 0) continue
      slot.reason = "dismissed"
      slot.process?.kill("SIGKILL")
    }
    yield* idle
  })

  const stop = Effect.gen(function* () {
    isStopped = true
    for (const slot of slots) stopSlot(slot)
    const all = FiberMap.awaitEmpty(supervisors)
    if ((yield* Effect.timeoutOption(all, stopTimeout))._tag === "Some") return
    for (const slot of slots) slot.process?.kill("SIGKILL")
    yield* all
  })

  const watch = Effect.gen(function* () {
    let expected = performance.now() + watchInterval
    for (;;) {
      yield* Effect.sleep(watchInterval)
      const now = performance.now()
      const wasAsleep = now - expected > watchTolerance
      expected = now + watchInterval
      for (const slot of slots) {
        if (wasAsleep) slot.lastBeat = now
        const silence = now - slot.lastBeat
        if (silence <= config.beatTimeout || slot.clientId === undefined || slot.reason !== "died") continue
        if (!HeldItem.isStuck([...slot.held.values()], silence, Date.now(), patience)) continue
        slot.reason = "blocked"
        slot.process?.kill("SIGKILL")
      }
    }
  })
  yield* Effect.forkScoped(watch)

  /** What runs on without the right to is killed with its worker; what nobody began is for others. */
  const leaseOver = () => {
    prefetch.recall()
    for (const slot of slots) {
      if (slot.held.size === 0 || slot.reason !== "died") continue
      slot.reason = "lease_lost"
      slot.process?.kill("SIGKILL")
    }
  }

  const leaseRenewed = () => {
    const deadline = lease.deadline()
    if (suite === undefined || deadline === undefined) return
    for (const slot of slots) slot.tell({ _tag: "Renewed", suiteId: suite.suiteId, deadline })
    prefetch.buffer.serve()
  }
  yield* Effect.forkScoped(lease.watch({ renewed: leaseRenewed, over: leaseOver }))

  const slotOf = (clientId: number, number: number): WorkerSlot | undefined => {
    const slot = slots[number]
    return slot?.clientId === clientId ? slot : undefined
  }

  const settleFates = (suiteId: SuiteId | undefined, { doubtful, ended, unbegun }: Fates) => {
    if (suiteId === undefined || ended.length + unbegun.length + doubtful.length === 0) return
    prefetch.giveBack(unbegun)
    prefetch.putBack(doubtful)
    if (ended.length > 0) reporter.ended(suiteId, ended, prefetch.buffer.size === 0 && running() === 0)
    checkIdle()
    prefetch.buffer.serve()
  }

  const calls: Calls = {
    slotOf,
    attach: (clientId, number, concurrency) => {
      const slot = slots[number]
      const directives = slot?.attach(clientId, concurrency)
      if (directives !== undefined) disconnections.set(clientId, Deferred.makeUnsafe())
      return directives
    },
    ended: (slot, results) => settleFates(results[0]?.suiteId, slot.accept(results)),
    givenBack: (slot, items) => settleFates(items[0]?.suiteId, slot.takeBack(items)),
    disconnected: (clientId) => {
      const disconnection = disconnections.get(clientId)
      if (disconnection === undefined) return
      disconnections.delete(clientId)
      Deferred.doneUnsafe(disconnection, Effect.void)
      for (const slot of slots) if (slot.clientId === clientId) prefetch.buffer.forget(slot)
    }
  }

  const present = () =>
    [...startedAt].map(([slot, at]): WorkerChange => ({
      slot: slot.number,
      change: "started",
      pid: slot.process?.pid ?? 0,
      at
    }))

  const has = (suiteId: SuiteId, index: number, attempt: number) =>
    slots.some((slot) => {
      const item = slot.held.get(index)?.item
      return item?.suiteId === suiteId && item.attempt === attempt
    })

  return WorkerPool.of({
    useSuite,
    leaveSuite,
    cancel,
    evict,
    dismiss,
    idle,
    running,
    has,
    present,
    start: resize(config.workers),
    stop,
    calls
  })
})

export const layer: Layer.Layer<
  WorkerPool,
  never,
  Announcer | ManagerConfig | Machine | Prefetch | Reporter | SuiteLease
> = Layer.effect(WorkerPool, make)
