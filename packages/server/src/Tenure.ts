/**
 * Which shards this coordinator has, and when it last made sure. Between two looks a shard may have been lost without a
 * word, so only what was so at the last look is certain.
 */
import { Context, Layer } from "effect"
import type { ShardId } from "effect/cluster/ShardId"
import * as BootClock from "./BootClock.ts"

export interface Holding {
  /** Of the time for which nobody else has it. An actor of an earlier one knows nothing of what happened in between. */
  readonly number: number
  /** When the look began that found that it was still ours, by the boot clock. */
  readonly provenAt: number
}

export class Tenure extends Context.Service<
  Tenure,
  {
    /** Nothing: it is somebody else's, as far as is known. */
    readonly of: (shard: Pick<ShardId, "id">) => Holding | undefined
    /** These shards were taken, by an attempt that began then. */
    readonly taken: (shards: Iterable<number>, begunAt: number) => void
    /** A look that began then has found these shards to be still ours. */
    readonly proven: (shards: Iterable<number>, begunAt: number) => void
    /** These are ours no more, or may not be. */
    readonly ended: (shards: Iterable<number>) => void
    readonly allEnded: () => void
  }
>()("@muster/server/Tenure") {}

export const make = (): Tenure["Service"] => {
  const held = new Map<number, Holding>()
  let last = 0
  return {
    of: ({ id }) => held.get(id),
    taken: (shards, begunAt) => {
      for (const shard of shards) held.set(shard, { number: ++last, provenAt: begunAt })
    },
    proven: (shards, begunAt) => {
      for (const shard of shards) {
        const before = held.get(shard)
        // One that is not known was released while somebody looked.
        if (before !== undefined && begunAt > before.provenAt) held.set(shard, { ...before, provenAt: begunAt })
      }
    },
    ended: (shards) => {
      for (const shard of shards) held.delete(shard)
    },
    allEnded: () => held.clear()
  }
}

export const layer: Layer.Layer<Tenure> = Layer.sync(Tenure, make)

/** For a process that is certain to be alone. */
export const layerAlone: Layer.Layer<Tenure> = Layer.succeed(Tenure, {
  of: () => ({ number: 1, provenAt: BootClock.now() }),
  taken: () => undefined,
  proven: () => undefined,
  ended: () => undefined,
  allEnded: () => undefined
})
