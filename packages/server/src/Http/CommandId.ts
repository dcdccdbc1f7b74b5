/**
 * Names for what is asked over HTTP, so that a repeated request is done once.
 */
import { createHash, randomUUID } from "node:crypto"
import { Clock, Effect, Random } from "effect"
import * as ShortId from "@muster/domain/ShortId"
import { SuiteId } from "@muster/domain/Suite/Id"

export interface IdempotencyHeaders {
  readonly "idempotency-key"?: string
}

/**
 * The caller's key, or a new name for a request that is not meant to be repeated. A key belongs to its caller and to what
 * it asks for: who uses one key to create a suite and to fill it means two things.
 */
export const commandId = (actor: string, operation: string, headers: IdempotencyHeaders): Effect.Effect<string> =>
  Effect.sync(() => {
    const key = headers["idempotency-key"]
    return key === undefined ? randomUUID() : `${actor}/${operation}/${key}`
  })

/** Any fixed moment: ids that are made from keys say nothing of their age. */
const noTime = 0

/**
 * The id of a suite that a caller names by a key only: the same key gives the same suite, so that the second request
 * finds what the first one made. Different callers may use the same keys.
 */
const idFromKey = (actor: string, key: string): SuiteId => {
  const digest = createHash("sha256")
    .update(JSON.stringify([actor, key]))
    .digest()
  const letters = Array.from(digest.subarray(0, 16), (byte) => ShortId.make(noTime, () => byte / 256).charAt(15))
  return SuiteId.make(letters.join(""))
}

/** The caller's choice, or one that follows from its key, or a new one. */
export const suiteId = (
  actor: string,
  headers: IdempotencyHeaders,
  chosen: SuiteId | undefined
): Effect.Effect<SuiteId> => {
  if (chosen !== undefined) return Effect.succeed(chosen)
  const key = headers["idempotency-key"]
  if (key !== undefined) return Effect.succeed(idFromKey(actor, key))
  return Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    const numbers = yield* Effect.all(Array.from({ length: 7 }, () => Random.next))
    return SuiteId.make(ShortId.make(now, () => numbers.pop() ?? 0))
  })
}
