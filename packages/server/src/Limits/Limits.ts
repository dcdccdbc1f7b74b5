/**
 * How much of a coordinator one client, and all of them together, may use. What is over a limit is refused with what is
 * allowed; nothing of it is stored.
 */
import { Context } from "effect"

export interface Limits {
  /** Bytes of the body of an HTTP request. */
  readonly body: number
  /** Bytes of one message over a WebSocket. A batch of tasks at its limit must fit. */
  readonly message: number
  /** Connections at once, of all kinds. Each is a file of the process: its limit of open files must be higher. */
  readonly connections: number
  /** Connections at once from one address. Managers behind one address share it. */
  readonly connectionsPerAddress: number
  /** Requests that are being answered at once, over one WebSocket or from one address over HTTP. */
  readonly requestsPerClient: number
  /** HTTP requests that are being answered at once. */
  readonly requests: number
  /** Milliseconds that the head of a request may take to arrive. */
  readonly headTimeout: number
  /** Milliseconds that a whole request may take to arrive. */
  readonly requestTimeout: number
  /** Milliseconds in which nothing goes over a connection on which an HTTP request is being answered, or none at all. */
  readonly idleTimeout: number
  /** Milliseconds after which a WebSocket that does not answer a ping is dead. */
  readonly pongTimeout: number
  /** Bytes that wait for a client that does not read them. */
  readonly unread: number
}

const mebibyte = 1024 ** 2

export const defaults: Limits = {
  body: 16 * mebibyte,
  message: 64 * mebibyte,
  connections: 20_000,
  connectionsPerAddress: 5_000,
  requestsPerClient: 1_000,
  requests: 5_000,
  headTimeout: 10_000,
  requestTimeout: 60_000,
  idleTimeout: 300_000,
  pongTimeout: 30_000,
  unread: 128 * mebibyte
}

/** The limits in force. */
export const Limits: Context.Reference<Limits> = Context.Reference("@muster/server/Limits", {
  defaultValue: (): Limits => defaults
})
