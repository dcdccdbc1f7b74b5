/**
 * Answers to requests that never came to an endpoint, or that ended without an answer: in the same shape as all others.
 */
import { HttpServerResponse } from "effect/http"
import * as Problem from "@muster/domain/Api/Problem"
import { InvalidInput, TooLarge, Unavailable } from "@muster/domain/Errors"
import type { TooMany } from "../Limits/InFlight.ts"

const body = (status: number, problem: Problem.Problem) => HttpServerResponse.jsonUnsafe(problem, { status })

/** The rest of such a body is not read, so the connection cannot be used again. */
export const tooLarge = (size: number, most: number, requestId: string): HttpServerResponse.HttpServerResponse => {
  const { _tag, limit, message, what } = new TooLarge({ what: "the body", size, limit: most })
  const problem = { error: { code: _tag, message, details: { what, size, limit }, request_id: requestId } }
  return HttpServerResponse.setHeader(body(413, problem), "connection", "close")
}

/** Who asks too much at once is told how much is allowed, and may ask again in a moment. */
export const tooMany = ({ limit, reason, status }: TooMany, requestId: string): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.setHeader(
    body(status, Problem.make("TooManyRequests", reason, { limit }, requestId)),
    "retry-after",
    "1"
  )

export const notFound = (path: string, requestId: string): HttpServerResponse.HttpServerResponse =>
  body(404, Problem.make("NotFound", `there is no ${path}; see /docs`, { path }, requestId))

export const forbidden = (reason: string, requestId: string): HttpServerResponse.HttpServerResponse =>
  body(403, Problem.make("Forbidden", reason, {}, requestId))

export const methodNotAllowed = (
  method: string,
  path: string,
  allowed: ReadonlyArray<string>,
  requestId: string
): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.setHeader(
    body(
      405,
      Problem.make(
        "MethodNotAllowed",
        `${path} does not take ${method}; allowed: ${allowed.join(", ")}`,
        { method, path, allowed },
        requestId
      )
    ),
    "allow",
    allowed.join(", ")
  )

export const unsupportedMediaType = (
  contentType: string | undefined,
  requestId: string
): HttpServerResponse.HttpServerResponse =>
  body(
    415,
    Problem.make(
      "UnsupportedMediaType",
      `the body is ${contentType ?? "of an unknown type"}; allowed: application/json`,
      { contentType: contentType ?? null, allowed: ["application/json"] },
      requestId
    )
  )

/** The request could not be read: it broke off, or is no HTTP that we know. */
export const unreadable = (requestId: string): HttpServerResponse.HttpServerResponse => {
  const details = { field: "", value: "unreadable", expected: "a complete request" }
  const { _tag, message } = new InvalidInput(details)
  return body(400, { error: { code: _tag, message, details, request_id: requestId } })
}

/** The request was cut off because the coordinator stops. */
export const stopping = (requestId: string): HttpServerResponse.HttpServerResponse => {
  const details = { reason: "the coordinator is shutting down" }
  const { _tag, message } = new Unavailable(details)
  return body(503, { error: { code: _tag, message, details, request_id: requestId } })
}

/** A bug: what happened stands in the log under the request's id, not here. */
export const internalError = (status: number, requestId: string): HttpServerResponse.HttpServerResponse =>
  body(
    status,
    Problem.make(
      "InternalError",
      "the coordinator could not answer because of an error of its own; its log says more under this request's id",
      {},
      requestId
    )
  )
