/**
 * Typed work: inputs go to a handler by its definition, outputs and failures come back with the types it declares.
 */
import { Effect, Predicate, Schema, Stream } from "effect"
import * as InputProblem from "@muster/domain/Api/InputProblem"
import type { InvalidInput } from "@muster/domain/Errors"
import type { Handler } from "@muster/domain/Handler"
import type { TaskId } from "@muster/domain/Suite/Id"
import type { TaskResult } from "@muster/domain/Suite/View"
import type { HandlerSpec } from "@muster/domain/Task/Spec"
import { HandlerBroke } from "./Errors.ts"

/** What a task of a handler came to. */
export type HandlerResult<Output, Failure> =
  | { readonly _tag: "Succeeded"; readonly index: number; readonly taskId: TaskId; readonly output: Output }
  /** The failure that the handler declared. */
  | { readonly _tag: "Failed"; readonly index: number; readonly taskId: TaskId; readonly failure: Failure }
  /** It did not answer: it threw, hung, crashed or was cancelled. */
  | { readonly _tag: "Broke"; readonly index: number; readonly taskId: TaskId; readonly error: HandlerBroke }

/** Settings of a task besides what it does. */
export type Settings = Omit<(typeof HandlerSpec)["Encoded"], "handler" | "input">

/** A task for each input. An input that the handler's schema refuses fails with its place. */
export const toTasks = <Name extends string, Input, Output, Failure, E, R>(
  handler: Handler<Name, Input, Output, Failure>,
  inputs: Stream.Stream<Input, E, R>,
  settings: Settings = {}
): Stream.Stream<(typeof HandlerSpec)["Encoded"], E | InvalidInput, R> => {
  const encode = Schema.encodeEffect(Schema.toCodecJson(handler.input), InputProblem.parseOptions)
  let place = 0
  return Stream.mapEffect(inputs, (input) => {
    const field = `inputs[${place++}]`
    return encode(input).pipe(
      Effect.mapBoth({
        onSuccess: (json) => ({ ...settings, handler: handler.name, input: json }),
        onFailure: (error) => InputProblem.fromSchemaError(error, field)
      })
    )
  })
}

const broke = (result: TaskResult, reason: string) =>
  new HandlerBroke({ taskId: result.id, outcome: result.outcome, reason })

/** Why a handler's task has no answer, in one line. */
const explain = (result: TaskResult): string => {
  if (result.message !== null) return result.message
  if (result.signal !== null) return `ended by ${result.signal}`
  return result.exitCode === null ? "no answer" : `exit code ${result.exitCode}`
}

/** Reads a settled task as an answer of its handler. */
export const toResult = <Name extends string, Input, Output, Failure>(
  handler: Handler<Name, Input, Output, Failure>
): ((result: TaskResult) => Effect.Effect<HandlerResult<Output, Failure>>) => {
  const decodeOutput = Schema.decodeUnknownEffect(Schema.toCodecJson(handler.output))
  const decodeFailure = Schema.decodeUnknownEffect(Schema.toCodecJson(handler.failure))
  return (result) => {
    const task = { index: result.index, taskId: result.id }
    const unreadable = (what: string) => (error: Schema.SchemaError) =>
      Effect.succeed({
        _tag: "Broke" as const,
        ...task,
        error: broke(result, `its ${what} does not fit the handler's schema: ${error.message.replaceAll("\n", " ")}`)
      })
    if (result.state === "succeeded") {
      return decodeOutput(result.output).pipe(
        Effect.map((output) => ({ _tag: "Succeeded" as const, ...task, output })),
        Effect.catch(unreadable("output"))
      )
    }
    // A declared failure comes with its value; whatever else ended the task has none.
    if (result.outcome === "failed" && Predicate.isNotNull(result.output)) {
      return decodeFailure(result.output).pipe(
        Effect.map((failure) => ({ _tag: "Failed" as const, ...task, failure })),
        Effect.catch(unreadable("failure"))
      )
    }
    return Effect.succeed({ _tag: "Broke" as const, ...task, error: broke(result, explain(result)) })
  }
}
