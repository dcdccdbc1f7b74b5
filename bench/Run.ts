/**
 * Takes families of figures one after the other and makes a line of each figure.
 */
import { Console, Effect } from "effect"
import * as Baseline from "./Baseline.ts"
import type { Bench, Form } from "./Bench.ts"
import { line } from "./Figure.ts"
import type { Family, Figure, Line, Round, Sample } from "./Figure.ts"
import { isNotInstalled } from "./NotInstalled.ts"

export interface Options {
  /** `usual`: of each family that does not say otherwise. `asked`: what whoever started the bench wants of all families. */
  readonly rounds: { readonly usual: number; readonly asked: number | undefined }
  /** What a figure must not fall behind. */
  readonly baseline: Baseline.Entries
  readonly print: (line: Line) => Effect.Effect<void>
}

export interface Taken {
  readonly figure: Figure
  readonly samples: ReadonlyArray<Sample>
}

/** Rounds that are added while a figure seems to have lost something. */
const secondChances = 3

const note = (text: string) => Console.error(`bench: ${text}`)

const countOf = ({ once, rounds: own }: Family, form: Form, { asked, usual }: Options["rounds"]): number =>
  once === true ? 1 : (asked ?? own?.[form] ?? usual)

const take = (bench: Bench, family: Family, { baseline, print, rounds }: Options) =>
  Effect.gen(function* () {
    const names = family.figures.map(({ name }) => name).join(", ")
    const prepared = yield* family.prepare(bench)
    const found: Array<Round> = []
    const takeRound = Effect.fnUntraced(function* (what: string) {
      yield* note(`${names}: ${what}`)
      found.push(yield* Effect.scoped(prepared.round))
    })
    const taken = () =>
      family.figures.map((figure): Taken => ({ figure, samples: found.flatMap((round) => round[figure.name] ?? []) }))
    const isLost = ({ figure, samples }: Taken) => Baseline.loss(baseline, figure, samples) !== undefined

    const count = countOf(family, bench.form, rounds)
    for (let index = 1; index <= count; index++) yield* takeRound(`round ${index} of ${count}`)
    for (let chance = 1; chance <= secondChances && taken().some(isLost); chance++) {
      yield* takeRound(`looks bad, once more (${chance} of ${secondChances})`)
    }
    const all = taken()
    yield* Effect.forEach(all, ({ figure, samples }) => print(line(figure, samples, prepared.settings)), {
      discard: true
    })
    return all
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
