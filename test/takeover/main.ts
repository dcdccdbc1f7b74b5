/**
 * How long the suites of a coordinator stand still when it is killed, frozen or stopped, with the settings that ship:
 *
 *     npm run takeover -- [--trials N] [--kind kill|freeze|stop] [--seed N] [--samples FILE]
 *
 * Prints one JSON line for each kind with p50, p99 and max in milliseconds, and ends 1 when a p99 is above the limit or when
 * anything was lost or counted twice. With `--samples` each trial is added to a file, and the lines are about all of the
 * file: so a long run can be made of several short ones.
 */
import { Effect, Exit, Fiber, Stream } from "effect"
import { appendFileSync, existsSync, readFileSync } from "node:fs"
import { parseArgs } from "node:util"
import { quantile } from "../../bench/Quantile.ts"
import * as Chance from "../../chaos/Chance.ts"
import * as Notes from "../e2e/support/Notes.ts"
import * as Wait from "../e2e/support/Wait.ts"
import * as Stage from "./Stage.ts"
import * as Trial from "./Trial.ts"

/** Milliseconds: what is promised, at p99. */
const limit = 5_000

const { values: options } = parseArgs({
  options: {
    trials: { type: "string", default: "50" },
    kind: { type: "string", multiple: true, default: [...Trial.kinds] },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    samples: { type: "string" }
  }
})

const trials = Number(options.trials)
const kinds = Trial.kinds.filter((kind) => options.kind.includes(kind))
if (!Number.isInteger(trials) || trials < 1 || kinds.length === 0) {
  process.stderr.write(`takeover: --trials is a number from 1 on, --kind one of ${Trial.kinds.join(", ")}\n`)
  process.exit(2)
}

const note = (text: string) => Effect.sync(() => void process.stderr.write(`takeover: ${text}\n`))

const earlier: ReadonlyArray<Trial.Sample> =
  options.samples !== undefined && existsSync(options.samples)
    ? readFileSync(options.samples, "utf8")
        .split("\n")
        .flatMap((text): Array<Trial.Sample> => (text === "" ? [] : [JSON.parse(text)]))
    : []

const figures = (values: ReadonlyArray<number>) => ({
  p50: Math.round(quantile(values, 0.5)),
  p99: Math.round(quantile(values, 0.99)),
  max: Math.round(Math.max(...values))
})

/** Every accepted task has one outcome and no more. */
const checkSuites = (stage: Stage.Stage) =>
  Effect.forEach(
    stage.suites,
    (suite) =>
      Effect.gen(function* () {
        const { accepted, id } = suite
        yield* Wait.until("all tasks are settled", Notes.settled(stage.client, id), (settled) => settled >= accepted)
        const { tasks } = yield* stage.client.getSuite(id)
        const outcomes = [...(yield* Notes.outcomes(stage.client, id)).values()]
        const twice = outcomes.filter((count) => count !== 1).length
        // The trickle goes on meanwhile, so there may be more than were counted, but never fewer.
        const lost = Math.max(0, accepted - tasks.total) + tasks.failed + tasks.cancelled
        return { lost, twice, tasks: tasks.total }
      }),
    { concurrency: "unbounded" }
  )

const program = Effect.gen(function* () {
  const random = Chance.numbers(Number(options.seed))
  yield* note(`seed ${options.seed}, ${trials} trials of each: ${kinds.join(", ")}`)
  const stage = yield* Stage.make
  const samples = [...earlier]
  for (const kind of kinds) {
    for (let trial = 1; trial <= trials; trial++) {
      const sample = yield* Trial.run(stage, kind, random)
      samples.push(sample)
      if (options.samples !== undefined) appendFileSync(options.samples, `${JSON.stringify(sample)}\n`)
      const gone = sample.gone === null ? "" : `, gone after ${Math.round(sample.gone)} ms`
      yield* note(
        `${kind} ${trial} of ${trials}: suites ${Math.round(sample.suite)} ms, client ${Math.round(sample.client)} ms${gone}`
      )
    }
  }
  const checked = yield* checkSuites(stage)
  const lost = checked.reduce((sum, suite) => sum + suite.lost, 0)
  const twice = checked.reduce((sum, suite) => sum + suite.twice, 0)
  const [endless] = yield* Stream.runCollect(stage.client.listTasks({ suiteId: stage.lasting, limit: 1 }))
  const stopped = endless?.state === "running" && endless.attempts === 1 ? 0 : 1
  let isGood = lost === 0 && twice === 0 && stopped === 0
  for (const kind of Trial.kinds) {
    const own = samples.filter((sample) => sample.kind === kind)
    if (own.length === 0) continue
    const suite = figures(own.map((sample) => sample.suite))
    if (suite.p99 > limit) isGood = false
    const line = {
      kind,
      trials: own.length,
      limit,
      suite,
      client: figures(own.map((sample) => sample.client)),
      ...(kind === "freeze" ? {} : { gone: figures(own.flatMap(({ gone }) => gone ?? [])) }),
      tasks: checked.reduce((sum, { tasks }) => sum + tasks, 0),
      lost,
      twice,
      stopped
    }
    process.stdout.write(`${JSON.stringify(line)}\n`)
  }
  return isGood
})

const fiber = Effect.runFork(Effect.scoped(program))
// A frozen coordinator would outlive this process without noticing that it is alone.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => fiber.interruptUnsafe())
const exit = await Effect.runPromise(Fiber.await(fiber))
if (Exit.isFailure(exit)) {
  process.stderr.write(`takeover: ${String(exit.cause)}\n`)
  process.exit(1)
}
process.exit(exit.value ? 0 : 1)
