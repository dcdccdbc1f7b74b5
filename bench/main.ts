/**
 * `npm run bench`: one JSON line per figure on standard output, what it is doing on standard error. `bench/README.md` says
 * how to read a line.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Schema } from "effect"
import * as Baseline from "./Baseline.ts"
import * as Bench from "./Bench.ts"
import { families, select } from "./Registry.ts"
import * as Run from "./Run.ts"

const { values: flags } = parseArgs({
  options: {
    rounds: { type: "string" },
    only: { type: "string", default: "" },
    list: { type: "boolean", default: false },
    quick: { type: "boolean", default: false },
    short: { type: "boolean", default: false },
    check: { type: "boolean", default: false },
    save: { type: "boolean", default: false }
  }
})

/** Odd, so that the median is one of them. */
const usualRounds = { full: 5, quick: 1, short: 11 } satisfies Record<Bench.Form, number>

const form: Bench.Form = flags.quick ? "quick" : flags.short ? "short" : "full"
const rounds = {
  usual: usualRounds[form],
  asked: flags.rounds === undefined ? undefined : Number(flags.rounds)
}
const selected = select(families, {
  only: flags.only.split(",").filter((name) => name !== ""),
  short: flags.short
})

const baselineFile = fileURLToPath(new URL("baseline.json", import.meta.url))
const baselineText = Schema.fromJsonString(Baseline.Baseline)
const readBaseline = (): Baseline.Baseline => Schema.decodeUnknownSync(baselineText)(readFileSync(baselineFile, "utf8"))

const save = (taken: ReadonlyArray<Run.Taken>) => {
  const all = readBaseline()
  const entries = taken.flatMap(({ figure, samples }) => {
    const entry = Baseline.entry(figure, samples)
    return entry === undefined ? [] : [[figure.name, entry] as const]
  })
  const next: Baseline.Baseline = { ...all, [form]: { ...all[form], ...Object.fromEntries(entries) } }
  writeFileSync(baselineFile, `${JSON.stringify(next, null, 2)}\n`)
}

const takeAll = Effect.gen(function* () {
  const bench = yield* Bench.make(form)
  const baseline = flags.check ? (readBaseline()[form] ?? {}) : {}
  const taken = yield* Run.run(bench, selected, {
    rounds,
    baseline,
    print: (line) => Console.log(JSON.stringify(line))
  })
  if (flags.save) save(taken)
  const losses = taken.flatMap(({ figure, samples }) => Baseline.loss(baseline, figure, samples) ?? [])
  const perhaps = taken
    .flatMap(({ figure, samples }) => Baseline.suspicion(baseline, figure, samples) ?? [])
    .filter(({ figure }) => losses.every((loss) => loss.figure !== figure))
  for (const loss of perhaps)
    yield* Console.error(`bench: in the median, but not in the best round, ${Baseline.describe(loss)}`)
  for (const loss of losses) yield* Console.error(`bench: ${Baseline.describe(loss)}`)
  if (losses.length > 0) process.exitCode = 1
  else if (flags.check) yield* Console.error("bench: nothing was lost since the baseline")
})

const list = Effect.forEach(
  selected.flatMap((family) => family.figures),
  ({ better, goal, name, peer, unit, yardstick }) => {
    const beside = [peer, yardstick].filter((what) => what !== undefined).map((what) => `beside ${what}`)
    const wanted = goal === undefined ? "no goal" : `${goal.of} ${better === "higher" ? ">=" : "<="} ${goal.value}`
    return Console.log([name, unit, wanted, ...beside].join("\t"))
  },
  { discard: true }
)

if (rounds.asked !== undefined && (!Number.isInteger(rounds.asked) || rounds.asked < 1)) {
  console.error("bench: --rounds must be a whole number from 1 on")
  process.exitCode = 2
} else if (selected.length === 0) {
  console.error(`bench: no figure is called ${flags.only}; see --list`)
  process.exitCode = 2
} else {
  NodeRuntime.runMain(Effect.scoped(flags.list ? list : takeAll))
}
