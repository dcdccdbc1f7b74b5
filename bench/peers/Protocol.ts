/**
 * What the bench and a peer say to each other. A peer is a process of its own, so that neither side's garbage or event loop
 * slows the other.
 */

/**
 * - `reset`: an empty queue; gives nothing.
 * - `submit`: adds so many jobs in batches; gives the milliseconds that it took.
 * - `submit-single`: adds so many jobs one by one, `inFlight` at once; gives milliseconds.
 * - `drain`: runs what was added until so many jobs have run; gives milliseconds.
 * - `run`: adds and runs so many jobs; gives milliseconds.
 * - `latency`: adds so many jobs one after the other to an idle queue; gives milliseconds from adding to start for each.
 */
export type Operation = "reset" | "submit" | "submit-single" | "drain" | "run" | "latency"

export interface Request {
  readonly operation: Operation
  readonly count: number
}

export interface Response {
  readonly millis?: ReadonlyArray<number>
  readonly error?: string
}

/** Jobs added one by one that are under way at once. */
export const inFlight = 64

/** Between two single jobs, in milliseconds. */
export const pause = 5
