/**
 * Calls to entities, which may be on any coordinator and may be moving. A call that a dying coordinator or a moving shard
 * interrupted is made again: every message is idempotent, most through their command id.
 */
import { Cause, Clock, Effect, Exit } from "effect"
import type {
  AlreadyProcessingMessage,
  EntityNotAssignedToRunner,
  MailboxFull,
  PersistenceError
} from "effect/cluster/ClusterError"
import { Unavailable } from "@muster/domain/Errors"

/** What an entity's client may fail with beside the entity's own errors. */
export type ClusterError = MailboxFull | AlreadyProcessingMessage | PersistenceError | EntityNotAssignedToRunner

const clusterErrors: ReadonlySet<string> = new Set([
  "MailboxFull",
  "AlreadyProcessingMessage",
  "PersistenceError",
  "EntityNotAssignedToRunner"
])

const isClusterError = (error: { readonly _tag: string }): error is ClusterError => clusterErrors.has(error._tag)

/** How long a call is repeated before its caller hears that it cannot be answered now. Milliseconds. */
const defaultPatience = 20_000

/** Wait before the first repetition; doubles up to `maxWait`. Milliseconds. */
const firstWait = 20
const maxWait = 500

/**
 * Makes a call until it is answered. `Unavailable` and errors of the cluster are repeated for `patience` milliseconds,
 * everything else is the entity's answer.
 */
export const untilAnswered = <A, E extends { readonly _tag: string }>(
  call: Effect.Effect<A, E>,
  patience = defaultPatience
): Effect.Effect<A, Exclude<E, ClusterError> | Unavailable> =>
  Effect.gen(function* () {
    const began = yield* Clock.currentTimeMillis
    for (let wait = firstWait; ; wait = Math.min(wait * 2, maxWait)) {
      const exit = yield* Effect.exit(call)
      if (Exit.isSuccess(exit)) return exit.value
      const now = yield* Clock.currentTimeMillis
      const isOver = now - began + wait > patience
      const failure = Cause.findErrorOption(exit.cause)
      if (failure._tag === "None") {
        // An interruption that is not ours: the entity was stopped in the middle, so it goes on elsewhere. A defect is a
        // bug there, which its log tells; asking again may well succeed.
        if (!isOver) {
          yield* Effect.sleep(wait)
          continue
        }
        return yield* new Unavailable({
          reason: "the request was interrupted on the coordinator that had it; try again"
        })
      }
      const error = failure.value
      if (isClusterError(error)) {
        if (isOver) return yield* new Unavailable({ reason: `the cluster is busy (${error._tag}); try again` })
      } else if (error._tag !== "Unavailable" || isOver) {
        return yield* Effect.fail(error as Exclude<E, ClusterError>) // `isClusterError` has excluded the others
      }
      yield* Effect.sleep(wait)
    }
  })

/** A message that nobody waits for: made until it is heard, in the background of the scope. */
export const inBackground = <E extends { readonly _tag: string }>(
  call: Effect.Effect<unknown, E>
): Effect.Effect<void> =>
  untilAnswered(call, 60_000).pipe(
    Effect.catch((error) => Effect.logDebug(`message given up: ${error._tag}`)),
    Effect.asVoid
  )
