import { Effect, Option, Stream } from "effect"
import { Command, Flag } from "effect/cli"
import type { OutputStream } from "@muster/domain/Manager/Directive"
import type { TaskId } from "@muster/domain/Suite/Id"
import * as Params from "../../Params.ts"
import * as Screen from "../../Screen.ts"
import * as Session from "../../Session.ts"

const params = {
  task: Params.task,
  follow: Flag.Boolean("follow").pipe(
    Flag.withAlias("f"),
    Flag.withDescription("Wait for the task to start, and go on until it has ended"),
    Flag.withDefault(false)
  ),
  stream: Flag.Literals("stream", ["stdout", "stderr", "both"]).pipe(
    Flag.withDescription("Which output; each goes to its own side (default both)"),
    Flag.withDefault("both")
  ),
  attempt: Params.wholeNumber("attempt", "Number of the attempt (default: the latest)", 1, 1_000_000).pipe(
    Flag.optional
  )
}

type Values = Command.Command.Config.Infer<typeof params>

const streamsOf = (stream: Values["stream"]): ReadonlyArray<OutputStream> =>
  stream === "both" ? ["stdout", "stderr"] : [stream]

/** The whole output of one stream; when no machine has it any more, the end of it that the task's record holds. */
const read = (client: Session.Client, id: TaskId, stream: OutputStream, { attempt, follow }: Values) => {
  const number = Option.getOrUndefined(attempt)
  return client.logs(id, { stream, follow, ...(number === undefined ? {} : { attempt: number }) }).pipe(
    Stream.catchTag(["LogMissing", "ManagerOffline", "ManagerNotFound"], (error) =>
      Stream.fromEffect(
        Effect.gen(function* () {
          const task = yield* client.getTask(id)
          const found = task.attempts.findLast((one) => number === undefined || one.number === number)
          const tail = found?.[stream] ?? ""
          if (tail === "" && stream === "stderr") return new Uint8Array()
          yield* Screen.note(`muster: ${error.message}; this is the end of ${stream} as it was recorded`)
          return new TextEncoder().encode(tail)
        })
      )
    )
  )
}

const handler = Effect.fn("task.logs")(function* (values: Values) {
  const id = yield* values.task
  const format = yield* Session.format
  const { err, out } = yield* Screen.Screen
  const streams = streamsOf(values.stream)
  yield* Session.use(
    (client) =>
      Effect.gen(function* () {
        if (format === "json" || format === "jsonl") {
          const texts = yield* Effect.forEach(streams, (stream) =>
            read(client, id, stream, values).pipe(
              Stream.decodeText,
              Stream.mkString,
              Effect.map((text) => [stream, text] as const)
            )
          )
          const object = { id, ...Object.fromEntries(texts) }
          return yield* Screen.print(JSON.stringify(object, undefined, format === "json" ? 2 : undefined))
        }
        const [only] = streams
        yield* Effect.forEach(
          streams,
          (stream) => {
            // Asked for alone, a stream is the result, whichever it is.
            const target = stream === "stdout" || (streams.length === 1 && only === stream) ? out : err
            return Stream.runForEach(read(client, id, stream, values), target.write)
          },
          // Live, both have to come as they are written; otherwise one after the other keeps them apart.
          { concurrency: values.follow ? streams.length : 1, discard: true }
        )
      }),
    values.follow ? Session.longPatience : undefined
  )
})

export const logs = Command.make("logs", params, handler).pipe(
  Command.withDescription("Print the output of a task, byte for byte"),
  Command.withExamples([
    { command: "muster task logs -f 06a1b2c3d4e5f6g7.0", description: "Follow the first task of a suite" }
  ])
)
