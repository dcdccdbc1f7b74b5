/**
 * Whether a large suite is slower than a small one: each value is the rate with the most tasks as a part of the rate with the
 * fewest.
 */
import { Effect } from "effect"
import type { SuiteId } from "@muster/domain/Suite/Id"
import type { Form, Muster } from "../Bench.ts"
import type { Family, Figure, Sample } from "../Figure.ts"
import * as Latency from "../Latency.ts"
import { median } from "../Quantile.ts"
import * as Work from "../Work.ts"

const kept = {
  unit: "of the rate of the smallest suite",
  better: "higher",
  portable: true,
  goal: { of: "median", value: 0.9 }
} as const

const submit: Figure = { ...kept, name: "scale-submit" }
const drain: Figure = { ...kept, name: "scale-noop-drain" }
const commands: Figure = { ...kept, name: "scale-commands" }
const start: Figure = { ...kept, name: "scale-queued-to-started" }

const sizes: Readonly<Record<Form, ReadonlyArray<number>>> = {
  full: [10_000, 100_000, 1_000_000],
  quick: [5_000, 20_000, 50_000],
  short: [10_000, 100_000]
}

/** Small suites are over soon, so they are measured more often: about this many tasks of each size. */
const leastTasks: Readonly<Record<Form, number>> = { full: 100_000, quick: 15_000, short: 30_000 }

/** Rates at one size; the start of a single task as starts per second. */
interface Rates {
  readonly submit: number
  readonly drain: number
  readonly commands: number
  readonly start: number
}

/** Tasks per second between two parts of a running suite, so that neither its beginning nor its end counts. */
const rateBetween = Effect.fnUntraced(function* (client: Work.Client, suiteId: SuiteId, from: number, to: number) {
  const first = yield* Work.untilSucceeded(client, suiteId, from)
  const began = performance.now()
  const last = yield* Work.untilSucceeded(client, suiteId, to)
  return Work.perSecond(last - first, performance.now() - began)
})

const measureHandlers = Effect.fnUntraced(function* ({ client }: Muster, size: number, singles: number) {
  const suiteId = yield* Work.paused(client, `scale ${size}`)
  const submitted = yield* Work.timed(Work.submit(client, suiteId, Work.noop, size))
  yield* client.resumeSuite(suiteId)
  const drained = yield* rateBetween(client, suiteId, size * 0.1, size * 0.9)
  yield* Work.untilSucceeded(client, suiteId, size)
  const waits = yield* Latency.take(client, suiteId, singles)
  yield* client.cancelSuite(suiteId)
  return { submit: Work.perSecond(size, submitted), drain: drained, start: 1_000 / median(waits) }
})

/** So many commands of a suite that has many more of them queued. */
const measureCommands = Effect.fnUntraced(function* ({ client }: Muster, size: number, count: number) {
  const suiteId = yield* Work.paused(client, `scale commands ${size}`)
  yield* Work.submit(client, suiteId, Work.command, size)
  yield* client.resumeSuite(suiteId)
  const rate = yield* rateBetween(client, suiteId, count * 0.1, count)
  yield* client.cancelSuite(suiteId)
  return rate
})

export const scale: Family = {
  figures: [submit, drain, commands, start],
  once: true,
  prepare: Effect.fnUntraced(function* (bench) {
    const muster = yield* bench.ownMuster({ kind: "handlers" })
    const singles = bench.size({ full: 200, quick: 20, short: 50 })
    const commandCount = bench.size({ full: 2_000, quick: 200, short: 500 })
    const wanted = sizes[bench.form]

    const measure = Effect.fnUntraced(function* (size: number) {
      const times = Math.max(1, Math.ceil(leastTasks[bench.form] / size))
      const taken = yield* Effect.forEach(
        Array.from({ length: times }),
        Effect.fnUntraced(function* () {
          const rates = yield* measureHandlers(muster, size, Math.ceil(singles / times))
          return { ...rates, commands: yield* measureCommands(muster, size, Math.ceil(commandCount / times)) }
        })
      )
      const middle = (name: keyof Rates) => median(taken.map((rates) => rates[name]))
      return {
        size,
        rates: {
          submit: middle("submit"),
          drain: middle("drain"),
          commands: middle("commands"),
          start: middle("start")
        } satisfies Rates
      }
    })

    return {
      settings: {
        ...muster.settings,
        tasks: wanted.join(", "),
        singleTasks: singles,
        commands: commandCount,
        detail: "per second by number of tasks"
      },
      round: Effect.gen(function* () {
        // Warm, or the smallest suite would pay for what is compiled and connected first.
        yield* measureHandlers(muster, wanted[0] ?? 0, 5)
        yield* measureCommands(muster, wanted[0] ?? 0, 50)
        const bySize = yield* Effect.forEach(wanted, measure)
        // Again, so that a machine or a database that became slower meanwhile is not taken for a suite that is.
        const again = yield* measure(wanted[0] ?? 0)
        const sample = (name: keyof Rates): Sample => {
          const smallest = ((bySize[0]?.rates[name] ?? Number.NaN) + again.rates[name]) / 2
          return {
            value: (bySize.at(-1)?.rates[name] ?? Number.NaN) / smallest,
            detail: {
              ...Object.fromEntries(bySize.map(({ rates, size }) => [String(size), rates[name]])),
              [`${again.size} again`]: again.rates[name]
            }
          }
        }
        return {
          [submit.name]: sample("submit"),
          [drain.name]: sample("drain"),
          [commands.name]: sample("commands"),
          [start.name]: sample("start")
        }
      })
    }
  })
}
