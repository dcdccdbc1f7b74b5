/**
 * Checks what a caller hands in before anything is sent, and says of bad input which field it is, what its value was and
 * what is allowed.
 */
import { Effect, Predicate, Schema, SchemaIssue } from "effect"
import { InvalidInput } from "@muster/domain/Errors"
import { CommandSpec, HandlerSpec } from "@muster/domain/Task/Spec"
import type { TaskSpec } from "@muster/domain/Task/Spec"

const formatIssue = SchemaIssue.makeFormatterStandardSchemaV1()

const maxValueLength = 200

/** A value as JSON, cut so that it fits a line. */
const show = (value: unknown): string => {
  const json = JSON.stringify(value) ?? "missing"
  return json.length <= maxValueLength ? json : `${json.slice(0, maxValueLength)}…`
}

type Path = ReadonlyArray<PropertyKey | { readonly key: PropertyKey }>

const keyOf = (segment: Path[number]): PropertyKey => (typeof segment === "object" ? segment.key : segment)

const formatField = (field: string, path: Path): string => {
  let text = field
  for (const segment of path) {
    const key = keyOf(segment)
    if (typeof key === "number") text += `[${key}]`
    else text += text === "" ? String(key) : `.${String(key)}`
  }
  return text
}

const valueAt = (input: unknown, path: Path): unknown =>
  path.reduce<unknown>((value, segment) => {
    const key = keyOf(segment)
    return Predicate.hasProperty(value, key) ? value[key] : undefined
  }, input)

/** The domain error for the first thing that is wrong with `input`. `field` names where `input` itself stands. */
export const invalid = (error: Schema.SchemaError, input: unknown, field: string): InvalidInput => {
  const [issue] = formatIssue(error.issue).issues
  const path = issue?.path ?? []
  const message = issue?.message ?? error.message
  return new InvalidInput({
    field: formatField(field, path),
    value: show(valueAt(input, path)),
    expected: message
      .replace(/, got [\s\S]*$/, "")
      .replace(/^Expected /, "")
      .replace(/^no excess property$/, "no field of this name")
      .replace(/^Missing key$/, "a value; it is required")
  })
}

/** Unknown fields are refused: a misspelt `timeuot` that silently means "no timeout" helps nobody. */
const options = { onExcessProperty: "error" } as const

/** Decodes `input` or fails with the domain's own error. */
export const decode = <A, I>(schema: Schema.Codec<A, I>, field = "") => {
  const decodeUnknown = Schema.decodeUnknownEffect(schema)
  return (input: unknown): Effect.Effect<A, InvalidInput> =>
    Effect.mapError(decodeUnknown(input, options), (error) => invalid(error, input, field))
}

const decodeCommand = Schema.decodeUnknownEffect(CommandSpec)
const decodeHandler = Schema.decodeUnknownEffect(HandlerSpec)

/** One task. The kind is decided by its field `handler`, so that errors speak of the kind that was meant. */
export const decodeTask = (input: unknown, field: string): Effect.Effect<TaskSpec, InvalidInput> =>
  Effect.mapError(
    Effect.suspend((): Effect.Effect<TaskSpec, Schema.SchemaError> =>
      Predicate.hasProperty(input, "handler") ? decodeHandler(input, options) : decodeCommand(input, options)
    ),
    (error) => invalid(error, input, field)
  )
