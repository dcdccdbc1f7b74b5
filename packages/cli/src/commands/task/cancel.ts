import { Effect } from "effect"
import { Command, Flag } from "effect/cli"
import * as Output from "../../Output.ts"
import * as Session from "../../Session.ts"
import * as Show from "../../Show.ts"
import * as Several from "./Several.ts"

const params = {
  tasks: Several.tasks,
  reason: Flag.String("reason").pipe(
    Flag.withMetavar("TEXT"),
    Flag.withDescription("Why, for the history"),
    Flag.withDefault("")
  )
}

const handler = Effect.fn("task.cancel")(function* ({ reason, tasks }: Command.Command.Config.Infer<typeof params>) {
  const ids = yield* Effect.all(tasks)
  const format = yield* Session.format
  const cancelled = yield* Session.use((client) =>
    Several.forEachSuite(ids, (suiteId, indexes) =>
      Effect.map(client.cancelTasks(suiteId, indexes, reason), ({ cancelledTasks }) => cancelledTasks)
    )
  )
  yield* Output.one(format, { id: () => ids.join("\n") }, { cancelledTasks: cancelled }, () => [
    `${Show.plural(cancelled, "task")} cancelled; those that run are being ended`
  ])
})

export const cancel = Command.make("cancel", params, handler).pipe(
  Command.withDescription("Cancel tasks: queued ones at once, running ones by ending their processes")
)
