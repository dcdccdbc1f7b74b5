/**
 * Bugs that are put into the system on purpose, to see that the simulation finds them. Each wraps a real part for as long
 * as a run lasts.
 */
import { Effect, Result } from "effect"
import { decider as managerDecider } from "@muster/domain/Manager/Decider"
import { decider as suiteDecider } from "@muster/domain/Suite/Decider"
import type { Client } from "@muster/manager/Connection"

export const planted = [
  /** A manager's actor takes whatever session speaks for the one that is open. */
  "manager-forgets-epochs",
  /** A suite hands tasks to sessions whose leases it has taken back. */
  "suite-forgets-fences",
  /** A suite takes a lease that is asked for again for nothing as no question at all: a bug that it once had. */
  "withdrawn-lease-is-not-said",
  /** A suite lets a lease be taken although it is held. */
  "suite-leases-what-is-held",
  /** The event store takes events that were decided on an old version. */
  "store-does-not-fence",
  /** A reporter takes a lost answer for an answer, and so drops the batch. */
  "reporter-drops-unanswered"
] as const
export type Planted = (typeof planted)[number]

interface Wrapped {
  decide: unknown
}

/** Puts another function in the place of a decider's; answers with how to undo it. */
const wrap = <D extends { readonly decide: unknown }>(decider: D, decide: D["decide"]): (() => void) => {
  const before = decider.decide
  // The deciders are plain objects that everybody reads `decide` from at each call.
  const place = decider as Wrapped
  place.decide = decide
  return () => {
    place.decide = before
  }
}

/** Puts a bug into the deciders, where it is one of theirs. */
export const intoDeciders = (bug: Planted | undefined): (() => void) => {
  const { decide: decideManager } = managerDecider
  const { decide: decideSuite } = suiteDecider
  switch (bug) {
    case "manager-forgets-epochs":
      return wrap(managerDecider, (state, command) =>
        decideManager(
          state,
          "epoch" in command && "session" in state ? { ...command, epoch: state.session.epoch } : command
        )
      )
    case "suite-forgets-fences":
      return wrap(suiteDecider, (state, command) => {
        if (state._tag === "Missing") return decideSuite(state, command)
        const fences = [...state.fences]
        state.fences.clear()
        const decision = decideSuite(state, command)
        for (const [manager, epoch] of fences) state.fences.set(manager, epoch)
        return decision
      })
    case "withdrawn-lease-is-not-said":
      return wrap(suiteDecider, (state, command) =>
        state._tag === "Existing" && command._tag === "LeaseTasks" && command.max <= 0
          ? Result.succeed([])
          : decideSuite(state, command)
      )
    case "suite-leases-what-is-held":
      return wrap(suiteDecider, (state, command) => {
        const decision = decideSuite(state, command)
        if (command._tag !== "LeaseTasks" || Result.isFailure(decision)) return decision
        return Result.succeed(
          decision.success.map((event) =>
            event._tag === "TasksLeased"
              ? {
                  ...event,
                  leases: event.leases.map(([first, last, attempt]) => [Math.max(first - 1, 0), last, attempt] as const)
                }
              : event
          )
        )
      })
    case "store-does-not-fence":
    case "reporter-drops-unanswered":
    case undefined:
      return () => {}
  }
}

/** Puts a bug into the way in which a manager reports. */
export const intoClient = (bug: Planted | undefined, client: Client): Client =>
  bug === "reporter-drops-unanswered"
    ? {
        ...client,
        ReportTasks: ((report: Parameters<Client["ReportTasks"]>[0]) =>
          Effect.catchTag(client.ReportTasks(report), "RpcClientError", () =>
            Effect.succeed({ accepted: report.ended.length, repeated: 0, late: 0 })
          )) as Client["ReportTasks"] // of its options, only the payload is ever given
      }
    : client
