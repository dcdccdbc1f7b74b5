/**
 * Which suite runs on this machine: takes the coordinator's directives and leads one suite after the other through the
 * steps of `Activity`.
 *
 * Directives say what shall be. One that asks for what is so already changes nothing. One that comes while a suite is on
 * its way out is taken when it is gone, except that the same suite stays if its tasks still run.
 */
import { Context, Effect, Latch, Layer, Queue, Result } from "effect"
import type { Directive } from "@muster/domain/Manager/Directive"
import type { SuiteId } from "@muster/domain/Suite/Id"
import { leaseOf } from "@muster/domain/Suite/Spec"
import * as Activity from "./Activity.ts"
import { Announcer } from "./Announcer.ts"
import { Hooks } from "./Hooks.ts"
import { Machine } from "./Machine.ts"
import { ManagerConfig } from "./ManagerConfig.ts"
import { Prefetch } from "./Prefetch.ts"
import { Reporter } from "./Reporter.ts"
import { SuiteLease } from "./SuiteLease.ts"
import { WorkerPool } from "./WorkerPool.ts"

type Assigned = Extract<Directive, { readonly _tag: "Assigned" }>

/** The directives that say which suite is to run, and what of it. */
export type Order = Extract<Directive, { readonly _tag: "Assigned" | "Release" | "CancelTasks" | "Drain" }>

export class Assignment extends Context.Service<
  Assignment,
  {
    readonly order: (order: Order) => void
    /** Carries out orders, for one session. When it is interrupted everything of the session is left where it is. */
    readonly run: Effect.Effect<never>
    /** Takes nothing more: what nobody began goes back, and no order is carried out any more. */
    readonly close: () => void
    /** The session is over, and with it the right to run anything: ends it all. */
    readonly abandon: Effect.Effect<void>
    readonly activity: () => Activity.State
  }
>()("@muster/manager/Assignment") {}

/** The suite that is here. */
interface Current {
  readonly suiteId: SuiteId
  /** It takes no more tasks and goes when what runs has ended. */
  isLeaving: boolean
  /** Nothing of it is left to run: it cannot stay any more. */
  isGone: boolean
  /** Open when it is to stay after all. */
  readonly stays: Latch.Latch
}

type Message = Order | { readonly _tag: "SuiteLeft" }

const make = Effect.gen(function* () {
  const announcer = yield* Announcer
  const config = yield* ManagerConfig
  const hooks = yield* Hooks
  const machine = yield* Machine
  const pool = yield* WorkerPool
  const prefetch = yield* Prefetch
  const reporter = yield* Reporter
  const lease = yield* SuiteLease

  const inbox = yield* Queue.unbounded<Message>()
  let activity = Activity.initial(Date.now())
  let current: Current | undefined
  /** Begins when the current one is gone. */
  let next: Assigned | undefined
  let isClosed = false

  const step = (to: Parameters<typeof Activity.step>[1]) => {
    // Steps are made in this module only, in an order that the machine allows: anything else is a defect.
    activity = Result.getOrThrow(Activity.step(activity, to, Date.now()))
    announcer.say({ _tag: "Activity", activity: activity.activity, suiteId: activity.suiteId })
  }

  /** Logs that are in use are not removed, nor are those of a suite that just left. */
  const keepLogs = (suiteId: SuiteId) =>
    machine.keepLogs(suiteId).pipe(Effect.catch((error) => Effect.logError(error.message)))

  /** Nothing runs, and the coordinator knows how everything ended: it is to know before it hears that nothing is left. */
  const finished = Effect.andThen(
    pool.idle,
    reporter.settled(() => true)
  )

  /** Leads a suite from its arrival until nothing of it is left. */
  const lead = Effect.fn("Assignment.lead")(function* ({ spec, suiteId }: Assigned, here: Current) {
    const workers = spec.workers ?? config.workers
    step({ activity: "preparing", suiteId })
    yield* keepLogs(suiteId)
    yield* hooks.prepare(suiteId, spec)
    step({ activity: "executing" })
    yield* pool.useSuite({ suiteId, defaults: spec.defaults ?? {}, lease: leaseOf(spec) }, workers)
    while (!here.isGone) {
      here.stays.closeUnsafe()
      if (!here.isLeaving) yield* prefetch.run(suiteId, workers)
      here.isGone = yield* Effect.raceFirst(Effect.as(finished, true), Effect.as(here.stays.await, false))
      if (here.stays.isOpen()) here.isGone = false
    }
    lease.use(undefined, 0)
    step({ activity: "cleanup" })
    yield* keepLogs(suiteId)
    pool.leaveSuite(suiteId)
    yield* hooks.cleanup(suiteId, spec)
    step({ activity: "idle" })
  })

  const begin = Effect.fnUntraced(function* (order: Assigned) {
    current = { suiteId: order.suiteId, isLeaving: false, isGone: false, stays: Latch.makeUnsafe(false) }
    yield* lead(order, current).pipe(Effect.andThen(Queue.offer(inbox, { _tag: "SuiteLeft" })), Effect.forkScoped)
  })

  const leave = () => {
    if (current !== undefined) {
      current.isLeaving = true
      current.stays.closeUnsafe()
    }
    prefetch.close()
  }

  const stay = (here: Current) => {
    next = undefined
    if (!here.isLeaving) return
    here.isLeaving = false
    here.stays.openUnsafe()
  }

  const carryOut = Effect.fnUntraced(function* (message: Message) {
    switch (message._tag) {
      case "Assigned":
        if (isClosed) return
        if (current === undefined) return yield* begin(message)
        if (current.suiteId === message.suiteId && !current.isGone) return stay(current)
        next = message
        return leave()
      case "Release":
        if (next?.suiteId === message.suiteId) next = undefined
        if (current?.suiteId === message.suiteId) return leave()
        return announcer.say({ _tag: "Released", suiteId: message.suiteId })
      case "CancelTasks":
        if (current?.suiteId !== message.suiteId) return
        prefetch.cancel(message.tasks)
        return pool.cancel(message.suiteId, message.tasks)
      case "Drain":
        return prefetch.drain(message.draining)
      case "SuiteLeft": {
        const order = isClosed ? undefined : next
        // The same one again was told to stay when it could not any more: the coordinator has not taken it away.
        if (current !== undefined && current.suiteId !== order?.suiteId) {
          announcer.say({ _tag: "Released", suiteId: current.suiteId })
        }
        current = undefined
        next = undefined
        if (order !== undefined) yield* begin(order)
      }
    }
  })

  const run = Effect.andThen(Queue.clear(inbox), Queue.take(inbox).pipe(Effect.flatMap(carryOut), Effect.forever)).pipe(
    Effect.scoped
  )

  const close = () => {
    isClosed = true
    leave()
  }

  const abandon = Effect.fn("Assignment.abandon")(function* () {
    prefetch.abandon()
    yield* pool.dismiss({ report: false })
    if (current !== undefined) pool.leaveSuite(current.suiteId)
    lease.use(undefined, 0)
    current = undefined
    next = undefined
    if (activity.activity !== "idle") step({ activity: "idle" })
  })

  return Assignment.of({
    order: (order) => {
      Queue.offerUnsafe(inbox, order)
    },
    run,
    close,
    abandon: abandon(),
    activity: () => activity
  })
})

export const layer: Layer.Layer<
  Assignment,
  never,
  Announcer | Hooks | Machine | ManagerConfig | Prefetch | Reporter | SuiteLease | WorkerPool
> = Layer.effect(Assignment, make)
