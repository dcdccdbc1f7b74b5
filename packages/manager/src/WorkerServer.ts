/**
 * Answers the calls of workers on the Unix socket.
 *
 * What a call hands in is taken in the handler function itself, before any fiber runs: when a worker's connection closes,
 * the fibers of its last calls are interrupted, and results must not go with them.
 */
import { NodeSocket, NodeSocketServer } from "@effect/platform-node"
import { Effect, Layer, References, Stream } from "effect"
import { RpcServer } from "effect/rpc"
import type { SocketServer } from "effect/socket"
import * as EndedSockets from "@muster/domain/Rpc/EndedSockets"
import * as Serialization from "@muster/domain/Rpc/Serialization"
import { WorkerRpcs } from "@muster/domain/Rpc/WorkerRpcs"
import type { WorkItem } from "@muster/domain/Rpc/WorkLists"
import { Machine } from "./Machine.ts"
import { Prefetch } from "./Prefetch.ts"
import { Reporter } from "./Reporter.ts"
import { WorkerPool } from "./WorkerPool.ts"

/** What a worker is answered, whatever carries its calls. */
export const answers = WorkerRpcs.toLayer(
  Effect.gen(function* () {
    const { calls } = yield* WorkerPool
    const { buffer } = yield* Prefetch
    const reporter = yield* Reporter

    return WorkerRpcs.of({
      Attach: ({ handlers, slot }, { client }) => {
        const concurrency = new Map(handlers.map((handler) => [handler.name, handler.concurrency]))
        // Nobody expects this worker. The end of its stream tells it to go.
        return calls.attach(client.id, slot, concurrency) ?? Stream.empty
      },
      Next: ({ ended, max, slot: number }, { client }) => {
        const slot = calls.slotOf(client.id, number)
        if (slot === undefined) return Effect.never
        calls.ended(slot, ended)
        if (slot.isStopping) return Effect.succeed([])
        return Effect.callback<ReadonlyArray<WorkItem>>((resume) => {
          const withdraw = buffer.take(slot, max, (items) => resume(Effect.succeed(items)))
          return withdraw === undefined ? undefined : Effect.sync(withdraw)
        })
      },
      Ended: ({ ended, slot: number }, { client }) => {
        const slot = calls.slotOf(client.id, number)
        if (slot !== undefined) calls.ended(slot, ended)
        return Effect.void
      },
      GiveBack: ({ items, slot: number }, { client }) => {
        const slot = calls.slotOf(client.id, number)
        if (slot !== undefined) calls.givenBack(slot, items)
        return Effect.void
      },
      Started: ({ items, slot: number }, { client }) => {
        const slot = calls.slotOf(client.id, number)
        for (const { attempt, index, startedAt, suiteId } of items) {
          const one = slot?.held.get(index)
          if (one === undefined || one.item.attempt !== attempt || one.item.suiteId !== suiteId) continue
          one.startedAt = startedAt
          reporter.started(suiteId, [[index, attempt, startedAt]])
        }
        return Effect.void
      },
      Beat: ({ slot: number }, { client }) => {
        const slot = calls.slotOf(client.id, number)
        if (slot !== undefined) slot.lastBeat = performance.now()
        return Effect.void
      }
    })
  })
)

const server = Layer.unwrap(
  Effect.gen(function* () {
    const { socketPath } = yield* Machine
    const { calls } = yield* WorkerPool
    return RpcServer.layer(WorkerRpcs, {
      disableTracing: true,
      // A defect of one call is that call's.
      disableFatalDefects: true,
      onDisconnect: (clientId) => Effect.sync(() => calls.disconnected(clientId))
    }).pipe(
      Layer.provide(RpcServer.layerProtocolSocketServer),
      Layer.provide(Serialization.layer),
      Layer.provide(
        EndedSockets.layer(NodeSocketServer.layer({ path: socketPath }), Effect.serviceOption(NodeSocket.NetSocket))
      ),
      // A worker that ends in the middle of a call breaks its connection. What that means is for the pool to say.
      Layer.provide(Layer.succeed(References.UnhandledLogLevel, "Debug"))
    )
  })
)

export const layer: Layer.Layer<never, SocketServer.SocketServerError, Machine | Prefetch | Reporter | WorkerPool> =
  server.pipe(Layer.provide(answers))
