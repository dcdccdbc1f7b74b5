/**
 * The worker: takes tasks from its source, has them run, hands in what came of them, until it is told to stop or the
 * source is gone.
 */
import { Deferred, Effect, Exit, Latch, Schedule, Stream } from "effect"
import type { WorkerDirective } from "@muster/domain/Rpc/WorkerRpcs"
import { Executor } from "./Executor.ts"
import * as ExitCode from "@muster/domain/WorkerExit"
import { Replacement } from "./Replacement.ts"
import { Slot } from "./Slot.ts"
import { SourceLost, TaskSource } from "./TaskSource.ts"

/** Between two signs of life. The manager's patience is counted in these. */
const beatInterval = "1 second"

/** Between two looks for what runs without having been told, in milliseconds. A flood of short tasks is never told. */
const startedInterval = 50

/** Age in milliseconds at which an attempt is told as started at the next look. */
const startedAge = 25

/** After an answer without items. Such an answer is given when something is about to change. */
const emptyPause = "10 millis"

/** The clock of leases counts while the machine sleeps and timers do not, so it is looked at that often. Milliseconds. */
const limitInterval = 250

/** For the answer to the last call for items after `Stop`. */
const dismissLimit = "1 second"

/** What runs beside a broken part may end by itself for this long, before the end of the process ends it. */
const replacementLimit = "30 seconds"

/** For ending everything when the manager is gone; what is still there then is the guardian's. */
const endLimit = "3 seconds"

/** Items whose suite was not named before are a bug of the other side; this long it may be a matter of order. */
const heldUpLimit = "10 seconds"

export interface Surroundings {
  /** Ends when the manager's process has ended. */
  readonly orphaned: Effect.Effect<void>
  /**
   * Ends this process. Called while everything still stands: taking down the calls that wait would send the manager
   * messages whose answers nobody reads, and it would see a broken connection instead of a closed one.
   */
  readonly leave: (exitCode: number) => void
}

/** Runs the worker until it leaves; answers with the exit code for those whose `leave` does nothing. */
export const run = Effect.fnUntraced(function* ({ leave, orphaned }: Surroundings) {
  const source = yield* TaskSource
  const executor = yield* Executor
  const replacement = yield* Replacement
  const gates = new Gates()
  const slot = new Slot(executor, () => gates.update(slot))
  const update = () => gates.update(slot)

  const ask = Effect.gen(function* () {
    yield* gates.room.await
    const max = gates.roomOf(slot)
    if (max === 0) return
    gates.isAsking = true
    const results = slot.takeResults()
    update()
    const items = yield* source.next(max, results)
    gates.isAsking = false
    slot.add(items)
    update()
    if (items.length === 0) yield* Effect.sleep(emptyPause)
  })

  const handIn = Effect.gen(function* () {
    yield* gates.results.await
    // Lets what ends in the same turn go together.
    yield* Effect.yieldNow
    const results = slot.takeResults()
    gates.isHandingIn = results.length > 0
    update()
    if (results.length > 0) yield* source.ended(results)
    gates.isHandingIn = false
    update()
  })

  const giveBack = Effect.gen(function* () {
    yield* gates.returned.await
    const items = slot.takeReturned()
    gates.isGivingBack = items.length > 0
    update()
    if (items.length > 0) yield* source.giveBack(items)
    gates.isGivingBack = false
    update()
  })

  const tellStarted = Effect.gen(function* () {
    yield* gates.untold.await
    yield* Effect.sleep(startedInterval)
    const items = slot.takeStarted(Date.now(), startedAge)
    update()
    if (items.length > 0) yield* source.started(items)
  })

  const obey = (directive: WorkerDirective) => {
    switch (directive._tag) {
      case "UseSuite":
        slot.use(directive.suiteId, directive.defaults, directive.deadline)
        if (directive.deadline !== undefined) gates.limited.openUnsafe()
        break
      case "Renewed":
        slot.renew(directive.suiteId, directive.deadline)
        gates.limited.openUnsafe()
        break
      case "LeaveSuite":
        slot.leave(directive.suiteId)
        break
      case "Cancel":
        slot.cancel(directive)
        break
      case "Stop":
        Deferred.doneUnsafe(gates.stop, Exit.void)
        break
    }
    update()
  }

  const listen = source.attach(executor.handlers).pipe(
    Stream.runForEach((directive) => Effect.sync(() => obey(directive))),
    Effect.andThen(Effect.fail(new SourceLost({ cause: "closed by the manager" })))
  )

  const watchOrder = Effect.gen(function* () {
    if (!slot.isHeldUp) return
    yield* Effect.sleep(heldUpLimit)
    if (!slot.isHeldUp) return
    replacement.request({ exitCode: ExitCode.broken, message: "tasks came whose suite was not named" })
  })

  /** Ends when something runs on beyond the lease of its suite. The end of this process ends that too. */
  const untilOver = Effect.gen(function* () {
    for (;;) {
      gates.limited.closeUnsafe()
      const wait = slot.keepTime()
      update()
      if (wait === "over") break
      yield* wait === undefined ? gates.limited.await : Effect.sleep(Math.min(wait, limitInterval))
    }
    yield* Effect.logWarning("the lease of the suite is over, and something runs on: ends it and itself")
    leave(ExitCode.leaseLost)
    return ExitCode.leaseLost
  })

  /** Takes nothing more and waits until everything has ended and been handed in. */
  const drain = Effect.gen(function* () {
    gates.isStopping = true
    update()
    // Items may be on their way in answer to the last call. They were taken, so they are run.
    yield* Effect.timeoutOption(gates.answered.await, dismissLimit)
    yield* gates.done.await
  })

  const untilStopped = Effect.gen(function* () {
    yield* Deferred.await(gates.stop)
    yield* drain
    leave(ExitCode.stopped)
    return ExitCode.stopped
  })

  const untilReplaced = Effect.gen(function* () {
    const { exitCode, message } = yield* Deferred.await(replacement.requested)
    yield* Effect.logError(`this worker has to be replaced: ${message}`)
    yield* Effect.timeoutOption(drain, replacementLimit)
    leave(exitCode)
    return exitCode
  })

  const untilLost = Effect.all(
    [
      listen,
      Effect.forever(ask),
      Effect.forever(handIn),
      Effect.forever(giveBack),
      Effect.forever(tellStarted),
      Effect.repeat(source.beat, Schedule.spaced(beatInterval)),
      Effect.repeat(watchOrder, Schedule.spaced(beatInterval)),
      Effect.andThen(orphaned, Effect.fail(new SourceLost({ cause: "the manager's process ended" })))
    ],
    { concurrency: "unbounded", discard: true }
  ).pipe(Effect.andThen(Effect.never))

  return yield* Effect.raceAllFirst([untilLost, untilStopped, untilReplaced, untilOver]).pipe(
    Effect.catchTag("SourceLost", (error) =>
      Effect.logInfo(`ends its tasks and itself: ${error.message}`).pipe(
        Effect.andThen(Effect.timeoutOption(executor.endAll, endLimit)),
        Effect.as(ExitCode.managerLost)
      )
    )
  )
})

/** What the loops of a worker wait for. */
class Gates {
  readonly stop = Deferred.makeUnsafe<void>()
  /** Open while there is room for items. */
  readonly room = Latch.makeUnsafe()
  /** Open while there are results that no call for items is about to carry. */
  readonly results = Latch.makeUnsafe()
  /** Open while there are items to give back. */
  readonly returned = Latch.makeUnsafe()
  /** Open while something runs that the manager was not told of. */
  readonly untold = Latch.makeUnsafe()
  /** Open when there is news of the lease. */
  readonly limited = Latch.makeUnsafe()
  /** Open while no call for items is on its way. */
  readonly answered = Latch.makeUnsafe(true)
  /** Open when nothing is left to do. */
  readonly done = Latch.makeUnsafe()
  isAsking = false
  isHandingIn = false
  isGivingBack = false
  isStopping = false

  roomOf(slot: Slot): number {
    // What is given back has to be there before the next items are chosen.
    return this.isStopping || this.isGivingBack || slot.hasReturned ? 0 : slot.room
  }

  update(slot: Slot): void {
    const room = this.roomOf(slot)
    set(this.room, room > 0)
    set(this.results, slot.hasResults && (this.isAsking || room === 0))
    set(this.returned, slot.hasReturned)
    set(this.untold, slot.hasUntold)
    set(this.answered, !this.isAsking)
    const isUnderWay = this.isHandingIn || this.isGivingBack || slot.hasResults || slot.hasReturned
    set(this.done, this.isStopping && slot.isIdle && !isUnderWay)
  }
}

const set = (latch: Latch.Latch, isOpen: boolean): void => {
  if (isOpen) latch.openUnsafe()
  else latch.closeUnsafe()
}
