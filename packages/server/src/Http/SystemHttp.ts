import { Effect, Option } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import type { HttpServerRequest } from "effect/http"
import { Api } from "@muster/domain/Api/Api"
import { NotReady } from "@muster/domain/Api/Problem"
import { authenticate } from "../Auth/Authentication.ts"
import { Tokens } from "../Auth/Tokens.ts"
import { CoordinatorMetrics } from "../Metrics.ts"
import { Readiness } from "./Readiness.ts"

const loopback = /^(?:127\.\d+\.\d+\.\d+|::1|::ffff:127\.\d+\.\d+\.\d+)$/

/** By these a proxy says that it passes something on. One on this machine is near, but whoever asks it may not be. */
const forwarding = ["forwarded", "x-forwarded-for", "via"]

/** Whether a request comes from this machine itself. */
const isLocal = (request: HttpServerRequest.HttpServerRequest): boolean =>
  Option.exists(request.remoteAddress, (address) => loopback.test(address)) &&
  forwarding.every((name) => request.headers[name] === undefined)

export const layer = HttpApiBuilder.group(
  Api,
  "system",
  Effect.fn(function* (handlers) {
    const readiness = yield* Readiness
    const metrics = yield* CoordinatorMetrics
    const tokens = yield* Tokens
    return handlers.handleAll({
      health: () => Effect.succeed({ status: "ok" as const }),
      ready: () =>
        Effect.gen(function* () {
          const parts = yield* readiness.check
          return Object.values(parts).every(({ ok }) => ok)
            ? { status: "ready" as const, parts }
            : yield* new NotReady({ parts })
        }),
      metrics: ({ request }) =>
        isLocal(request)
          ? metrics.render
          : Effect.andThen(authenticate(tokens, request.headers["authorization"], "admin"), metrics.render)
    })
  })
)
