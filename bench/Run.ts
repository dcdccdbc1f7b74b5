/**
 * Takes families of figures one after the other and makes a line of each figure.
 */
import { Console, Effect } from "effect"
import * as Baseline from "./Baseline.ts"
import type { Bench } from "./Bench.ts"
import { line } from "./Figure.ts"
import type { Family, Figure, Line, Prepared, Round } from "./Figure.ts"
import { isNotInstalled } from "./NotInstalled.ts"

export interface Options {
  readonly rounds: number
  /** What a figure must not fall behind; with it a figure that looks bad is taken again before it counts as lost. */
  readonly baseline: Baseline.Entries | undefined
  readonly print: (line: Line) => Effect.Effect<void>
}

export interface Taken {
  readonly figure: Figure
  readonly line: Line
}

/** How often a figure that looks bad is taken again, each time with all of its rounds. */
const secondChances = 2

const note = (text: string) => Console.error(`bench: ${text}`)

const takeRounds = Effect.fnUntraced(function* (family: Family, prepared: Prepared, rounds: number) {
  const names = family.figures.map(({ name }) => name).join(", ")
  const count = family.once === true ? 1 : rounds
  const taken: Array<Round> = []
  for (let index = 1; index <= count; index++) {
    yield* note(`${names}: round ${index} of ${count}`)
    taken.push(yield* Effect.scoped(prepared.round))
  }
  return family.figures.map((figure): Taken => {
    const samples = taken.flatMap((one) => one[figure.name] ?? [])
    return { figure, line: line(figure, samples, prepared.settings) }
  })
})

/** Replaces what looks bad by the best of further tries. */
const checked = Effect.fnUntraced(function* (
  family: Family,
  prepared: Prepared,
  first: ReadonlyArray<Taken>,
  { baseline, rounds }: Options
) {
  if (baseline === undefined) return first
  let best = first
  for (let chance = 0; chance < secondChances; chance++) {
    const bad = best.filter((taken) => Baseline.loss(baseline, taken.figure, taken.line) !== undefined)
    if (bad.length === 0) return best
    yield* note(`${bad.map(({ figure }) => figure.name).join(", ")}: looks bad, once more`)
    const again = yield* takeRounds(family, prepared, rounds)
    best = best.map((taken) => {
      const other = again.find(({ figure }) => figure.name === taken.figure.name)
      return other === undefined
        ? taken
        : { figure: taken.figure, line: Baseline.better(taken.figure, taken.line, other.line) }
    })
  }
  return best
})

const take = (bench: Bench, family: Family, options: Options) =>
  Effect.gen(function* () {
    const prepared = yield* family.prepare(bench)
    const first = yield* takeRounds(family, prepared, options.rounds)
    const taken = yield* checked(family, prepared, first, options)
    yield* Effect.forEach(taken, (one) => options.print(one.line), { discard: true })
    return taken
  }).pipe(
    Effect.scoped,
    Effect.catchIf(isNotInstalled, (error) =>
      Effect.as(
        note(`${error.message}; left out: ${family.figures.map(({ name }) => name).join(", ")}`),
        Array.of<Taken>()
      )
    )
  )

export const run = (bench: Bench, families: ReadonlyArray<Family>, options: Options) =>
  Effect.map(
    Effect.forEach(families, (family) => take(bench, family, options)),
    (taken) => taken.flat()
  )
