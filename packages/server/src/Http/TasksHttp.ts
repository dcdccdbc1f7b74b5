import { Effect, Option, Stream } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Api } from "@muster/domain/Api/Api"
import { LogNotFound } from "@muster/domain/Api/Problem"
import { CurrentActor } from "@muster/domain/Rpc/Authentication"
import { parseTaskId } from "@muster/domain/Suite/Id"
import type { TaskId } from "@muster/domain/Suite/Id"
import { TaskExplanations } from "../ReadModels/TaskExplanations.ts"
import { TaskLogs } from "../ReadModels/TaskLogs.ts"
import type { LogRange } from "../ReadModels/TaskLogs.ts"
import { TaskQueries } from "../ReadModels/TaskQueries.ts"
import { Suites } from "../Suites.ts"
import * as CommandId from "./CommandId.ts"

/** Bytes of a log that are asked for at once: what an RPC may ask for. */
const chunkSize = 1024 ** 2

const noReason = "asked for over HTTP"

export const layer = HttpApiBuilder.group(
  Api,
  "tasks",
  Effect.fn(function* (handlers) {
    const suites = yield* Suites
    const queries = yield* TaskQueries
    const explanations = yield* TaskExplanations
    const logs = yield* TaskLogs

    const asked = (
      operation: string,
      request: {
        readonly params: { readonly id: TaskId }
        readonly headers: CommandId.IdempotencyHeaders
      }
    ) =>
      Effect.gen(function* () {
        const { name: actor } = yield* CurrentActor
        const { index, suiteId } = parseTaskId(request.params.id)
        return {
          suiteId,
          tasks: [index],
          commandId: yield* CommandId.commandId(actor, `${operation} ${index}`, request.headers),
          actor
        }
      })

    /**
     * What is there now, and no more: a log that grows while it is read would never end. The first part is read before
     * the answer begins, so that errors still have their status.
     */
    const readLog = Effect.fnUntraced(function* (range: LogRange) {
      const first = yield* logs.read({ ...range, limit: Math.min(range.limit, chunkSize) })
      if (first.missing)
        return yield* new LogNotFound({ taskId: range.taskId, reason: "no attempt, or not kept any more" })
      const end = Math.min(range.offset + range.limit, first.size)
      const rest = Stream.paginate(range.offset + first.data.length, (offset) =>
        offset >= end
          ? Effect.succeed([[], Option.none<number>()] as const)
          : Effect.map(logs.read({ ...range, offset, limit: Math.min(end - offset, chunkSize) }), ({ data }) => {
              const next = data.length === 0 ? Option.none<number>() : Option.some(offset + data.length)
              return [[data], next] as const
            })
      )
      return Stream.concat(Stream.make(first.data), rest)
    })

    return handlers.handleAll({
      get: ({ params }) => queries.detail(params.id),
      explain: ({ params, query }) => explanations.explain(params.id, query.at),
      cancel: (request) =>
        Effect.flatMap(asked("cancel", request), (ask) =>
          suites.cancelTasks({ ...ask, reason: request.payload?.reason ?? noReason })
        ),
      retry: (request) => Effect.flatMap(asked("retry", request), suites.retry),
      log: ({ params, query }) =>
        readLog({
          taskId: params.id,
          stream: params.stream,
          attempt: query.attempt,
          offset: query.offset ?? 0,
          limit: query.limit ?? Number.MAX_SAFE_INTEGER
        })
    })
  })
)
