/**
 * How each event changes a manager. Total and silent: what cannot happen changes nothing, and gives the same object back.
 */
import type { Lease } from "../Lease.ts"
import type { ManagerEvent } from "./Events.ts"
import type { Epoch } from "./Id.ts"
import { maxEndedSessions, noEpoch } from "./State.ts"
import type { Assignment, EndedSession, Offline, Online, Session, State, Suspected, Unknown } from "./State.ts"

type EventOf<Tag extends ManagerEvent["_tag"]> = Extract<ManagerEvent, { readonly _tag: Tag }>

export const evolve = (state: State, event: ManagerEvent): State => {
  if (state._tag === "Unknown") return registered(state, event)
  switch (event._tag) {
    case "ManagerRegistered":
      return state
    case "ManagerConnected":
      return state._tag === "Offline" && event.epoch > state.epoch ? connected(state, event) : state
    case "ManagerReady":
      return inSession(state, event, (session) => (session.ready ? session : { ...session, ready: true }))
    case "ManagerActivityChanged":
      return inSession(state, event, (session) =>
        session.activity === event.from && event.from !== event.to ? { ...session, activity: event.to } : session
      )
    case "ManagerSuspected":
      return state._tag === "Online" && state.session.epoch === event.epoch
        ? { ...state, _tag: "Suspected", reason: event.reason, since: event.at, updatedAt: event.at }
        : state
    case "ManagerReconnected":
      return state._tag === "Suspected" && state.session.epoch === event.epoch ? trusted(state, event.at) : state
    case "ManagerLost":
    case "ManagerLeft":
      return state._tag !== "Offline" && state.session.epoch === event.epoch ? ended(state, event) : state
    case "ManagerAssigned":
      return inSession(state, event, (session) =>
        session.assignment === null || (session.assignment.suiteId === event.suiteId && session.assignment.releasing)
          ? { ...session, assignment: assignmentOf(event) }
          : session
      )
    case "ManagerReleaseRequested":
      return inSession(state, event, (session) =>
        session.assignment?.suiteId === event.suiteId && !session.assignment.releasing
          ? { ...session, assignment: { ...session.assignment, releasing: true } }
          : session
      )
    case "ManagerReleased":
      return inSession(state, event, (session) =>
        session.assignment?.suiteId === event.suiteId ? { ...session, assignment: null } : session
      )
    case "ManagerDrainRequested":
      return state.draining ? state : { ...state, draining: true, updatedAt: event.at }
    case "ManagerDrainEnded":
      return state.draining ? { ...state, draining: false, updatedAt: event.at } : state
    case "ManagerShutdownRequested":
      return inSession(state, event, (session) =>
        session.shutdown === event.mode ? session : { ...session, shutdown: event.mode }
      )
    case "ManagerLied":
      return event.total > (state.lies ?? 0) ? { ...state, lies: event.total } : state
  }
}

const registered = (state: Unknown, event: ManagerEvent): State =>
  event._tag === "ManagerRegistered"
    ? {
        _tag: "Offline",
        id: event.id,
        spec: event.spec,
        draining: false,
        ended: [],
        updatedAt: event.at,
        epoch: noEpoch,
        connectedAt: null
      }
    : state

const told = (lies: number | undefined): { readonly lies?: number } => (lies === undefined ? {} : { lies })

const connected = (
  { id, draining, ended, lies }: Offline,
  { epoch, instance, spec, at }: EventOf<"ManagerConnected">
): Online => ({
  _tag: "Online",
  id,
  spec,
  draining,
  ended,
  ...told(lies),
  updatedAt: at,
  session: {
    epoch,
    instance,
    connectedAt: at,
    ready: false,
    activity: "idle",
    assignment: null,
    shutdown: null
  }
})

const assignmentOf = ({ lease, suiteId }: EventOf<"ManagerAssigned">): Assignment => ({
  suiteId,
  releasing: false,
  ...(lease === undefined ? {} : { lease })
})

const trusted = ({ id, spec, draining, ended, lies, session }: Suspected, at: number): Online => ({
  _tag: "Online",
  id,
  spec,
  draining,
  ended,
  ...told(lies),
  updatedAt: at,
  session
})

/** What has to be remembered of a session that is over: with a lease as long as that is not known to be over too. */
const endedSession = (
  { assignment, epoch, instance }: Session,
  event: EventOf<"ManagerLost" | "ManagerLeft">
): EndedSession => {
  const isOpen = event._tag === "ManagerLost" && event.leaseEnd === "open"
  const lease = isOpen ? assignment?.lease : undefined
  return { instance, epoch, suiteId: assignment?.suiteId ?? null, ...(lease === undefined ? {} : { lease }) }
}

/** Keeps the latest sessions. What is taken back with one of them includes what older ones had, and waits for their leases. */
const remember = (all: ReadonlyArray<EndedSession>): ReadonlyArray<EndedSession> => {
  const kept = all.slice(-maxEndedSessions)
  for (const { lease, suiteId } of all.slice(0, -maxEndedSessions)) {
    const place = lease === undefined ? -1 : kept.findIndex((session) => session.suiteId === suiteId)
    const heir = kept[place]
    if (lease === undefined || heir === undefined) continue
    kept[place] = { ...heir, lease: heir.lease === undefined ? lease : longer(lease, heir.lease) }
  }
  return kept
}

const longer = (one: Lease, other: Lease): Lease => (one.duration > other.duration ? one : other)

const ended = (
  { id, spec, draining, ended: before, lies, session }: Online | Suspected,
  event: EventOf<"ManagerLost" | "ManagerLeft">
): Offline => ({
  _tag: "Offline",
  id,
  spec,
  draining,
  ended: remember([...before, endedSession(session, event)]),
  ...told(lies),
  updatedAt: event.at,
  epoch: session.epoch,
  connectedAt: session.connectedAt
})

/** Changes the session that an event speaks of, if it is the current one. */
const inSession = (
  state: Online | Suspected | Offline,
  event: { readonly epoch: Epoch; readonly at: number },
  change: (session: Session) => Session
): State => {
  if (state._tag === "Offline" || state.session.epoch !== event.epoch) return state
  const session = change(state.session)
  return session === state.session ? state : { ...state, session, updatedAt: event.at }
}
