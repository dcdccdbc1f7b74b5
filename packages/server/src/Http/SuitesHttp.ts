import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Api } from "@muster/domain/Api/Api"
import { CurrentActor } from "@muster/domain/Rpc/Authentication"
import { SuiteQueries } from "../ReadModels/SuiteQueries.ts"
import { TaskQueries } from "../ReadModels/TaskQueries.ts"
import * as InputNesting from "../Rpc/InputNesting.ts"
import { Suites } from "../Suites.ts"
import type { Asked } from "../Suites.ts"
import * as CommandId from "./CommandId.ts"

/** Why a suite is cancelled when the caller does not say. */
const noReason = "asked for over HTTP"

export const layer = HttpApiBuilder.group(
  Api,
  "suites",
  Effect.fn(function* (handlers) {
    const suites = yield* Suites
    const queries = yield* SuiteQueries
    const tasks = yield* TaskQueries

    /** What every command carries beside itself. */
    const asked = (
      operation: string,
      request: {
        readonly params: { readonly id: Asked["suiteId"] }
        readonly headers: CommandId.IdempotencyHeaders
      }
    ) =>
      Effect.gen(function* () {
        const { name: actor } = yield* CurrentActor
        return {
          suiteId: request.params.id,
          commandId: yield* CommandId.commandId(actor, operation, request.headers),
          actor
        }
      })

    return handlers.handleAll({
      create: ({ headers, payload: { id, ...spec } }) =>
        Effect.gen(function* () {
          const { name: actor } = yield* CurrentActor
          const suiteId = yield* CommandId.suiteId(actor, headers, id)
          return yield* suites.create({
            suiteId,
            spec,
            actor,
            commandId: yield* CommandId.commandId(actor, "create", headers)
          })
        }),
      list: ({ query: { label, state, tag, ...filter } }) =>
        queries.list({ ...filter, labels: label, states: state, tags: tag }),
      get: ({ params }) => queries.detail(params.id),
      submit: (request) =>
        Effect.gen(function* () {
          yield* InputNesting.check(request.payload, (place) => `[${place}]`)
          return yield* suites.submit({ ...(yield* asked("submit", request)), tasks: request.payload })
        }),
      listTasks: ({ params, query: { label, state, ...filter } }) =>
        tasks.list({ ...filter, suiteId: params.id, labels: label, states: state }),
      close: (request) => Effect.flatMap(asked("close", request), suites.close),
      pause: (request) => Effect.flatMap(asked("pause", request), suites.pause),
      resume: (request) => Effect.flatMap(asked("resume", request), suites.resume),
      cancel: (request) =>
        Effect.flatMap(asked("cancel", request), (ask) =>
          suites.cancel({
            ...ask,
            mode: request.payload?.mode ?? "graceful",
            reason: request.payload?.reason ?? noReason
          })
        ),
      retry: (request) =>
        Effect.flatMap(asked("retry", request), (ask) =>
          suites.retry({ ...ask, tasks: request.payload?.tasks ?? "failed" })
        )
    })
  })
)
