/**
 * Checks what a caller hands in before anything is sent. What is wrong with it is said by the domain, so that it reads the
 * same wherever it is found.
 */
import { Effect, Option, Result, Schema } from "effect"
import { SchemaJITCompiler } from "effect/schema"
import * as InputProblem from "@muster/domain/Api/InputProblem"
import type { InvalidInput } from "@muster/domain/Errors"
import { TaskSpec } from "@muster/domain/Task/Spec"

/** Decodes `input` or fails with the domain's own error. */
export const decode = <A, I>(schema: Schema.Codec<A, I>, field = "") => {
  const decodeUnknown = Schema.decodeUnknownEffect(schema)
  return (input: unknown): Effect.Effect<A, InvalidInput> =>
    Effect.mapError(decodeUnknown(input, InputProblem.parseOptions), (error) =>
      InputProblem.fromSchemaError(error, field)
    )
}

SchemaJITCompiler.enable(TaskSpec.ast)

const decodeStrictly = Schema.decodeUnknownResult(TaskSpec)
/** Leaves out fields that it does not know instead of refusing them, which makes it many times faster. */
const decodeLeniently = Schema.decodeUnknownOption(TaskSpec)

/** Whether everything of the input is in what was decoded from it: as many fields, at every depth. */
const isWhole = (input: unknown, decoded: unknown): boolean => {
  if (input === decoded || typeof decoded !== "object" || decoded === null) return true
  if (typeof input !== "object" || input === null) return true // a text that stands for more
  const names = Object.keys(input)
  return (
    names.length === Object.keys(decoded).length &&
    names.every((name) => isWhole(Reflect.get(input, name), Reflect.get(decoded, name)))
  )
}

/** Tasks from the `place`-th of a submission on. The field of an error names the task's place, such as `tasks[3].args`. */
export const decodeTasks = (
  inputs: ReadonlyArray<unknown>,
  place: number
): Result.Result<ReadonlyArray<TaskSpec>, InvalidInput> => {
  const tasks: Array<TaskSpec> = []
  for (const [k, input] of inputs.entries()) {
    const decoded = decodeLeniently(input)
    if (Option.isSome(decoded) && isWhole(input, decoded.value)) {
      tasks.push(decoded.value)
      continue
    }
    const strictly = decodeStrictly(input, InputProblem.parseOptions)
    if (Result.isFailure(strictly)) {
      return Result.fail(InputProblem.fromSchemaError(strictly.failure, `tasks[${place + k}]`))
    }
    tasks.push(strictly.success)
  }
  return Result.succeed(tasks)
}
