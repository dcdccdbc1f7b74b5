/**
 * What an attempt wrote. The text stands in a file on the machine of its manager. Output that fits into the result
 * entirely is answered from there, so that it can be read whatever became of the machine.
 */
import { Context, Effect, Layer } from "effect"
import type { Unavailable } from "@muster/domain/Errors"
import type { OutputStream } from "@muster/domain/Manager/Directive"
import type { ManagerNotFound, ManagerOffline } from "@muster/domain/Manager/Errors"
import type { LogChunk } from "@muster/domain/Rpc/ManagerRpcs"
import type { TaskNotFound } from "@muster/domain/Suite/Errors"
import type { TaskId } from "@muster/domain/Suite/Id"
import { Managers } from "../Managers.ts"
import { TaskQueries } from "./TaskQueries.ts"
import type { LogPlace } from "./TaskQueries.ts"

export interface LogRange {
  readonly taskId: TaskId
  /** Default: the latest. */
  readonly attempt?: number | undefined
  readonly stream: OutputStream
  readonly offset: number
  readonly limit: number
}

export class TaskLogs extends Context.Service<
  TaskLogs,
  {
    /** Up to `limit` bytes from `offset`. `missing` when nothing has run yet. */
    readonly read: (
      range: LogRange
    ) => Effect.Effect<LogChunk, TaskNotFound | ManagerNotFound | ManagerOffline | Unavailable>
  }
>()("@muster/server/ReadModels/TaskLogs") {}

const nothing: LogChunk = { data: new Uint8Array(0), size: 0, ended: false, missing: true }

/**
 * The whole output, if the result holds it byte by byte: U+FFFD may stand for bytes that are no UTF-8, and an attempt
 * that was not reported to its end says nothing of what it wrote.
 */
const wholeOutput = (place: LogPlace): Buffer | undefined =>
  place.ended && place.reported && place.bytes === null && !place.tail.includes("\uFFFD")
    ? Buffer.from(place.tail)
    : undefined

export const make = Effect.gen(function* () {
  const tasks = yield* TaskQueries
  const managers = yield* Managers

  const read = Effect.fn("TaskLogs.read")(function* ({ attempt, limit, offset, stream, taskId }: LogRange) {
    const place = yield* tasks.logPlace(taskId, stream, attempt)
    if (place === undefined || place.manager === null) return nothing
    const whole = wholeOutput(place)
    if (whole === undefined) {
      const { index, manager, suiteId } = place
      return yield* managers.readLog({
        managerId: manager,
        suiteId,
        index,
        attempt: place.attempt,
        stream,
        offset,
        limit
      })
    }
    const data = new Uint8Array(whole.subarray(offset, offset + limit))
    return { data, size: whole.length, ended: true, missing: false }
  })

  return TaskLogs.of({ read })
})

export const layer: Layer.Layer<TaskLogs, never, TaskQueries | Managers> = Layer.effect(TaskLogs, make)
