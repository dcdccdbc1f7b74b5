import { Effect } from "effect"
import { Command, Flag } from "effect/cli"
import * as Params from "../../Params.ts"
import * as Screen from "../../Screen.ts"
import * as Session from "../../Session.ts"
import * as Show from "../../Show.ts"
import * as Lifecycle from "./Lifecycle.ts"

const params = {
  suite: Params.suite,
  failed: Flag.Boolean("failed").pipe(
    Flag.withDescription("The tasks that failed (the default, and the only choice: `task retry` takes single tasks)"),
    Flag.withDefault(true)
  ),
  wait: Params.wait,
  waitTimeout: Params.waitTimeout
}

const handler = Effect.fn("suite.retry")(function* (values: Command.Command.Config.Infer<typeof params>) {
  const id = yield* values.suite
  yield* Session.use((client) =>
    Effect.gen(function* () {
      const { retriedTasks } = yield* client.retryTasks(id, "failed")
      yield* Screen.note(`${Show.plural(retriedTasks, "failed task")} queued again`)
      yield* Lifecycle.finish(client, id, values)
    })
  )
})

export const retry = Command.make("retry", params, handler).pipe(
  Command.withDescription("Run the failed tasks of a suite again"),
  Command.withExamples([
    { command: "muster suite retry 06a1b2c3d4e5f6g7 --failed --wait", description: "And wait for them" }
  ])
)
