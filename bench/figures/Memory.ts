/**
 * What a coordinator needs while many tasks wait, and how long it takes to go on with them after it was
 * restarted in good order.
 */
import { Effect } from "effect"
import type { Bench } from "../Bench.ts"
import type { Family, Figure } from "../Figure.ts"
import * as Processes from "../Processes.ts"
import * as Wait from "../../test/e2e/support/Wait.ts"
import * as Work from "../Work.ts"

const memory = { unit: "MB", better: "lower", portable: true } as const

const hundredThousand: Figure = { ...memory, name: "memory-100k", goal: { of: "median", value: 220 } }
const million: Figure = { ...memory, name: "memory-1m", goal: { of: "median", value: 200 } }
const reopen: Figure = { name: "reopen-1m", unit: "ms", better: "lower", goal: { of: "median", value: 2_000 } }

/** Nobody asks anything for so long, so that what is left is what waiting tasks need. */
const settling = "2 seconds"

/** A Muster of its own with a paused suite of so many tasks. */
const filled = Effect.fnUntraced(function* (bench: Bench, count: number) {
  const muster = yield* bench.ownMuster({ kind: "plain" })
  const suiteId = yield* Work.paused(muster.client, "memory")
  yield* muster.client.submit(
    suiteId,
    Array.from({ length: count }, (_, index) => ({ program: "process", args: ["--item", String(index)] }))
  )
  yield* Effect.sleep(settling)
  return { ...muster, suiteId, settings: { ...muster.settings, tasks: count, command: "process --item <index>" } }
})

export const memoryOfHundredThousand: Family = {
  figures: [hundredThousand],
  prepare: Effect.fnUntraced(function* (bench) {
    const count = bench.size({ full: 100_000, quick: 10_000, short: 100_000 })
    const { coordinator, settings } = yield* filled(bench, count)
    return {
      settings,
      round: Effect.sync(() => ({ [hundredThousand.name]: { value: Processes.megabytes(coordinator.pid) } }))
    }
  }),
  once: true
}

export const reopening: Family = {
  figures: [million, reopen],
  once: true,
  prepare: Effect.fnUntraced(function* (bench) {
    const count = bench.size({ full: 1_000_000, quick: 10_000, short: 1_000_000 })
    const { coordinator, settings, suiteId, system } = yield* filled(bench, count)
    return {
      settings: { ...settings, restart: "TERM", from: "it is ready", to: "the first task is leased" },
      round: Effect.gen(function* () {
        const megabytes = Processes.megabytes(coordinator.pid)
        const stopped = yield* Work.timed(Effect.andThen(coordinator.kill("SIGTERM"), coordinator.exited))
        const began = performance.now()
        const { url } = yield* system.coordinator({ port: coordinator.port })
        const ready = performance.now()
        const client = yield* system.client(url)
        yield* client.getSuite(suiteId)
        const answered = performance.now() - ready
        yield* client.resumeSuite(suiteId)
        yield* Wait.until("a task is leased", client.getSuite(suiteId), ({ tasks }) => tasks.queued < count, 60_000)
        const leased = performance.now() - ready
        yield* client.cancelSuite(suiteId)
        return {
          [million.name]: { value: megabytes },
          [reopen.name]: {
            value: leased,
            detail: { firstAnswer: answered, firstLease: leased, stopping: stopped, starting: ready - began }
          }
        }
      })
    }
  })
}
