/**
 * How long a coordinator waits for what. All in milliseconds.
 */
import { Context } from "effect"

export interface Shape {
  /** Between two heartbeats of a manager. */
  readonly heartbeatInterval: number
  /** A connected manager that was silent for this long is suspected: it gets no new work. */
  readonly silentAfter: number
  /** A manager that was silent for this long is lost (MIT-087). */
  readonly lostAfter: number
  /** A manager whose connection closed without a goodbye is lost after this long: ten reconnections would have fitted. */
  readonly disconnectGrace: number
  /** After a coordinator took over a manager, the manager has this long to find it. */
  readonly takeoverGrace: number
  /** How long a manager is kept for a suite that has no task waiting, in case more come. */
  readonly linger: number
}

export const defaults: Shape = {
  heartbeatInterval: 10_000,
  silentAfter: 35_000,
  lostAfter: 120_000,
  disconnectGrace: 10_000,
  takeoverGrace: 30_000,
  linger: 5_000
}

export const Timings = Context.Reference<Shape>("@muster/server/Timings", { defaultValue: () => defaults })
