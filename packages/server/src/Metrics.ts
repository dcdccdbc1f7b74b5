/**
 * What a coordinator counts of itself and its cluster, for Prometheus.
 *
 * Whatever is called while tasks are being handed out or recorded is a plain function that adds to variables; the rest of
 * the work is done when somebody scrapes.
 */
import { Context, Effect, Layer, Metric } from "effect"
import { PrometheusMetrics } from "effect/observability"
import { SqlClient } from "effect/sql/SqlClient"
import { LieKind } from "@muster/domain/Manager/Lies"
import { ManagerState } from "@muster/domain/Manager/Spec"
import type { SuiteEvent } from "@muster/domain/Suite/Events"
import { SuiteState } from "@muster/domain/Suite/Spec"
import { Outcome, TaskState } from "@muster/domain/Task/Attempt"
import { LimitCounters, reasons } from "./Limits/Counters.ts"
import * as DatabaseNumbers from "./Metrics/DatabaseNumbers.ts"
import * as Histogram from "./Metrics/Histogram.ts"
import * as Series from "./Metrics/Series.ts"

export class CoordinatorMetrics extends Context.Service<
  CoordinatorMetrics,
  {
    /** Counts what a suite has just committed: submissions, outcomes, run times. Call once per commit. */
    readonly suiteCommitted: (events: ReadonlyArray<SuiteEvent>) => void
    /** Seconds from submission (or the last return to the queue) to the start or lease, by this machine's clock. */
    readonly queued: Histogram.Histogram
    /** Seconds that a lease of tasks took, without the wait for the first one. */
    readonly lease: Histogram.Histogram
    /** Seconds that an append to the event store took. */
    readonly append: Histogram.Histogram
    /** Tasks that workers found in their manager's buffer, and times that they had to wait: since the last call. */
    readonly prefetched: (hits: number, misses: number) => void
    /** How many events a projection by subscription is behind. */
    readonly projectionLag: (projection: string, events: number) => void
    /** Counts what managers have said that cannot be. */
    readonly lied: (kind: LieKind, count: number) => void
    /** Counts an answered HTTP request. */
    readonly answered: (status: number) => void
    /** All of it as text. */
    readonly render: Effect.Effect<string>
  }
>()("@muster/server/Metrics") {}

/** Reads of the process's own numbers cost system calls, and several series come from one. */
const registerProcess = (registry: Context.Context<never>) => {
  const startedAt = Date.now() / 1_000 - process.uptime()
  Series.gauge(registry, "process_resident_memory_bytes", "Resident memory size in bytes.", () =>
    process.memoryUsage.rss()
  )
  Series.gauge(
    registry,
    "nodejs_heap_used_bytes",
    "Memory in use on the JavaScript heap in bytes.",
    () => process.memoryUsage().heapUsed
  )
  Series.counterFrom(registry, "process_cpu_seconds_total", "User and system CPU time spent in seconds.", () => {
    const { system, user } = process.cpuUsage()
    return (system + user) / 1e6
  })
  Series.gauge(
    registry,
    "process_start_time_seconds",
    "Start time of the process since 1970 in seconds.",
    () => startedAt
  )
}

export const make = Effect.gen(function* () {
  const sql = yield* SqlClient
  const databaseNumbers = yield* DatabaseNumbers.make(sql)
  let database = DatabaseNumbers.unknown

  // A registry of its own: several coordinators in one process, as tests have them, do not count each other's work.
  const registry: Context.Context<never> = Context.make(Metric.MetricRegistry, new Map())

  for (const [kind, states, description] of [
    ["tasks", TaskState.literals, "Tasks in the whole cluster by state."],
    ["suites", SuiteState.literals, "Suites in the whole cluster by state."],
    ["managers", ManagerState.literals, "Managers in the whole cluster by state."]
  ] as const) {
    for (const state of states) {
      Series.gauge(registry, `muster_${kind}`, description, () => database[kind].get(state) ?? Number.NaN, { state })
    }
  }
  Series.gauge(registry, "muster_database_up", "Whether the database answers (1) or not (0).", () =>
    database.up ? 1 : 0
  )
  registerProcess(registry)

  const limits = yield* LimitCounters
  Series.gauge(registry, "muster_connections", "Connections of clients and managers.", () => limits.connections)
  Series.gauge(registry, "muster_requests_in_flight", "Requests that are being answered.", () => limits.requests)
  for (const limit of reasons) {
    Series.counterFrom(
      registry,
      "muster_limit_refusals_total",
      "Connections and requests that were refused or closed because of a limit.",
      () => limits.refused.get(limit) ?? 0,
      { limit }
    )
  }

  const submitted = Series.counter(
    registry,
    "muster_tasks_submitted_total",
    "Tasks that this coordinator has accepted."
  )
  const attempts = new Map(
    Outcome.literals.map((outcome) => [
      outcome,
      Series.counter(registry, "muster_attempts_total", "Attempts that ended, by outcome.", { outcome })
    ])
  )
  const prefetchHits = Series.counter(
    registry,
    "muster_prefetch_hits_total",
    "Times that a worker found its next task in its manager's buffer."
  )
  const prefetchMisses = Series.counter(
    registry,
    "muster_prefetch_misses_total",
    "Times that a worker had to wait for its manager to be given tasks."
  )
  const queued = Histogram.register(
    registry,
    "muster_task_queued_seconds",
    "Time that tasks waited before they were started.",
    Histogram.waiting
  )
  const run = Histogram.register(
    registry,
    "muster_task_run_seconds",
    "Time that attempts ran, by the clock of their machine.",
    Histogram.waiting
  )
  const lease = Histogram.register(
    registry,
    "muster_lease_seconds",
    "Time that handing tasks to a manager took.",
    Histogram.working
  )
  const append = Histogram.register(
    registry,
    "muster_event_append_seconds",
    "Time that appends to the event store took.",
    Histogram.working
  )

  const lags = new Map<string, number>()
  const projectionLag = (projection: string, events: number) => {
    if (!lags.has(projection)) {
      const description = "Events that a projection has not seen yet."
      Series.gauge(registry, "muster_projection_lag_events", description, () => lags.get(projection) ?? 0, {
        projection
      })
    }
    lags.set(projection, events)
  }

  const lies = new Map(
    LieKind.literals.map((kind) => [
      kind,
      Series.counter(registry, "muster_manager_lies_total", "What managers said that cannot be, by kind.", { kind })
    ])
  )

  const answers = new Map<number, Series.Counter>()
  const answered = (status: number) => {
    const known = answers.get(status)
    const counter =
      known ??
      Series.counter(registry, "muster_http_requests_total", "HTTP requests that were answered, by status.", {
        status: String(status)
      })
    if (known === undefined) answers.set(status, counter)
    counter.add(1)
  }

  const suiteCommitted = (events: ReadonlyArray<SuiteEvent>) => {
    for (const event of events) {
      if (event._tag === "TasksSubmitted") submitted.add(event.tasks.length)
      if (event._tag !== "AttemptsEnded") continue
      for (const { duration, outcome } of event.attempts) {
        attempts.get(outcome)?.add(1)
        if (duration !== undefined) run.observe(duration / 1_000)
      }
    }
  }

  const render = Effect.gen(function* () {
    database = yield* databaseNumbers
    return PrometheusMetrics.formatUnsafe(registry)
  })

  return CoordinatorMetrics.of({
    suiteCommitted,
    queued,
    lease,
    append,
    prefetched: (hits, misses) => {
      prefetchHits.add(hits)
      prefetchMisses.add(misses)
    },
    projectionLag,
    lied: (kind, count) => lies.get(kind)?.add(count),
    answered,
    render
  })
})

export const layer: Layer.Layer<CoordinatorMetrics, never, SqlClient> = Layer.effect(CoordinatorMetrics, make)
