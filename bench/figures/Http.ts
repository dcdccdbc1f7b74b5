/**
 * HTTP queries while a suite of a million tasks runs at full speed. The value is the 95th percentile of the slowest route.
 */
import { Effect } from "effect"
import type { Family, Figure } from "../Figure.ts"
import { quantile } from "../Quantile.ts"
import * as Work from "../Work.ts"

const p95: Figure = { name: "http-p95", unit: "ms", better: "lower", goal: { of: "median", value: 20 } }

/** Suites besides the large one, so that lists have something to list. */
const otherSuites = 50

/** The part that is done before the first question, so that questions by state find both. */
const head = 0.1

/** An event of a large suite speaks of a thousand tasks: nobody reads many at once. */
const eventPage = 10

const routes = (suite: string, size: number): Readonly<Record<string, string>> => ({
  suites: "/v1/suites",
  suite: `/v1/suites/${suite}`,
  tasks: `/v1/suites/${suite}/tasks?limit=100`,
  tasksSucceeded: `/v1/suites/${suite}/tasks?state=succeeded&limit=100`,
  tasksQueued: `/v1/suites/${suite}/tasks?state=queued&limit=100`,
  tasksFailed: `/v1/suites/${suite}/tasks?state=failed&limit=100`,
  task: `/v1/tasks/${suite}.${Math.floor(size / 2)}`,
  events: `/v1/events?limit=${eventPage}`,
  eventsOfSuite: `/v1/events?stream=suite-${suite}&limit=${eventPage}`,
  managers: "/v1/managers"
})

export const http: Family = {
  figures: [p95],
  once: true,
  prepare: Effect.fnUntraced(function* (bench) {
    const { client, coordinator, settings, system } = yield* bench.ownMuster({ kind: "handlers" })
    const size = bench.size({ full: 1_000_000, quick: 50_000, short: 100_000 })
    const most = bench.size({ full: 300, quick: 50, short: 100 })

    /** Milliseconds until the whole answer is there. */
    const ask = (path: string) =>
      Effect.promise(async () => {
        const began = performance.now()
        const response = await fetch(`${coordinator.url}${path}`, {
          headers: { authorization: `Bearer ${system.adminToken}` }
        })
        await response.text()
        if (!response.ok) throw new Error(`${path}: ${response.status}`)
        return performance.now() - began
      })

    return {
      settings: {
        ...settings,
        tasks: size,
        otherSuites,
        load: "the suite's no-ops, drained at full speed",
        page: 100,
        eventPage
      },
      round: Effect.gen(function* () {
        yield* Effect.forEach(Array.from({ length: otherSuites }), () => client.createSuite({ name: "bench other" }))
        const suiteId = yield* Work.paused(client, "http")
        yield* Work.submit(client, suiteId, Work.noop, size)
        yield* client.resumeSuite(suiteId)
        yield* Work.untilSucceeded(client, suiteId, size * head)

        const found = new Map<string, Array<number>>()
        for (let turn = 0; turn < most; turn++) {
          for (const [name, path] of Object.entries(routes(suiteId, size))) {
            found.set(name, [...(found.get(name) ?? []), yield* ask(path)])
          }
          const { tasks } = yield* client.getSuite(suiteId)
          if (tasks.pending === 0) break
        }
        yield* client.cancelSuite(suiteId)
        const byRoute = Object.fromEntries([...found].map(([name, millis]) => [name, quantile(millis, 0.95)]))
        return {
          [p95.name]: {
            value: Math.max(...Object.values(byRoute)),
            detail: { ...byRoute, questionsPerRoute: found.get("suites")?.length ?? 0 }
          }
        }
      })
    }
  })
}
