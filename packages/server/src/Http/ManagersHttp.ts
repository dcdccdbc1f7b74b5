import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Api } from "@muster/domain/Api/Api"
import type { ManagerId } from "@muster/domain/Manager/Id"
import { CurrentActor } from "@muster/domain/Rpc/Authentication"
import { Managers } from "../Managers.ts"
import { ManagerQueries } from "../ReadModels/ManagerQueries.ts"
import * as CommandId from "./CommandId.ts"

export const layer = HttpApiBuilder.group(
  Api,
  "managers",
  Effect.fn(function* (handlers) {
    const managers = yield* Managers
    const queries = yield* ManagerQueries

    const asked = (
      operation: string,
      request: {
        readonly params: { readonly id: ManagerId }
        readonly headers: CommandId.IdempotencyHeaders
      }
    ) =>
      Effect.gen(function* () {
        const { name: actor } = yield* CurrentActor
        return {
          managerId: request.params.id,
          commandId: yield* CommandId.commandId(actor, operation, request.headers),
          actor
        }
      })

    return handlers.handleAll({
      list: ({ query: { state, tag, ...filter } }) => queries.list({ ...filter, states: state, tags: tag }),
      get: ({ params }) => queries.get(params.id),
      drain: (request) =>
        Effect.gen(function* () {
          yield* managers.drain({ ...(yield* asked("drain", request)), draining: request.payload?.draining ?? true })
          return yield* queries.get(request.params.id)
        }),
      shutdown: (request) =>
        Effect.gen(function* () {
          yield* managers.shutdown({
            ...(yield* asked("shutdown", request)),
            mode: request.payload?.mode ?? "graceful"
          })
          return yield* queries.get(request.params.id)
        })
    })
  })
)
