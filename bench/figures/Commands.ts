/**
 * `/bin/true` commands, as many at once as there are processors: beside `xargs -P`, beside GNU parallel, and with workers
 * that hold a gigabyte, since making a process of a large one is slow.
 */
import { Effect, Stream } from "effect"
import type { Bench, Muster } from "../Bench.ts"
import type { Family, Figure } from "../Figure.ts"
import * as handlers from "../handlers.ts"
import { NotInstalled } from "../NotInstalled.ts"
import { hasProgram } from "../peers/Peer.ts"
import * as processes from "../peers/processes.ts"
import * as Work from "../Work.ts"

const rate = { unit: "commands/s", better: "higher" } as const

const xargs: Figure = { ...rate, name: "commands", peer: "xargs -P", goal: { of: "ratio", value: 1 } }
const parallel: Figure = { ...rate, name: "commands-parallel", peer: "GNU parallel", goal: { of: "ratio", value: 5 } }
const large: Figure = {
  ...rate,
  name: "commands-1gb",
  peer: "the same workers without that gigabyte",
  goal: { of: "ratio", value: 0.9 }
}

const sizes = { full: 3_000, quick: 300, short: 500 }

const runCommands = Effect.fnUntraced(function* ({ client, costing }: Muster, count: number) {
  const suiteId = yield* Work.paused(client, "commands")
  yield* Work.submit(client, suiteId, Work.command, count)
  const [took, cost] = yield* Work.run(client, suiteId, count).pipe(costing(count))
  yield* client.cancelSuite(suiteId)
  return { value: Work.perSecond(count, took), cost }
})

const beside = (figure: Figure, program: string, run: typeof processes.xargs) =>
  Effect.fnUntraced(function* (bench: Bench) {
    if (!hasProgram(program)) return yield* new NotInstalled({ what: program })
    const muster = yield* bench.muster("plain")
    const count = bench.size(sizes)
    return {
      settings: { ...muster.settings, tasks: count, command: "/bin/true", atOnce: bench.cores },
      round: Effect.gen(function* () {
        const sample = yield* runCommands(muster, count)
        return { [figure.name]: { ...sample, peer: yield* run(count, bench.cores) } }
      })
    }
  })

export const commands: Family = { figures: [xargs], short: true, prepare: beside(xargs, "xargs", processes.xargs) }

export const commandsBesideParallel: Family = {
  figures: [parallel],
  prepare: beside(parallel, "parallel", processes.gnuParallel)
}

/** Tries to reach every worker; which worker gets a task is the manager's choice. */
const attempts = 5

/** Has every worker hold so much from now on. */
const hold = Effect.fnUntraced(function* (client: Work.Client, workers: number, bytes: number) {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const { id } = yield* client.createSuite({ name: "bench hold" })
    yield* client.submit(id, Work.copies({ handler: handlers.hold.name, input: { bytes } }, workers))
    yield* Work.untilSucceeded(client, id, workers)
    const results = yield* Stream.runCollect(client.results(id, { follow: false }))
    yield* client.cancelSuite(id)
    if (new Set(results.map(({ output }) => output)).size === workers) return
  }
  return yield* Effect.die(new Error("some worker could not be given the handler that holds memory"))
})

export const commandsOfLargeWorkers: Family = {
  figures: [large],
  prepare: Effect.fnUntraced(function* (bench) {
    const muster = yield* bench.muster("handlers")
    const count = bench.size(sizes)
    const bytes = bench.size({ full: 2 ** 30, quick: 2 ** 26, short: 2 ** 30 })
    return {
      settings: { ...muster.settings, tasks: count, command: "/bin/true", atOnce: bench.cores, heldBytes: bytes },
      round: Effect.gen(function* () {
        yield* hold(muster.client, bench.cores, bytes)
        const sample = yield* runCommands(muster, count)
        yield* hold(muster.client, bench.cores, 0)
        const plain = yield* runCommands(muster, count)
        return { [large.name]: { ...sample, peer: plain.value } }
      })
    }
  })
}
