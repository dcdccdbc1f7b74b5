/**
 * Checks what a caller hands in before anything is sent. What is wrong with it is said by the domain, so that it reads the
 * same wherever it is found.
 */
import { Effect, Schema } from "effect"
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

const decodeSpec = Schema.decodeUnknownEffect(TaskSpec)

/** One task; `field` names its place, such as `tasks[3]`. */
export const decodeTask = (input: unknown, field: string): Effect.Effect<TaskSpec, InvalidInput> =>
  Effect.mapError(decodeSpec(input, InputProblem.parseOptions), (error) => InputProblem.fromSchemaError(error, field))
