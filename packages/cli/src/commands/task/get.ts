import { Effect } from "effect"
import { Command } from "effect/cli"
import * as Output from "../../Output.ts"
import * as Params from "../../Params.ts"
import * as Screen from "../../Screen.ts"
import * as Session from "../../Session.ts"
import * as Tasks from "../../views/Tasks.ts"
import * as Watching from "../../Watching.ts"

const params = { task: Params.task, watch: Params.watch }

const handler = Effect.fn("task.get")(function* ({ task, watch }: Command.Command.Config.Infer<typeof params>) {
  const id = yield* task
  const format = yield* Session.format
  const { out } = yield* Screen.Screen
  const lines = Tasks.details(out.columns())
  yield* Session.use((client) =>
    Watching.show(
      watch,
      Effect.flatMap(client.getTask(id), (found) => Output.one(format, { id: () => id }, found, lines))
    )
  )
})

export const get = Command.make("get", params, handler).pipe(
  Command.withDescription("Show a task: what it does, its attempts, the end of its output")
)
