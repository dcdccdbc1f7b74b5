/**
 * The peer's end: does what the bench asks for, one thing at a time, until the bench is gone.
 */
import { setTimeout as sleep } from "node:timers/promises"
import { inFlight, pause } from "./Protocol.ts"
import type { Operation, Request, Response } from "./Protocol.ts"

export type Operations = { readonly [Name in Operation]?: (count: number) => Promise<ReadonlyArray<number>> }

export const timed = async (work: () => Promise<unknown>): Promise<ReadonlyArray<number>> => {
  const began = performance.now()
  await work()
  return [performance.now() - began]
}

/** Numbers from 0 in lists of at most this length. */
export const chunks = (count: number, length: number): Array<Array<number>> =>
  Array.from({ length: Math.ceil(count / length) }, (_, chunk) =>
    Array.from({ length: Math.min(length, count - chunk * length) }, (__, index) => chunk * length + index)
  )

/** Calls it for each item, several at once. */
export const each = async <A>(items: ReadonlyArray<A>, atOnce: number, work: (item: A) => Promise<unknown>) => {
  const left = items.values()
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (const item of left) await work(item)
    })
  )
}

/** Calls it for so many single jobs, as many at once as all sides have. */
export const singly = (count: number, add: () => Promise<unknown>) =>
  timed(() => each(Array.from({ length: count }), inFlight, add))

/** Adds single jobs to an idle queue, one after the other; each tells its start through `started`. */
export const latencies = async (count: number, add: () => Promise<unknown>, started: Started) => {
  const found: Array<number> = []
  for (let index = 0; index < count; index++) {
    const start = started.next()
    const began = performance.now()
    await add()
    found.push((await start) - began)
    await sleep(pause)
  }
  return found
}

/** Where the handler of a job says that it runs. */
export class Started {
  #resolve: (at: number) => void = () => {}

  next(): Promise<number> {
    const { promise, resolve } = Promise.withResolvers<number>()
    this.#resolve = resolve
    return promise
  }

  readonly now = (): void => this.#resolve(performance.now())
}

/** Resolves when it was called so many times. */
export class Countdown {
  #left = 0
  #resolve: () => void = () => {}

  of(count: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#left = count
    this.#resolve = resolve
    return promise
  }

  readonly one = (): void => {
    this.#left--
    if (this.#left === 0) this.#resolve()
  }
}

const answer = async (operations: Operations, { count, operation }: Request): Promise<Response> => {
  const run = operations[operation]
  if (run === undefined) return { error: `this peer has no ${operation}` }
  try {
    return { millis: await run(count) }
  } catch (error) {
    return { error: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  }
}

export const serve = (operations: Operations): void => {
  process.on("message", (request: Request) => {
    void answer(operations, request).then((response) => process.send?.(response))
  })
  process.on("disconnect", () => process.exit())
}

/** The variable that the bench gives to every peer. */
export const databaseUrl = (): string => {
  const url = process.env["PEER_DATABASE_URL"]
  if (url === undefined) throw new Error("PEER_DATABASE_URL is not set")
  return url
}
