/**
 * What a schema refused, as an error that names field, value and what is allowed.
 */
import { Cause, Effect } from "effect"
import type { Layer, SchemaIssue } from "effect"
import { HttpServerRequest } from "effect/http"
import { HttpApiMiddleware } from "effect/http-api"
import { InputErrors } from "@muster/domain/Api/Authorization"
import * as InputProblem from "@muster/domain/Api/InputProblem"
import { InvalidInput } from "@muster/domain/Errors"
import * as JsonSyntax from "./JsonSyntax.ts"

/** The one issue that has neither an input nor a path: the body was no JSON, so no schema has seen it. */
const isNoJson = (issue: SchemaIssue.Issue): boolean =>
  issue._tag === "InvalidValue" && issue.annotations?.["message"] === "Expected a valid JSON body"

const invalidJson = Effect.gen(function* () {
  const request = yield* HttpServerRequest.HttpServerRequest
  // Read before, so it is at hand.
  const text = yield* Effect.orDie(request.text)
  return yield* new InvalidInput({ field: "", value: JsonSyntax.describe(text), expected: "JSON" })
})

export const layer: Layer.Layer<InputErrors> = HttpApiMiddleware.layerSchemaErrorTransform(InputErrors, (error) => {
  switch (error.kind) {
    case "Body":
    case "ResponseHeaders":
      // Our own answer does not fit our own schema.
      return Effect.failCause(Cause.die(error))
    case "Payload":
      return isNoJson(error.cause.issue) ? invalidJson : Effect.fail(InputProblem.fromSchemaError(error.cause))
    case "Headers":
    case "Params":
    case "Query":
      return Effect.fail(InputProblem.fromSchemaError(error.cause))
  }
})
