import { Effect } from "effect"
import { Command } from "effect/cli"
import * as Output from "../../Output.ts"
import * as Session from "../../Session.ts"
import * as Show from "../../Show.ts"
import * as Several from "./Several.ts"

const params = { tasks: Several.tasks }

const handler = Effect.fn("task.retry")(function* ({ tasks }: Command.Command.Config.Infer<typeof params>) {
  const ids = yield* Effect.all(tasks)
  const format = yield* Session.format
  const retried = yield* Session.use((client) =>
    Several.forEachSuite(ids, (suiteId, indexes) =>
      Effect.map(client.retryTasks(suiteId, indexes), ({ retriedTasks }) => retriedTasks)
    )
  )
  yield* Output.one(format, { id: () => ids.join("\n") }, { retriedTasks: retried }, () => [
    `${Show.plural(retried, "task")} queued again`
  ])
})

export const retry = Command.make("retry", params, handler).pipe(
  Command.withDescription("Run tasks that failed or were cancelled again")
)
