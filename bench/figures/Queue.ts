/**
 * Submitting in batches and draining: beside graphile-worker, which the goals are about, and for information beside other
 * queues. All but Redis are in the same Postgres server.
 */
import { Effect } from "effect"
import type { Form } from "../Bench.ts"
import type { Family, Figure, Settings } from "../Figure.ts"
import type * as Peer from "../peers/Peer.ts"
import * as Work from "../Work.ts"

interface Options {
  readonly peer: Peer.Name
  readonly rounds?: Readonly<Record<Form, number>>
  readonly submit?: Figure
  readonly drain: Figure
  readonly sizes: Readonly<Record<Form, number>>
  /** How the peer is set up. */
  readonly settings: Settings
}

const family = ({ drain, peer: peerName, rounds, settings, sizes, submit }: Options): Family => ({
  ...(rounds === undefined ? {} : { rounds }),
  figures: submit === undefined ? [drain] : [submit, drain],
  prepare: Effect.fnUntraced(function* (bench) {
    const muster = yield* bench.muster("handlers")
    const peer = yield* bench.peer(peerName)
    const count = bench.size(sizes)

    const { client, costing, database } = muster

    return {
      settings: { ...muster.settings, tasks: count, handler: "noop", batch: 1_000, batchesAtOnce: 4, ...settings },
      // Ours and theirs in turns, so that each pair sees the machine in the same mood. Nobody pays for what was written before.
      round: Effect.gen(function* () {
        yield* peer.reset
        const suiteId = yield* Work.paused(client, "queue")
        yield* database.checkpoint
        const submission = yield* Work.timed(Work.submit(client, suiteId, Work.noop, count)).pipe(costing(count))
        yield* database.checkpoint
        const submitted = yield* peer.rate("submit", count)
        yield* database.checkpoint
        const draining = yield* Work.run(client, suiteId, count).pipe(costing(count))
        yield* database.checkpoint
        const drained = yield* peer.rate("drain", count)
        yield* client.cancelSuite(suiteId)
        const sample = ([took, cost]: typeof draining, peerValue: number) => ({
          value: Work.perSecond(count, took),
          peer: peerValue,
          cost
        })
        return {
          ...(submit === undefined ? {} : { [submit.name]: sample(submission, submitted) }),
          [drain.name]: sample(draining, drained)
        }
      })
    }
  })
})

const rate = { unit: "tasks/s", better: "higher" } as const

/** Of large suites, which take half a minute each, and where there is no goal. */
const fewRounds = { full: 3, quick: 1, short: 3 }

const graphileSettings: Settings = {
  peerBatch: "5,000, 4 at once",
  peerDrain: "one process, concurrency 24, localQueue 500, completions batched; until the last job has begun"
}

export const queue: Family = {
  ...family({
    peer: "graphile",
    submit: { ...rate, name: "submit", peer: "graphile-worker addJobs", goal: { of: "ratio", value: 1.5 } },
    drain: { ...rate, name: "noop-drain", peer: "graphile-worker", goal: { of: "ratio", value: 1.5 } },
    sizes: { full: 50_000, quick: 5_000, short: 20_000 },
    settings: graphileSettings
  }),
  short: true
}

export const largeQueue: Family = family({
  peer: "graphile",
  rounds: fewRounds,
  drain: { ...rate, name: "noop-drain-large", peer: "graphile-worker", goal: { of: "ratio", value: 4 } },
  sizes: { full: 200_000, quick: 20_000, short: 200_000 },
  settings: graphileSettings
})

/** For information only: these have no goal. */
export const besidePgBoss: Family = family({
  peer: "pgboss",
  rounds: fewRounds,
  submit: { ...rate, name: "pg-boss-submit", peer: "pg-boss insert" },
  drain: { ...rate, name: "pg-boss-drain", peer: "pg-boss" },
  sizes: { full: 20_000, quick: 2_000, short: 20_000 },
  settings: { peerBatch: "5,000", peerDrain: "one process, four loops that fetch and complete 500 at once" }
})

export const besideBullMq: Family = family({
  peer: "bullmq",
  rounds: fewRounds,
  submit: { ...rate, name: "bullmq-submit", peer: "BullMQ addBulk" },
  drain: { ...rate, name: "bullmq-drain", peer: "BullMQ" },
  sizes: { full: 20_000, quick: 2_000, short: 20_000 },
  settings: {
    peerBatch: "5,000",
    peerDrain: "one process, concurrency 100",
    peerDurability: "Redis, appendonly yes, synced each second"
  }
})

const dbosRun: Figure = { ...rate, name: "dbos-run", peer: "DBOS startWorkflow" }

/** DBOS runs workflows as they are started, so both sides submit and run at the same time. */
export const besideDbos: Family = {
  figures: [dbosRun],
  rounds: fewRounds,
  prepare: Effect.fnUntraced(function* (bench) {
    const { client, costing, database, settings } = yield* bench.muster("handlers")
    const dbos = yield* bench.peer("dbos")
    const count = bench.size({ full: 5_000, quick: 500, short: 5_000 })

    const ours = Effect.gen(function* () {
      const { id } = yield* client.createSuite({ name: "bench run" })
      const [took, cost] = yield* Work.submit(client, id, Work.noop, count).pipe(
        Effect.andThen(Work.untilSucceeded(client, id, count)),
        Work.timed,
        costing(count)
      )
      yield* client.cancelSuite(id)
      return { value: Work.perSecond(count, took), cost }
    })

    return {
      settings: { ...settings, tasks: count, handler: "noop", batch: 1_000, peerRun: "one process, 32 loops" },
      round: Effect.gen(function* () {
        yield* database.checkpoint
        const sample = yield* ours
        yield* dbos.reset
        yield* database.checkpoint
        return { [dbosRun.name]: { ...sample, peer: yield* dbos.rate("run", count) } }
      })
    }
  })
}
