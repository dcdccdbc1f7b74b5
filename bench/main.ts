/**
 * `npm run bench`: prints one JSON line per figure on standard output, and what it is doing on standard error.
 *
 *     npm run bench -- [--rounds 3] [--only NAME] [--quick]
 */
import { availableParallelism } from "node:os"
import { parseArgs } from "node:util"
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect } from "effect"
import * as System from "../test/e2e/support/System.ts"
import { line, quantile } from "./Figure.ts"
import type { Figure, Line } from "./Figure.ts"
import * as Measure from "./Measure.ts"

const { values: flags } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    only: { type: "string" },
    quick: { type: "boolean", default: false }
  }
})

const rounds = Number(flags.rounds)
const scale = flags.quick ? 0.2 : 1
const parallel = availableParallelism()

const figures = {
  noop: { name: "noop-drain", unit: "tasks/s", better: "higher", goal: 20_000 },
  command: { name: "command-drain", unit: "tasks/s", better: "higher", peer: `xargs -P${parallel}`, goal: 1 },
  submit: { name: "submit", unit: "tasks/s", better: "higher", goal: 20_000 },
  p50: { name: "queued-to-started-p50", unit: "ms", better: "lower", goal: 10 },
  p99: { name: "queued-to-started-p99", unit: "ms", better: "lower", goal: 50 },
  memory: { name: "coordinator-memory-100k-queued", unit: "MB", better: "lower", goal: 300 }
} satisfies Record<string, Figure>

const print = (result: Line) => Console.log(JSON.stringify(result))
const wants = (name: keyof typeof figures) => flags.only === undefined || flags.only === figures[name].name

const repeated = <A, E, R>(what: string, round: Effect.Effect<A, E, R>) =>
  Effect.forEach(Array.from({ length: rounds }), (_, index) =>
    Effect.andThen(Console.error(`bench: ${what} ${index + 1}/${rounds}`), round)
  )

const program = Effect.gen(function* () {
  const system = yield* System.make
  const coordinator = yield* system.coordinator()
  yield* system.manager({ urls: [coordinator.url], workers: parallel })
  const client = yield* system.client(coordinator.url)
  // Warm: connections, prepared statements, compiled code.
  yield* Measure.drain(client, "noop", 20_000 * scale)

  if (wants("noop")) {
    const values = yield* repeated("noop-drain", Measure.drain(client, "noop", 50_000 * scale))
    yield* print(line(figures.noop, values))
  }
  if (wants("command")) {
    const count = 3_000 * scale
    const pairs = yield* repeated(
      "command-drain",
      Effect.gen(function* () {
        const theirs = yield* Effect.sync(() => Measure.xargs(count, parallel))
        return [yield* Measure.drain(client, "command", count), theirs] as const
      })
    )
    const ours = pairs.map(([value]) => value)
    const theirs = pairs.map(([, value]) => value)
    yield* print(line(figures.command, ours, theirs))
  }
  if (wants("submit")) {
    yield* print(line(figures.submit, yield* repeated("submit", Measure.submit(client, 50_000 * scale))))
  }
  if (wants("p50") || wants("p99")) {
    const measured = yield* repeated("latency", Measure.latencies(client, 100 * scale))
    yield* print(
      line(
        figures.p50,
        measured.map((values) => quantile(values, 0.5))
      )
    )
    yield* print(
      line(
        figures.p99,
        measured.map((values) => quantile(values, 0.99))
      )
    )
  }
  if (wants("memory")) {
    // A coordinator of its own, so that what was measured before does not count.
    const other = yield* System.make
    const fresh = yield* other.coordinator()
    const submitter = yield* other.client(fresh.url)
    const suite = yield* submitter.createSuite({ name: "bench memory" })
    yield* submitter.submit(
      suite.id,
      Array.from({ length: 100_000 }, (_, index) => ({ program: "process", args: ["--item", String(index)] }))
    )
    yield* print(line(figures.memory, [Measure.memory(fresh.pid)]))
  }
})

program.pipe(Effect.scoped, NodeRuntime.runMain)
