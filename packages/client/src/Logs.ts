/**
 * The output of a task as bytes, read in parts from the machine that has it, also while it is still being written.
 */
import { Data, Effect, Option, Stream } from "effect"
import type { OutputStream } from "@muster/domain/Manager/Directive"
import type { LogChunk } from "@muster/domain/Rpc/ManagerRpcs"
import type { TaskId } from "@muster/domain/Suite/Id"
import type { TaskDetail } from "@muster/domain/Suite/View"

const partSize = 256 * 1024
/** How soon new output is seen. */
const followInterval = "200 millis"

/** No machine has this output (any more). The tails in the task's details may still be there. */
export class LogMissing extends Data.TaggedError("LogMissing")<{
  readonly taskId: TaskId
  readonly attempt: number
  readonly stream: OutputStream
}> {
  override get message() {
    return `there is no ${this.stream} of attempt ${this.attempt} of task ${this.taskId} any more`
  }
}

/** The task has not run, so there is nothing to read. */
export class NotStarted extends Data.TaggedError("NotStarted")<{ readonly taskId: TaskId; readonly state: string }> {
  override get message() {
    return `task ${this.taskId} has not run: it is ${this.state}`
  }
}

export interface Options {
  /** Default `stdout`. */
  readonly stream?: OutputStream
  /** Default: the latest. */
  readonly attempt?: number
  /** Where to start, in bytes (default 0). */
  readonly offset?: number
  /** Wait for the task to start, and go on until the attempt has ended. */
  readonly follow?: boolean
}

interface Source<E> {
  readonly getTask: Effect.Effect<TaskDetail, E>
  readonly read: (attempt: number, offset: number, limit: number) => Effect.Effect<LogChunk, E>
}

const isSettled = (task: TaskDetail) => task.state !== "queued" && task.state !== "assigned" && task.state !== "running"

/** The number of the attempt to read: the one asked for or the latest, when it has begun. */
const findAttempt = <E>(taskId: TaskId, source: Source<E>, options: Options): Effect.Effect<number, E | NotStarted> =>
  Effect.gen(function* () {
    while (true) {
      const task = yield* source.getTask
      const latest = task.attempts.findLast(({ startedAt }) => startedAt !== null)?.number
      const wanted = options.attempt ?? latest
      if (wanted !== undefined && latest !== undefined && wanted <= latest) return wanted
      if (options.follow !== true || isSettled(task)) {
        return yield* new NotStarted({ taskId, state: task.state })
      }
      yield* Effect.sleep(followInterval)
    }
  })

export const read = <E>(
  taskId: TaskId,
  source: Source<E>,
  options: Options
): Stream.Stream<Uint8Array, E | LogMissing | NotStarted> =>
  Stream.unwrap(
    Effect.map(findAttempt(taskId, source, options), (attempt) =>
      Stream.paginate(
        options.offset ?? 0,
        Effect.fnUntraced(function* (offset) {
          const chunk = yield* source.read(attempt, offset, partSize)
          if (chunk.missing && (chunk.ended || options.follow !== true)) {
            return yield* new LogMissing({ taskId, attempt, stream: options.stream ?? "stdout" })
          }
          const next = offset + chunk.data.length
          const isComplete = next >= chunk.size && (chunk.ended || options.follow !== true)
          if (!isComplete && chunk.data.length === 0) yield* Effect.sleep(followInterval)
          return [chunk.data.length === 0 ? [] : [chunk.data], isComplete ? Option.none() : Option.some(next)] as const
        })
      )
    )
  )
