/**
 * The rules of a manager: its sessions follow one another, each has at most one suite, and what speaks for a session
 * that is over is refused. `docs/states/manager.md` draws them.
 */
import { Result } from "effect"
import type { Decider } from "../Decider.ts"
import type * as Commands from "./Commands.ts"
import type { ManagerCommand } from "./Commands.ts"
import { ManagerNotFound, ManagerOffline, SessionFenced } from "./Errors.ts"
import type { LeaseEnd, LostReason, ManagerEvent } from "./Events.ts"
import { evolve } from "./Evolve.ts"
import * as Lies from "./Lies.ts"
import { Epoch } from "./Id.ts"
import { ActivityNotAllowed, ManagerNotAvailable } from "./Refusals.ts"
import type { ManagerError } from "./Refusals.ts"
import type { Activity } from "./Spec.ts"
import { initial, noEpoch } from "./State.ts"
import type { Offline, Online, State, Suspected, Unknown } from "./State.ts"

type Decision = Result.Result<ReadonlyArray<ManagerEvent>, ManagerError>
type Registered = Exclude<State, Unknown>
type Connected = Online | Suspected

/** Where an activity may go to (MIT-100); offline is where no session is. */
export const activityMoves: { readonly [From in Activity]: ReadonlyArray<Activity> } = {
  idle: ["preparing"],
  preparing: ["executing", "idle"],
  executing: ["cleanup", "idle"],
  cleanup: ["idle"]
}

const nothing: Decision = Result.succeed([])
const gives = (...events: ReadonlyArray<ManagerEvent>): Decision => Result.succeed(events)

export const decide = (state: State, command: ManagerCommand): Decision => {
  if (state._tag === "Unknown") return decideUnknown(command)
  switch (command._tag) {
    case "Connect":
      return connect(state, command)
    case "Ready":
      return ofSession(state, command, ({ session }) =>
        session.ready ? nothing : gives({ _tag: "ManagerReady", epoch: session.epoch, at: command.now })
      )
    case "ChangeActivity":
      return ofSession(state, command, (current) => changeActivity(current, command))
    case "Disconnect":
      return unlessOver(state, command, (current) =>
        current._tag === "Suspected"
          ? nothing
          : gives({ _tag: "ManagerSuspected", epoch: command.epoch, reason: command.reason, at: command.now })
      )
    case "Resume":
      return ofSession(state, command, (current) => reconnect(current, command.now))
    case "Lose":
      return unlessOver(state, command, (current) => lose(current, command))
    case "Leave":
      return unlessOver(state, command, ({ session }) =>
        gives({
          _tag: "ManagerLeft",
          epoch: session.epoch,
          suiteId: session.assignment?.suiteId ?? null,
          at: command.now
        })
      )
    case "Assign":
      return ofSession(state, command, (current) => assign(current, command))
    case "Unassign":
      return unlessOver(state, command, ({ session }) =>
        session.assignment?.suiteId === command.suiteId && !session.assignment.releasing
          ? gives(releaseRequested(session.epoch, command.suiteId, command.now))
          : nothing
      )
    case "Released":
      return ofSession(state, command, ({ session }) =>
        session.assignment?.suiteId === command.suiteId
          ? gives({ _tag: "ManagerReleased", epoch: session.epoch, suiteId: command.suiteId, at: command.now })
          : nothing
      )
    case "RequestDrain":
      return requestDrain(state, command)
    case "RequestShutdown":
      return requestShutdown(state, command)
    case "RecordLies":
      return recordLies(state, command)
  }
}

const firstEpoch = Epoch.make(1)

const decideUnknown = (command: ManagerCommand): Decision => {
  if (command._tag !== "Connect") return Result.fail(new ManagerNotFound({ managerId: command.managerId }))
  const { managerId, instance, spec, now } = command
  return gives(
    { _tag: "ManagerRegistered", id: managerId, spec, at: now },
    { _tag: "ManagerConnected", epoch: firstEpoch, instance, spec, at: now }
  )
}

/** Of the current session or, without one, of the last; 0 before the first. */
export const epochOf = (state: State): Epoch => {
  if (state._tag === "Unknown") return noEpoch
  return state._tag === "Offline" ? state.epoch : state.session.epoch
}

const fenced = (state: Registered, epoch: Epoch): Decision =>
  Result.fail(new SessionFenced({ managerId: state.id, epoch, current: epochOf(state) }))

/** Asks the rule of a command that only the current session can give or be given. */
const ofSession = (
  state: Registered,
  command: { readonly epoch: Epoch },
  rule: (current: Connected) => Decision
): Decision =>
  state._tag === "Offline" || state.session.epoch !== command.epoch ? fenced(state, command.epoch) : rule(state)

/** As `ofSession`, for commands that want what the end of the session has brought about already. */
const unlessOver = (
  state: Registered,
  command: { readonly epoch: Epoch },
  rule: (current: Connected) => Decision
): Decision => (state._tag === "Offline" && state.epoch === command.epoch ? nothing : ofSession(state, command, rule))

/** Whoever was heard from after it was judged is not lost; that its lease is over was judged with it. */
const lose = (state: Connected, { now, reason, since }: Commands.Lose): Decision =>
  state._tag === "Suspected" && state.since === since ? gives(lost(state, reason, "over", now)) : nothing

const lost = (
  { session: { assignment, epoch } }: Connected,
  reason: LostReason,
  leaseEnd: LeaseEnd,
  at: number
): ManagerEvent => ({
  _tag: "ManagerLost",
  epoch,
  reason,
  suiteId: assignment?.suiteId ?? null,
  ...(assignment?.lease === undefined ? {} : { leaseEnd }),
  at
})

const connect = (state: Registered, { gone, instance, spec, now }: Commands.Connect): Decision => {
  // A process whose session was given up may wake long after another one took its place. It must not take it back.
  const over = state.ended.find((session) => session.instance === instance)
  if (over !== undefined) return fenced(state, over.epoch)
  const connected = (last: Epoch): ManagerEvent => ({
    _tag: "ManagerConnected",
    epoch: Epoch.make(last + 1),
    instance,
    spec,
    at: now
  })
  if (state._tag === "Offline") return gives(connected(state.epoch))
  const { session } = state
  if (session.instance === instance) return reconnect(state, now)
  return gives(
    lost(state, "replaced", gone.includes(session.instance) ? "gone" : "open", now),
    connected(session.epoch)
  )
}

const reconnect = (state: Connected, at: number): Decision =>
  state._tag === "Suspected" ? gives({ _tag: "ManagerReconnected", epoch: state.session.epoch, at }) : nothing

const changeActivity = ({ id, session }: Connected, command: Commands.ChangeActivity): Decision => {
  const from = session.activity
  const to = command.activity
  if (from === to) return nothing
  const allowed = activityMoves[from]
  if (!allowed.includes(to)) return Result.fail(new ActivityNotAllowed({ managerId: id, from, to, allowed }))
  return gives({
    _tag: "ManagerActivityChanged",
    epoch: session.epoch,
    from,
    to,
    suiteId: command.suiteId,
    at: command.now
  })
}

const releaseRequested = (epoch: Epoch, suiteId: Commands.Unassign["suiteId"], at: number): ManagerEvent => ({
  _tag: "ManagerReleaseRequested",
  epoch,
  suiteId,
  at
})

const assign = (state: Connected, { lease, suiteId, now }: Commands.Assign): Decision => {
  const { id, session } = state
  const { assignment, epoch } = session
  if (assignment?.suiteId === suiteId) {
    // What is being cleaned up goes all the way; whoever wants it still says so again.
    const goesOn = assignment.releasing && session.activity !== "cleanup" && unavailable(state) === undefined
    return goesOn ? gives(assigned(epoch, suiteId, assignment.lease, now)) : nothing
  }
  // The coordinator decides who runs what, so another suite is in the way: it goes first, and the coordinator, which
  // says what it wants until it has it, is accepted later.
  if (assignment !== null)
    return assignment.releasing ? nothing : gives(releaseRequested(epoch, assignment.suiteId, now))
  const reason = unavailable(state)
  if (reason !== undefined) return Result.fail(new ManagerNotAvailable({ managerId: id, reason }))
  return gives(assigned(epoch, suiteId, lease, now))
}

const assigned = (
  epoch: Epoch,
  suiteId: Commands.Assign["suiteId"],
  lease: Commands.Assign["lease"],
  at: number
): ManagerEvent => ({ _tag: "ManagerAssigned", epoch, suiteId, ...(lease === undefined ? {} : { lease }), at })

const unavailable = ({ _tag, draining, session }: Connected): ManagerNotAvailable["reason"] | undefined => {
  if (_tag === "Suspected") return "suspected"
  if (draining) return "draining"
  if (session.shutdown !== null) return "shutting_down"
  return session.ready ? undefined : "not_ready"
}

const requestDrain = (state: Registered, { draining, actor, now }: Commands.RequestDrain): Decision => {
  if (state.draining === draining) return nothing
  return gives({ _tag: draining ? "ManagerDrainRequested" : "ManagerDrainEnded", actor, at: now })
}

const requestShutdown = (state: Registered, { mode, actor, now }: Commands.RequestShutdown): Decision => {
  if (state._tag === "Offline") return Result.fail(new ManagerOffline({ managerId: state.id }))
  const { epoch, shutdown } = state.session
  // Force cannot be taken back: what it ended is gone.
  if (shutdown === mode || shutdown === "force") return nothing
  return gives({ _tag: "ManagerShutdownRequested", epoch, mode, actor, at: now })
}

const recordLies = ({ lies = 0 }: Registered, { example, kinds, now }: Commands.RecordLies): Decision => {
  const more = Lies.sum(kinds)
  return more > lies ? gives({ _tag: "ManagerLied", kinds, total: lies + more, example, at: now }) : nothing
}

/** Whether the current session may be given a suite, as the coordinator is to know it. */
export const isReady = (state: State): boolean =>
  state._tag === "Online" && state.session.ready && state.session.shutdown === null

/**
 * Sessions that are over and had a suite, which may still hold leases in their name: say `ReclaimLeases` to these suites
 * after each load, so that one that was not told hears of it.
 */
export const owedReclaims = (state: State): Offline["ended"] =>
  state._tag === "Unknown" ? [] : state.ended.filter((session) => session.suiteId !== null)

export const decider: Decider<State, ManagerCommand, ManagerEvent, ManagerError> = { initial, evolve, decide }
