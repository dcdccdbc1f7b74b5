/**
 * How long this machine may go on with its suite without having heard of a coordinator. Each answered heartbeat renews the
 * session's lease; a suite that does not ask for one runs on.
 */
import { Context, Effect, Latch, Layer } from "effect"
import * as Lease from "@muster/domain/Lease"
import * as BootClock from "./BootClock.ts"

export class SuiteLease extends Context.Service<
  SuiteLease,
  {
    /** From now on tasks come of a suite that asks for this lease, or for none, and that have so long from TERM to KILL. */
    readonly use: (lease: Lease.Lease | undefined, grace: number) => void
    /** What the suite asks for. */
    readonly asked: () => Lease.Lease | undefined
    /** The session's lease began then, by the boot clock, or later. */
    readonly renewed: (begunAt: number) => void
    /** Another session begins, which has nothing yet. */
    readonly forget: () => void
    /** The steps to the end, if there is one. */
    readonly deadline: () => Lease.Deadline | undefined
    /** Whether a task may begin. */
    readonly mayBegin: () => boolean
    /** Whether nothing may run any more. */
    readonly isOver: () => boolean
    /** Ends when a suite asks for a lease and has none that lasts. */
    readonly isWanted: Effect.Effect<void>
    /** Calls `renewed` after each renewal, and `over` whenever the time has come to kill what is left. */
    readonly watch: (on: { readonly renewed: () => void; readonly over: () => void }) => Effect.Effect<never>
  }
>()("@muster/manager/SuiteLease") {}

/** The clock counts while the machine sleeps and timers do not, so it is looked at that often. Milliseconds. */
const lookEvery = 250

export const make = (now: () => number = BootClock.now): SuiteLease["Service"] => {
  let asked: Lease.Lease | undefined
  let grace = 0
  let begunAt: number | undefined
  let current: Lease.Deadline | undefined
  let isOverTold = true
  let onRenewed = () => {}
  const changed = Latch.makeUnsafe(false)
  const wanted = Latch.makeUnsafe(false)

  const update = () => {
    current =
      asked === undefined ? undefined : begunAt === undefined ? Lease.noDeadline : Lease.deadline(asked, begunAt, grace)
    if (current !== undefined && now() < current.kill) isOverTold = false
    if (mayBegin()) wanted.closeUnsafe()
    else wanted.openUnsafe()
    changed.openUnsafe()
  }
  const mayBegin = () => current === undefined || now() < current.begin
  const isOver = () => current !== undefined && now() >= current.kill

  return {
    use: (lease, time) => {
      asked = lease
      grace = time
      update()
    },
    asked: () => asked,
    renewed: (at) => {
      // Answers may come in another order than that of what they answer.
      if (begunAt !== undefined && at <= begunAt) return
      begunAt = at
      update()
      if (asked !== undefined) onRenewed()
    },
    forget: () => {
      begunAt = undefined
      update()
    },
    deadline: () => current,
    mayBegin,
    isOver,
    isWanted: wanted.await,
    watch: (on) =>
      Effect.gen(function* () {
        onRenewed = on.renewed
        for (;;) {
          changed.closeUnsafe()
          if (current === undefined || isOverTold) {
            yield* changed.await
            continue
          }
          const left = current.kill - now()
          if (left > 0) {
            yield* Effect.raceFirst(Effect.sleep(Math.min(left, lookEvery)), changed.await)
            continue
          }
          isOverTold = true
          on.over()
        }
      })
  }
}

export const layer: Layer.Layer<SuiteLease> = Layer.sync(SuiteLease, make)
