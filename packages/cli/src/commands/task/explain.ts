import { Clock, Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import * as Moment from "@muster/domain/Moment"
import * as Failure from "../../Failure.ts"
import * as Output from "../../Output.ts"
import * as Params from "../../Params.ts"
import * as Screen from "../../Screen.ts"
import * as Session from "../../Session.ts"
import * as Explanations from "../../views/Explanations.ts"

const params = {
  task: Params.task,
  at: Flag.String("at").pipe(
    Flag.withMetavar("TIME"),
    Flag.withDescription("Another time than now: 2026-11-24T18:20:00Z, or 10m for ten minutes ago"),
    Flag.optional
  )
}

const handler = Effect.fn("task.explain")(function* ({ at, task }: Command.Command.Config.Infer<typeof params>) {
  const id = yield* task
  const format = yield* Session.format
  const { out } = yield* Screen.Screen
  const now = yield* Clock.currentTimeMillis
  if (Option.isSome(at) && Moment.parse(at.value, now) === undefined) {
    return yield* Failure.usage(`--at is ${JSON.stringify(at.value)}; allowed: ${Moment.expected}`)
  }
  const lines = Explanations.details(out.columns())
  yield* Session.use((client) =>
    Effect.flatMap(client.explainTask(id, Option.isSome(at) ? { at: at.value } : {}), (found) =>
      Output.one(format, { id: () => id }, found, lines)
    )
  )
})

export const explain = Command.make("explain", params, handler).pipe(
  Command.withDescription("Say why a task is in its state, now or at a past time, from the events"),
  Command.withExamples([
    { command: "muster task explain 06a1b2c3d4e5f6g7.0", description: "Why it has not run yet" },
    { command: "muster task explain 06a1b2c3d4e5f6g7.0 --at 10m", description: "How it was ten minutes ago" }
  ])
)
