/**
 * Submitting in batches and draining, beside graphile-worker in the same Postgres server.
 */
import { Effect } from "effect"
import type { Bench, Form } from "../Bench.ts"
import type { Family, Figure } from "../Figure.ts"
import * as Work from "../Work.ts"

const peer = "graphile-worker"

const submit: Figure = {
  name: "submit",
  unit: "tasks/s",
  better: "higher",
  peer: `${peer} addJobs`,
  goal: { of: "ratio", value: 1.5 }
}

const drain: Figure = {
  name: "noop-drain",
  unit: "tasks/s",
  better: "higher",
  peer,
  goal: { of: "ratio", value: 1.5 }
}

const drainLarge: Figure = { ...drain, name: "noop-drain-large", goal: { of: "ratio", value: 4 } }

const prepare = (names: { readonly submit?: string; readonly drain: string }, sizes: Readonly<Record<Form, number>>) =>
  Effect.fnUntraced(function* (bench: Bench) {
    const { client, costing, database, settings } = yield* bench.muster("handlers")
    const graphile = yield* bench.peer("graphile")
    const count = bench.size(sizes)

    const ours = Effect.gen(function* () {
      const suiteId = yield* Work.paused(client, "queue")
      yield* database.checkpoint
      const submission = yield* Work.timed(Work.submit(client, suiteId, Work.noop, count)).pipe(costing(count))
      yield* database.checkpoint
      const draining = yield* Work.run(client, suiteId, count).pipe(costing(count))
      yield* client.cancelSuite(suiteId)
      return { submission, draining }
    })

    const theirs = Effect.gen(function* () {
      yield* graphile.reset
      yield* database.checkpoint
      const submitted = yield* graphile.rate("submit", count)
      yield* database.checkpoint
      return { submitted, drained: yield* graphile.rate("drain", count) }
    })

    return {
      settings: {
        ...settings,
        tasks: count,
        handler: "noop",
        batch: 1_000,
        batchesAtOnce: 4,
        peerBatch: "1,000, 4 at once",
        peerDrain: "one process, concurrency 24, localQueue 500, completions batched"
      },
      round: Effect.gen(function* () {
        const { draining, submission } = yield* ours
        const { drained, submitted } = yield* theirs
        const sample = ([took, cost]: typeof draining, peerValue: number) => ({
          value: Work.perSecond(count, took),
          peer: peerValue,
          cost
        })
        return {
          ...(names.submit === undefined ? {} : { [names.submit]: sample(submission, submitted) }),
          [names.drain]: sample(draining, drained)
        }
      })
    }
  })

export const queue: Family = {
  figures: [submit, drain],
  short: true,
  prepare: prepare({ submit: submit.name, drain: drain.name }, { full: 50_000, quick: 5_000, short: 20_000 })
}

export const largeQueue: Family = {
  figures: [drainLarge],
  prepare: prepare({ drain: drainLarge.name }, { full: 200_000, quick: 20_000, short: 200_000 })
}
