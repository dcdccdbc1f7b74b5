import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { SqlClient } from "effect/sql/SqlClient"
import type { ManagerId } from "@muster/domain/Manager/Id"
import { Epoch } from "@muster/domain/Manager/Id"
import type { SuiteEvent } from "@muster/domain/Suite/Events"
import * as Metrics from "../../src/Metrics.ts"
import { newManagerId, newSuiteId } from "../Http/TestIds.ts"
import * as Muster from "../support/Muster.ts"

const ended = (manager: ManagerId): SuiteEvent => ({
  _tag: "AttemptsEnded",
  manager,
  epoch: Epoch.make(1),
  at: 1,
  attempts: [
    { index: 0, attempt: 1, outcome: "succeeded", finishedAt: 1, duration: 3, next: "succeeded" },
    { index: 1, attempt: 1, outcome: "failed", finishedAt: 1, duration: 700, next: "retry" },
    { index: 2, attempt: 1, outcome: "lost", finishedAt: 1, next: "retry" }
  ]
})

/** The value of a series. */
const valueOf = (text: string, series: string): string | undefined =>
  text
    .split("\n")
    .find((line) => line.startsWith(`${series} `))
    ?.slice(series.length + 1)

layer(Metrics.layer.pipe(Layer.provideMerge(Muster.layer)))("metrics", (it) => {
  it.effect("count what suites commit", () =>
    Effect.gen(function* () {
      const metrics = yield* Metrics.CoordinatorMetrics
      const submitted: SuiteEvent = {
        _tag: "TasksSubmitted",
        firstIndex: 0,
        at: 1,
        tasks: [{ program: "a" }, { handler: "b" }]
      }
      metrics.suiteCommitted([submitted, ended(newManagerId()), submitted])
      metrics.queued.observeMany([0.0005, 0.002, 4_000])
      metrics.lease.observe(0.0004)
      metrics.append.observe(0.002)
      metrics.prefetched(10, 1)
      metrics.prefetched(5, 0)
      const text = yield* metrics.render
      const expected: ReadonlyArray<readonly [series: string, value: string]> = [
        ["muster_tasks_submitted_total", "4"],
        ['muster_attempts_total{outcome="succeeded"}', "1"],
        ['muster_attempts_total{outcome="failed"}', "1"],
        ['muster_attempts_total{outcome="lost"}', "1"],
        ['muster_attempts_total{outcome="crashed"}', "0"],
        ['muster_task_run_seconds_bucket{le="0.0025"}', "0"],
        ['muster_task_run_seconds_bucket{le="0.005"}', "1"],
        ['muster_task_run_seconds_bucket{le="1"}', "2"],
        ['muster_task_run_seconds_bucket{le="+Inf"}', "2"],
        ["muster_task_run_seconds_count", "2"],
        ["muster_task_run_seconds_sum", "0.703"],
        ['muster_task_queued_seconds_bucket{le="0.001"}', "1"],
        ['muster_task_queued_seconds_bucket{le="3600"}', "2"],
        ['muster_task_queued_seconds_bucket{le="+Inf"}', "3"],
        ["muster_lease_seconds_count", "1"],
        ["muster_event_append_seconds_count", "1"],
        ["muster_prefetch_hits_total", "15"],
        ["muster_prefetch_misses_total", "1"]
      ]
      for (const [series, value] of expected) assert.strictEqual(valueOf(text, series), value, series)
    })
  )

  it.effect("tell how far each projection is behind", () =>
    Effect.gen(function* () {
      const metrics = yield* Metrics.CoordinatorMetrics
      metrics.projectionLag("histories", 12)
      metrics.projectionLag("audit", 0)
      metrics.projectionLag("histories", 3)
      const text = yield* metrics.render
      assert.strictEqual(valueOf(text, 'muster_projection_lag_events{projection="histories"}'), "3")
      assert.strictEqual(valueOf(text, 'muster_projection_lag_events{projection="audit"}'), "0")
    })
  )

  it.effect("know the whole cluster's tasks, suites and managers, and ask at most every two seconds", () =>
    Effect.gen(function* () {
      const metrics = yield* Metrics.CoordinatorMetrics
      const sql = yield* SqlClient
      yield* TestClock.adjust("3 seconds")
      const insert = (queued: number) =>
        sql`insert into suites ${sql.insert({
          id: newSuiteId(),
          spec: "{}",
          state: "open",
          created_at: new Date(),
          version: 1,
          total: queued + 2,
          queued,
          failed: 2
        })}`
      yield* insert(5)
      yield* insert(7)
      const before = yield* metrics.render
      assert.strictEqual(valueOf(before, 'muster_tasks{state="queued"}'), "12")
      assert.strictEqual(valueOf(before, 'muster_tasks{state="failed"}'), "4")
      assert.strictEqual(valueOf(before, 'muster_tasks{state="running"}'), "0")
      assert.strictEqual(valueOf(before, 'muster_suites{state="open"}'), "2")
      assert.strictEqual(valueOf(before, 'muster_managers{state="idle"}'), "0")
      yield* insert(100)
      assert.strictEqual(valueOf(yield* metrics.render, 'muster_tasks{state="queued"}'), "12")
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual(valueOf(yield* metrics.render, 'muster_tasks{state="queued"}'), "112")
    })
  )

  it.effect("have the form that Prometheus reads", () =>
    Effect.gen(function* () {
      const metrics = yield* Metrics.CoordinatorMetrics
      metrics.answered(200)
      const text = yield* metrics.render
      assert.isTrue(text.endsWith("\n"))
      const types = new Map<string, string>()
      const helped = new Set<string>()
      for (const line of text.trimEnd().split("\n")) {
        const [, kind, family, rest] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? []
        if (kind === "HELP" && family !== undefined) {
          assert.isFalse(helped.has(family), line)
          helped.add(family)
        } else if (kind === "TYPE" && family !== undefined && rest !== undefined) {
          assert.isTrue(helped.has(family), line)
          types.set(family, rest)
        } else {
          const [, name] =
            /^([a-z_]+)(?:\{[a-z]+="[^"\\]*"(?:,[a-z]+="[^"\\]*")*\})? (?:NaN|\+Inf|-?[\d.]+(?:e[+-]?\d+)?)$/.exec(
              line
            ) ?? []
          assert.isDefined(name, line)
          const family_ = name?.replace(/_(?:bucket|sum|count)$/, "") ?? ""
          assert.isTrue(types.has(name ?? "") || types.get(family_) === "histogram", line)
        }
      }
      for (const [family, type] of types) {
        assert.strictEqual(family.endsWith("_total"), type === "counter", family)
        if (type === "histogram") assert.match(family, /_seconds$/)
      }
      for (const family of [
        "process_resident_memory_bytes",
        "process_cpu_seconds_total",
        "process_start_time_seconds"
      ]) {
        assert.isAbove(Number(valueOf(text, family)), 0, family)
      }
    })
  )
})
