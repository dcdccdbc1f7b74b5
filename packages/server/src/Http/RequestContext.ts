/**
 * What every request gets, whichever route answers it: an id, a limit for its body, and an answer in the one shape of
 * errors even when nothing else has made one.
 */
import { randomUUID } from "node:crypto"
import { ByteSize, Cause, Effect, Option } from "effect"
import type { Layer, Types } from "effect"
import { HttpEffect, HttpRouter, HttpServerError, HttpServerRequest, HttpServerResponse } from "effect/http"
import * as Socket from "effect/socket/Socket"
import { RequestId } from "@muster/domain/Api/Problem"
import { LimitCounters } from "../Limits/Counters.ts"
import * as InFlight from "../Limits/InFlight.ts"
import { Limits } from "../Limits/Limits.ts"
import { CoordinatorMetrics } from "../Metrics.ts"
import * as Answer from "./Answer.ts"
import * as KnownPaths from "./KnownPaths.ts"

/** A caller may bring its own id, if it is fit for headers and logs. */
const usableId = /^[\w.:-]{1,128}$/

const idOf = (request: HttpServerRequest.HttpServerRequest): string => {
  const given = request.headers["x-request-id"]
  return given !== undefined && usableId.test(given) ? given : randomUUID()
}

const pathOf = (request: HttpServerRequest.HttpServerRequest): string => request.url.split(/[?#]/, 1)[0] ?? request.url

const declaredSize = (request: HttpServerRequest.HttpServerRequest): number =>
  Number(request.headers["content-length"] ?? 0)

const addressOf = (request: HttpServerRequest.HttpServerRequest): string =>
  Option.getOrElse(request.remoteAddress, () => "")

const isJson = (response: HttpServerResponse.HttpServerResponse): boolean =>
  response.headers["content-type"]?.startsWith("application/json") === true

/** Gives errors without a proper body one. */
const completed = (
  request: HttpServerRequest.HttpServerRequest,
  response: HttpServerResponse.HttpServerResponse,
  requestId: string,
  maxBody: number
): HttpServerResponse.HttpServerResponse => {
  const { status } = response
  if (status < 400 || isJson(response)) return response
  const path = pathOf(request)
  const allowed = status === 404 ? KnownPaths.methodsOf(path) : []
  if (allowed.length > 0) return Answer.methodNotAllowed(request.method, path, allowed, requestId)
  if (status === 400) return Answer.unreadable(requestId)
  if (status === 503) return Answer.stopping(requestId)
  if (status === 404) return Answer.notFound(path, requestId)
  if (status === 413) return Answer.tooLarge(Math.max(declaredSize(request), maxBody + 1), maxBody, requestId)
  if (status === 415) return Answer.unsupportedMediaType(request.headers["content-type"], requestId)
  return Answer.internalError(status, requestId)
}

/** RFC 9110 asks for it, and some clients ask for the token only then. */
const challenged = (response: HttpServerResponse.HttpServerResponse): HttpServerResponse.HttpServerResponse =>
  response.status === 401 ? HttpServerResponse.setHeader(response, "www-authenticate", "Bearer") : response

/** Requests that broke off or are too large end as defects, as do sockets on which no WebSocket is spoken, and are none. */
const isBug = (reason: Cause.Reason<unknown>): boolean =>
  Cause.isDieReason(reason) && !HttpServerError.isHttpServerError(reason.defect) && !Socket.isSocketError(reason.defect)

/** Bugs are told to the log, not to the caller. */
const logBugs = (cause: Cause.Cause<unknown>) =>
  cause.reasons.some(isBug) ? Effect.logError("a request failed because of a bug", cause) : Effect.void

export const layer: Layer.Layer<never, never, HttpRouter.HttpRouter | CoordinatorMetrics> = HttpRouter.middleware(
  Effect.gen(function* () {
    const metrics = yield* CoordinatorMetrics
    const { body: maxBody } = yield* Limits
    const counters = yield* LimitCounters
    const within = yield* InFlight.perAddress
    return (effect: Effect.Effect<HttpServerResponse.HttpServerResponse, Types.unhandled>) =>
      Effect.gen(function* () {
        const request = yield* HttpServerRequest.HttpServerRequest
        const requestId = idOf(request)
        yield* HttpEffect.appendPreResponseHandler((_request, response) =>
          Effect.sync(() => {
            const answer = challenged(completed(request, response, requestId, maxBody))
            metrics.answered(answer.status)
            if (answer.status === 413) counters.refuse("body")
            return HttpServerResponse.setHeader(answer, "x-request-id", requestId)
          })
        )
        if (declaredSize(request) > maxBody) return Answer.tooLarge(declaredSize(request), maxBody, requestId)
        const answered = effect.pipe(
          Effect.tapCause(logBugs),
          Effect.annotateLogs({ requestId, method: request.method, path: pathOf(request) }),
          Effect.provideService(RequestId, requestId),
          Effect.provideService(HttpServerRequest.MaxBodySize, ByteSize.fromInputUnsafe(maxBody))
        )
        // A WebSocket is a request for as long as it is open; what goes over it has limits of its own.
        return yield* request.headers["upgrade"] === undefined
          ? within(addressOf(request), answered, (tooMany) => Answer.tooMany(tooMany, requestId))
          : answered
      })
  }),
  { global: true }
)
