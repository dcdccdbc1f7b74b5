/**
 * What is counted of limits: plain variables, read when somebody scrapes.
 */
import { Context } from "effect"

/** Why a connection or a request was refused, or a connection closed. */
export type Refused =
  | "connections"
  | "connections_per_address"
  | "requests"
  | "requests_per_client"
  | "body"
  | "message"
  | "slow_request"
  | "slow_reader"
  | "dead"

export const reasons: ReadonlyArray<Refused> = [
  "connections",
  "connections_per_address",
  "requests",
  "requests_per_client",
  "body",
  "message",
  "slow_request",
  "slow_reader",
  "dead"
]

export class Counters {
  connections = 0
  requests = 0
  readonly refused = new Map<Refused, number>(reasons.map((reason) => [reason, 0]))

  refuse(reason: Refused): void {
    this.refused.set(reason, (this.refused.get(reason) ?? 0) + 1)
  }
}

/** Of this process. A coordinator brings its own. */
export const LimitCounters: Context.Reference<Counters> = Context.Reference("@muster/server/Limits/Counters", {
  defaultValue: () => new Counters()
})
