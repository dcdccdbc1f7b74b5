/** The tasks that a `muster run` stands for. */
import { Effect, Schema, Stream } from "effect"
import type { TaskInput } from "@muster/client/MusterClient"
import * as Failure from "../Failure.ts"
import * as Lines from "./Lines.ts"
import type { Operands } from "./Operands.ts"
import * as Replacement from "./Replacement.ts"

export interface Source {
  readonly operands: Operands
  readonly template: Replacement.Template
  readonly eachLine: boolean
  readonly handler: string | undefined
}

const toCommand = (template: Replacement.Template, inputs: ReadonlyArray<string>, number: number): TaskInput => {
  const [program = "", ...args] = template.fill(inputs, number)
  return args.length === 0 ? { program } : { program, args }
}

const decodeJson = Schema.decodeUnknownEffect(Schema.fromJsonString(Schema.Json))

const toHandler = (handler: string, text: string, number: number) =>
  Effect.matchEffect(decodeJson(text), {
    onSuccess: (input) => Effect.succeed<TaskInput>({ handler, input }),
    onFailure: () =>
      Effect.fail(
        Failure.usage(`input ${number} is ${JSON.stringify(text.slice(0, 200))}; allowed: JSON, as in '{"n":1}'`)
      )
  })

/** Inputs that are all there can be checked before a suite is made for them. */
export const check = ({ eachLine, handler, operands }: Source): Effect.Effect<void, Failure.CommandFailed> =>
  handler === undefined || eachLine
    ? Effect.void
    : Effect.forEach(operands.sources[0] ?? [], (text, place) => toHandler(handler, text, place + 1), { discard: true })

/** A stream, since inputs may come from standard input, and products grow fast. */
export const make = ({
  eachLine,
  handler,
  operands,
  template
}: Source): Stream.Stream<TaskInput, Failure.CommandFailed> =>
  Stream.suspend(() => {
    let number = 0
    if (eachLine) {
      const lines = Lines.split(Lines.standardInput)
      return handler === undefined
        ? Stream.map(lines, (line) => toCommand(template, [line], ++number))
        : Stream.mapEffect(lines, (line) => toHandler(handler, line, ++number))
    }
    if (handler !== undefined) {
      const [inputs = []] = operands.sources
      return Stream.mapEffect(Stream.fromIterable(inputs), (text) => toHandler(handler, text, ++number))
    }
    return Stream.map(Stream.fromIterable(Replacement.product(operands.sources)), (inputs) =>
      toCommand(template, inputs, ++number)
    )
  })
