/**
 * Tasks from the manager that started this worker, over its Unix socket.
 */
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import { Cause, Effect, Layer, Schedule, Stream } from "effect"
import * as RpcClient from "effect/rpc/RpcClient"
import type { SocketError } from "effect/socket/Socket"
import * as Serialization from "@muster/domain/Rpc/Serialization"
import { WorkerRpcs } from "@muster/domain/Rpc/WorkerRpcs"
import { SourceLost, TaskSource } from "./TaskSource.ts"
import { WorkerConfig } from "./WorkerConfig.ts"

/** Directives that may wait to be read. They are few and small. */
const directiveBuffer = 64

/**
 * One connection for the worker's life: when it breaks the manager is gone and there is nothing to connect to again. That
 * it breaks is seen from the socket itself, so pings would only mistake a manager that is busy or stopped for a dead one.
 */
const protocol = Layer.unwrap(
  Effect.map(WorkerConfig, ({ socket }) =>
    Layer.effect(
      RpcClient.Protocol,
      RpcClient.makeProtocolSocket({ retryPolicy: Schedule.recurs(0), pingInterval: "365 days" })
    ).pipe(Layer.provide([NodeSocket.layerNet({ path: socket }), Serialization.layer]))
  )
)

export const layer: Layer.Layer<TaskSource, SocketError, WorkerConfig> = Layer.effect(
  TaskSource,
  Effect.gen(function* () {
    const { slot } = yield* WorkerConfig
    // No spans: a task that takes microseconds must not cost more to watch than to run.
    const client = yield* RpcClient.make(WorkerRpcs, { disableTracing: true })
    // Whatever ends a call, also a server that goes down in good order: without an answer the manager is gone.
    const lost = (cause: Cause.Cause<unknown>) => Effect.fail(new SourceLost({ cause: Cause.squash(cause) }))
    return TaskSource.of({
      attach: (handlers) =>
        Stream.catchCause(
          client.Attach({ slot, pid: process.pid, handlers }, { streamBufferSize: directiveBuffer }),
          (cause) => Stream.fromEffect(lost(cause))
        ),
      next: (max, ended) => Effect.catchCause(client.Next({ slot, max, ended }), lost),
      ended: (ended) => Effect.catchCause(client.Ended({ slot, ended }), lost),
      started: (items) => Effect.catchCause(client.Started({ slot, items }), lost),
      giveBack: (items) => Effect.catchCause(client.GiveBack({ slot, items }), lost),
      beat: Effect.catchCause(client.Beat({ slot }), lost)
    })
  })
).pipe(Layer.provide(protocol))
