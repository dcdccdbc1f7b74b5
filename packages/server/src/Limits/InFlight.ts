/**
 * How many requests one client, and all together, have answered at once. Whoever is over the limit is told at once; nothing
 * waits in line here.
 */
import { Effect } from "effect"
import type * as Rpc from "effect/rpc/Rpc"
import { Unavailable } from "@muster/domain/Errors"
import { LimitCounters } from "./Counters.ts"
import { Limits } from "./Limits.ts"

/** Lets requests of one WebSocket through as long as there are not too many. Refused ones may be sent again. */
export const perSocket = Effect.gen(function* () {
  const { requestsPerClient } = yield* Limits
  const counters = yield* LimitCounters
  const clients = new WeakMap<Rpc.ServerClient, { requests: number }>()

  const of = (client: Rpc.ServerClient) => {
    const known = clients.get(client)
    if (known !== undefined) return known
    const fresh = { requests: 0 }
    clients.set(client, fresh)
    return fresh
  }

  return <A, E, R>(client: Rpc.ServerClient, request: Effect.Effect<A, E, R>): Effect.Effect<A, E | Unavailable, R> =>
    Effect.suspend((): Effect.Effect<A, E | Unavailable, R> => {
      const mine = of(client)
      if (mine.requests >= requestsPerClient) {
        counters.refuse("requests_per_client")
        return new Unavailable({
          reason: `${mine.requests} requests of this connection are being answered; at most ${requestsPerClient} are allowed at once`
        })
      }
      mine.requests++
      counters.requests++
      return Effect.ensuring(
        request,
        Effect.sync(() => {
          mine.requests--
          counters.requests--
        })
      )
    })
})

/** What an HTTP request was refused for. */
export interface TooMany {
  readonly status: 429 | 503
  readonly reason: string
  readonly limit: number
}

/** As `perSocket`, of the HTTP requests of an address and of all addresses. */
export const perAddress = Effect.gen(function* () {
  const { requests: most, requestsPerClient } = yield* Limits
  const counters = yield* LimitCounters
  const addresses = new Map<string, number>()
  let all = 0

  const refusal = (ofAddress: number): TooMany | undefined => {
    if (ofAddress >= requestsPerClient) {
      counters.refuse("requests_per_client")
      return {
        status: 429,
        limit: requestsPerClient,
        reason: `${ofAddress} requests from this address are being answered; at most ${requestsPerClient} are allowed at once`
      }
    }
    if (all < most) return undefined
    counters.refuse("requests")
    return {
      status: 503,
      limit: most,
      reason: `${all} requests are being answered; at most ${most} are allowed at once`
    }
  }

  return <A, E, R, B>(
    address: string,
    request: Effect.Effect<A, E, R>,
    refuse: (tooMany: TooMany) => B
  ): Effect.Effect<A | B, E, R> =>
    Effect.suspend((): Effect.Effect<A | B, E, R> => {
      const ofAddress = addresses.get(address) ?? 0
      const tooMany = refusal(ofAddress)
      if (tooMany !== undefined) return Effect.succeed(refuse(tooMany))
      addresses.set(address, ofAddress + 1)
      all++
      counters.requests++
      return Effect.ensuring(
        request,
        Effect.sync(() => {
          all--
          counters.requests--
          const left = (addresses.get(address) ?? 1) - 1
          if (left > 0) addresses.set(address, left)
          else addresses.delete(address)
        })
      )
    })
})
